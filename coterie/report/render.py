"""Moving and still pictures of a team at play.

Pictures are drawn from `Scene`s, or made from the frames that a host environment paints
itself. Files are written whole or not at all.
"""

import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from coterie.envs.timestep import Scene
from coterie.errors import ConfigError, EnvError, require
from coterie.internal.extras import install
from coterie.internal.palette import color_of
from coterie.report.canvas import DARK, PALE, Canvas, Stage, agents, blend, fit
from coterie.report.files import picture

TRAIL = 10  # steps that a moving agent's trail reaches back
HOLD = 700  # milliseconds that the end of an episode stays
COLORS = 128
MOVING = (".gif", ".mp4")


def show(
    episodes: Sequence[Sequence[Any]],
    moving: str | Path,
    standing: str | Path,
    title: str | None = None,
    fps: float = 10,
) -> None:
    """A GIF or MP4 of all episodes at `moving` and a PNG of the first at `standing`.

    episodes: scenes, which are drawn, or frames `[H, W, 3]` that an environment painted.
    """
    pictures = [picture for episode in episodes for picture in episode]
    if pictures and not isinstance(pictures[0], Scene):
        animate_frames(pictures, moving, fps)
        with picture(standing, [".png"]) as part:
            Image.fromarray(np.asarray(episodes[0][-1], np.uint8)).save(part)
        return
    starts = [sum(map(len, episodes[:i])) for i in range(len(episodes))]
    animate(pictures, moving, title, fps, starts=starts)
    still(episodes[0], standing, title)


def animate(
    scenes: Sequence[Scene],
    path: str | Path,
    title: str | None = None,
    fps: float = 10,
    returns: Sequence[float] | np.ndarray | None = None,
    starts: Sequence[int] = (0,),
    width: int = 480,
) -> Path:
    """A GIF or MP4 of `scenes` at `path`: agents as coloured discs with trails, all else in grey.

    returns: the return up to each scene, shown above it.
    starts:  the scenes at which episodes begin, the first being 0; the end of an episode is held
             for a moment, and a line at the bottom shows where in which episode one is.

    `EnvError` for scenes that cannot be drawn together, `ConfigError` for a wrong option.
    """
    stage = fit(scenes, width)
    _check(len(scenes), starts, returns)
    wait = _wait(fps)
    bounds = [*starts, len(scenes)]
    images, waits = [], []
    for episode, (start, end) in enumerate(pairwise(bounds)):
        for now in range(start, end):
            past = scenes[max(start, now - TRAIL) : now + 1]
            number = f"episode {episode + 1}" if len(starts) > 1 else ""
            total = f"return {returns[now]:.1f}".replace("-", "−") if returns is not None else ""
            status = "   ".join(part for part in (number, f"step {now - start}", total) if part)
            image = _moving(stage, past).finish(title or "", status)
            images.append(_progress(image, now, bounds))
            waits.append(wait)
        waits[-1] += HOLD
    return _save(images, waits, path)


def still(
    scenes: Sequence[Scene], path: str | Path, title: str | None = None, width: int = 480
) -> Path:
    """A PNG of one episode: rings where the agents began, their ways, discs where they ended."""
    stage = fit(scenes, width)
    canvas, first, last = Canvas(stage), scenes[0], scenes[-1]
    canvas.ground(last)
    for number, i in enumerate(agents(last)):
        color = color_of(number)
        canvas.ring(first.positions[i], float(first.radii[i]), blend(color, 0.45))
        canvas.trail(np.array([scene.positions[i] for scene in scenes]), color)
    _team(canvas, last)
    image = canvas.finish(title or "", f"{len(scenes) - 1} steps")
    with picture(path, [".png"]) as part:
        image.save(part, optimize=True)
    return Path(path)


def animate_frames(
    frames: Sequence[np.ndarray], path: str | Path, fps: float = 10, width: int = 480
) -> Path:
    """A GIF or MP4 of frames `[H, W, 3]` (0 to 255) that an environment painted.

    width: the picture is no wider.
    """
    require(len(frames) > 0, "there is no frame to show: play at least one step.", EnvError)
    wait, shape = _wait(fps), np.shape(frames[0])
    for i, frame in enumerate(frames):
        require(
            np.shape(frame) == shape and len(shape) == 3 and shape[2] == 3,
            f"frame {i} is {list(np.shape(frame))}; all must be [H, W, 3] and of one size.",
            EnvError,
        )
    images = [Image.fromarray(np.asarray(frame, np.uint8)) for frame in frames]
    if shape[1] > width:
        size = width, max(1, round(shape[0] * width / shape[1]))
        images = [image.resize(size, Image.Resampling.LANCZOS) for image in images]
    return _save(images, [wait] * len(images), path)


def _moving(stage: Stage, past: Sequence[Scene]) -> Canvas:
    """The last of `past`, with trails through the ones before."""
    canvas = Canvas(stage)
    canvas.ground(past[-1])
    for number, i in enumerate(agents(past[-1])):
        canvas.trail(np.array([scene.positions[i] for scene in past]), color_of(number))
    _team(canvas, past[-1])
    return canvas


def _team(canvas: Canvas, scene: Scene) -> None:
    for number, i in enumerate(agents(scene)):
        canvas.disc(scene.positions[i], float(scene.radii[i]), color_of(number))
    canvas.marks(scene)


def _progress(image: Image.Image, now: int, bounds: Sequence[int]) -> Image.Image:
    """A thin line at the bottom, one piece for each episode, dark up to now."""
    draw, gap = ImageDraw.Draw(image), 3
    left, right, y = 10, image.width - 10, image.height - 6
    scale = (right - left) / bounds[-1]
    for start, end in pairwise(bounds):
        begin, stop = left + start * scale, left + end * scale - gap
        draw.rectangle([begin, y, max(begin, stop), y + 2], PALE)
        if now >= start:
            done = left + min(now + 1, end) * scale - gap
            draw.rectangle([begin, y, max(begin, done), y + 2], DARK)
    return image


def require_moving(path: str | Path) -> None:
    """Raise `ConfigError` unless a moving picture can be written at `path`."""
    suffix = Path(path).suffix.lower()
    require(
        suffix in MOVING,
        f"cannot write {str(path)!r}: a moving picture's name ends in {' or '.join(MOVING)}.",
        ConfigError,
    )
    require(
        suffix != ".mp4" or find_spec("imageio_ffmpeg") is not None,
        f"an .mp4 needs imageio-ffmpeg, which is not installed: {install('mp4')}.",
        ConfigError,
    )


def _save(images: Sequence[Image.Image], waits: Sequence[int], path: str | Path) -> Path:
    """The images at `path`, each for so many milliseconds."""
    require_moving(path)
    write = _save_mp4 if Path(path).suffix.lower() == ".mp4" else _save_gif
    with picture(path, MOVING) as part:
        write(images, waits, part)
    return Path(path)


def _save_gif(images: Sequence[Image.Image], waits: Sequence[int], part: Path) -> None:
    """A GIF with one palette for all frames, so that only what moves takes space; it has the
    colours of thin limbs, too."""
    palette = _sheet(images).quantize(COLORS, Image.Quantize.MAXCOVERAGE)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    flat[0].save(
        part, save_all=True, append_images=flat[1:], duration=list(waits), loop=0, optimize=True
    )


def _save_mp4(images: Sequence[Image.Image], waits: Sequence[int], part: Path) -> None:
    """A film whose frames are repeated where they are held; its sides are even numbers."""
    ffmpeg, least = import_module("imageio_ffmpeg"), min(waits)
    width, height = (side - side % 2 for side in images[0].size)
    film = ffmpeg.write_frames(str(part), (width, height), fps=1000 / least, macro_block_size=2)
    with warnings.catch_warnings(action="ignore"):  # JAX warns of each new process
        film.send(None)
    for image, wait in zip(images, waits, strict=True):
        frame = np.asarray(image.convert("RGB"))[:height, :width].tobytes()
        for _ in range(round(wait / least)):
            film.send(frame)
    film.close()


def _sheet(images: Sequence[Image.Image], most: int = 2_000_000) -> Image.Image:
    """All images below each other, thinned out to about `most` pixels."""
    wide, high = images[0].size
    thin = max(1.0, (wide * high * len(images) / most) ** 0.5)
    wide, high = max(1, round(wide / thin)), max(1, round(high / thin))
    sheet = Image.new("RGB", (wide, high * len(images)))
    for i, image in enumerate(images):
        sheet.paste(image.resize((wide, high), Image.Resampling.NEAREST), (0, i * high))
    return sheet


def _wait(fps: float) -> int:
    require(0 < fps <= 50, f"fps must be above 0 and at most 50 in a GIF, not {fps}.", ConfigError)
    return round(100 / fps) * 10


def _check(count: int, starts: Sequence[int], returns: Sequence[float] | np.ndarray | None) -> None:
    rising = len(starts) > 0 and all(a < b for a, b in pairwise([*starts, count]))
    require(
        rising and starts[0] == 0,
        f"starts must rise from 0 and stay below the {count} scenes, not {list(starts)}.",
        ConfigError,
    )
    require(
        returns is None or len(returns) == count,
        f"there are {0 if returns is None else len(returns)} returns for {count} scenes.",
        ConfigError,
    )
