"""One picture of a scene: discs, rings, crosses and trails, drawn with Pillow.

Drawn `_FINE` times too large and averaged down, so that edges are smooth. Colours are blended by
hand rather than with transparency, which keeps their number small and the files with it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from coterie.envs.game import Scene
from coterie.errors import EnvError, require
from coterie.internal.palette import color_of

Point = tuple[float, float]
Color = tuple[int, int, int]

WHITE: Color = (255, 255, 255)
FLOOR: Color = (246, 247, 249)
GREY: Color = (120, 124, 132)
MARK: Color = (58, 62, 70)
PALE: Color = (206, 210, 216)
DARK: Color = (34, 34, 34)
_FINE = 3
_HEADER = 38
_FOOTER = 14
_MARGIN = 10
_OWNED = re.compile(r"target-(\d+)")
_CROSSED = ("target", "goal")
_SOLID = ("obstacle", "wall")


def blend(color: Color, share: float, ground: Color = FLOOR) -> Color:
    """`share` of `colour` on `ground`.

    >>> blend((0, 0, 0), 0.5, (200, 100, 0))
    (100, 50, 0)
    """
    red, green, blue = (
        round(share * top + (1.0 - share) * under) for top, under in zip(color, ground, strict=True)
    )
    return red, green, blue


def agents(scene: Scene) -> list[int]:
    """Return the indices of the agents' discs, whose kind begins with "agent"."""
    return [i for i, kind in enumerate(scene.kinds) if kind.startswith("agent")]


@dataclass(frozen=True)
class Stage:
    """Mapping of the environment's coordinates to a picture of `width` x `height` pixels.

    low:   the environment's coordinates `(x, y)` of the lower left corner of the floor.
    scale: pixels per unit of the environment.
    """

    low: Point
    scale: float
    width: int
    height: int

    @property
    def floor(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the pixels that the environment covers."""
        return _MARGIN, _HEADER, self.width - _MARGIN, self.height - _FOOTER

    def pixel(self, point: np.ndarray) -> Point:
        """Return the pixel of a point `[2]` of the environment (y points up in the environment)."""
        left, _, _, bottom = self.floor
        x, y = (point - np.asarray(self.low)) * self.scale
        return left + float(x), bottom - float(y)


def fit(scenes: Sequence[Scene], width: int) -> Stage:
    """A stage that every disc of every scene fits onto, up to twice as high as wide or the reverse.

    `EnvError` if there is no scene, the discs differ between scenes, or one has no finite place.
    """
    require(len(scenes) > 0, "there is no scene to draw: play at least one step.", EnvError)
    odd = next((i for i, scene in enumerate(scenes) if scene.kinds != scenes[0].kinds), None)
    require(
        odd is None,
        f"scene {odd} shows other things than scene 0: draw one environment at a time.",
        EnvError,
    )
    places = np.array([scene.positions for scene in scenes], float)
    radii = np.array([scene.radii for scene in scenes], float)[..., None]
    finite = np.isfinite(places).all(axis=(1, 2))
    require(
        bool(finite.all()),
        f"scene {int(np.argmin(finite))} has a position that is not finite.",
        EnvError,
    )
    low, high = (places - radii).min(axis=(0, 1)), (places + radii).max(axis=(0, 1))
    longest = max(float((high - low).max()), 1e-6)
    size = np.maximum(high - low, longest / 2) + 0.08 * longest
    corner = (low + high - size) / 2
    scale = (width - 2 * _MARGIN) / float(size[0])
    height = round(float(size[1]) * scale) + _HEADER + _FOOTER
    return Stage((float(corner[0]), float(corner[1])), scale, width, height)


class Canvas:
    """A picture in the making; positions and radii are the environment's."""

    def __init__(self, stage: Stage):
        self.stage = stage
        size = stage.width * _FINE, stage.height * _FINE
        self.image = Image.new("RGB", size, WHITE)
        self.draw = ImageDraw.Draw(self.image)
        self.draw.rounded_rectangle([_FINE * edge for edge in stage.floor], 6 * _FINE, FLOOR)

    def disc(self, at: np.ndarray, radius: float, color: Color) -> None:
        """A filled disc with a thin pale rim, so that overlapping ones stay apart."""
        self.draw.ellipse(self._around(at, radius, 4), color, WHITE, _FINE)

    def ring(self, at: np.ndarray, radius: float, color: Color) -> None:
        """A hollow disc."""
        self.draw.ellipse(self._around(at, radius, 4), None, color, 2 * _FINE)

    def cross(self, at: np.ndarray, radius: float, color: Color) -> None:
        """A small cross."""
        left, top, right, bottom = self._around(at, radius, 4)
        self.draw.line([left, top, right, bottom], color, 2 * _FINE)
        self.draw.line([left, bottom, right, top], color, 2 * _FINE)

    def trail(self, points: np.ndarray, color: Color, width: float = 4.0) -> None:
        """A line through `points` `[K, 2]`, pale and thin where it is old."""
        places = [self._fine(point) for point in points]
        for i in range(1, len(places)):
            age = i / (len(places) - 1)
            ink = blend(color, 0.15 + 0.55 * age)
            thick = max(1.0, width * (0.4 + 0.6 * age)) * _FINE
            self.draw.line([*places[i - 1], *places[i]], ink, round(thick))
            (x, y), half = places[i], thick / 2
            self.draw.ellipse([x - half, y - half, x + half, y + half], ink)

    def ground(self, scene: Scene) -> None:
        """Draw the things below the agents: obstacles, solid."""
        for place, radius, kind in zip(scene.positions, scene.radii, scene.kinds, strict=True):
            if kind in _SOLID:
                self.disc(place, float(radius), PALE)

    def marks(self, scene: Scene) -> None:
        """Draw the things that stay visible below an agent: targets as crosses, all else as rings.

        `target-i` belongs to agent `i`: a small disc of its colour. Things of radius 0 are not
        drawn.
        """
        for place, radius, kind in zip(scene.positions, scene.radii, scene.kinds, strict=True):
            if radius == 0:
                continue
            if owned := _OWNED.fullmatch(kind):
                self.disc(place, float(radius), color_of(int(owned[1])))
            elif kind in _CROSSED:
                self.cross(place, float(radius), MARK)
            elif kind not in _SOLID and not kind.startswith("agent"):
                self.ring(place, float(radius), MARK)

    def finish(self, title: str, status: str) -> Image.Image:
        """The picture at its real size, with a line of text above it."""
        image = self.image.reduce(_FINE)
        draw, right = ImageDraw.Draw(image), self.stage.width - _MARGIN
        draw.text((right, _HEADER / 2), status, GREY, _font("", 12), anchor="rm")
        room = right - _MARGIN - draw.textlength(status, _font("", 12)) - 12
        title = _shorten(title, room)
        draw.text((_MARGIN, _HEADER / 2), title, DARK, _font("-Bold", 14), anchor="lm")
        return image

    def _around(self, at: np.ndarray, radius: float, least: float) -> list[float]:
        x, y = self._fine(at)
        reach = max(radius * self.stage.scale, least) * _FINE
        return [x - reach, y - reach, x + reach, y + reach]

    def _fine(self, point: np.ndarray) -> Point:
        x, y = self.stage.pixel(point)
        return x * _FINE, y * _FINE


@lru_cache
def _font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / f"DejaVuSans{weight}.ttf"), size)


def _shorten(title: str, room: float) -> str:
    font = _font("-Bold", 14)
    if font.getlength(title) <= room:
        return title
    kept = next((n for n in range(len(title), 0, -1) if font.getlength(title[:n] + "…") <= room), 0)
    return title[:kept].rstrip() + "…" if kept else ""
