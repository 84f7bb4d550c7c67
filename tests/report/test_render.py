"""Pictures of play: every frame is there, every disc where the environment says, for as long as
asked."""

import time

import numpy as np
import pytest
from PIL import Image

from coterie.envs.game import Scene
from coterie.errors import ConfigError, EnvError
from coterie.report import render
from coterie.report.canvas import FLOOR, color_of, fit
from coterie.report.render import HOLD, animate, animate_frames, still


def scene(x, y=0.0, kinds=("landmark", "agent")):
    return Scene(np.array([[0.0, 0.0], [x, y]]), np.array([0.1, 0.2]), kinds)


def walk(steps):
    return [scene(0.1 * t, 0.05 * t) for t in range(steps)]


def frames_of(path):
    with Image.open(path) as gif:
        for i in range(gif.n_frames):
            gif.seek(i)
            yield np.asarray(gif.convert("RGB"), int), gif.info["duration"]


def near(pixel, color):
    return np.abs(np.asarray(pixel) - color).max() < 24


def test_agents_are_where_the_scenes_say(tmp_path):
    scenes = walk(6)
    stage = fit(scenes, 480)
    frames = list(frames_of(animate(scenes, tmp_path / "x.gif")))
    assert len(frames) == 6
    for (picture, _), here in zip(frames, scenes, strict=True):
        x, y = stage.pixel(here.positions[1] + [0.0, -0.15])
        assert near(picture[round(y), round(x)], color_of(0))


def test_the_target_of_an_agent_has_its_color(tmp_path):
    one = Scene(np.array([[0.0, 0.0], [3.0, 0.0], [1.0, 1.0]]), np.full(3, 0.2), ("agent",) * 3)
    marked = Scene(one.positions, one.radii, ("agent", "target-2", "target-blue"))
    picture = next(frames_of(animate([marked], tmp_path / "x.gif")))[0]
    places = map(fit([marked], 480).pixel, one.positions)
    colors = [picture[round(y), round(x)] for x, y in places]
    assert near(colors[0], color_of(0)) and near(colors[1], color_of(2))
    assert near(colors[2], FLOOR)


def test_what_has_no_radius_is_not_there(tmp_path):
    one = Scene(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([0.2, 0.2]), ("agent", "target-1"))
    for radius, color in ((0.2, color_of(1)), (0.0, FLOOR)):
        shown = one._replace(radii=np.array([0.2, radius]))
        picture = next(frames_of(animate([shown], tmp_path / "x.gif")))[0]
        x, y = fit([shown], 480).pixel(one.positions[1])
        assert near(picture[round(y), round(x)], color)


def test_upwards_is_upwards():
    stage = fit([scene(1.0, 1.0)], 480)
    (x0, y0), (x1, y1) = stage.pixel(np.zeros(2)), stage.pixel(np.ones(2))
    assert x1 > x0 and y1 < y0


def test_every_disc_lies_inside_the_floor():
    scenes = [scene(-3.0, 1.0), scene(5.0, -0.5)]
    stage = fit(scenes, 480)
    left, top, right, bottom = stage.floor
    for place in [point for one in scenes for point in one.positions]:
        x, y = stage.pixel(place)
        reach = 0.2 * stage.scale
        assert left < x - reach and x + reach < right and top < y - reach and y + reach < bottom


def test_the_end_of_an_episode_is_held_and_trails_start_anew(tmp_path):
    scenes = [*walk(4), scene(3.0), scene(3.0, 0.2)]
    path = animate(scenes, tmp_path / "x.gif", fps=20, starts=(0, 4), returns=range(6))
    frames = list(frames_of(path))
    assert [wait for _, wait in frames] == [50, 50, 50, 50 + HOLD, 50, 50 + HOLD]
    # Half-way between the last place of the first episode and the first of the second: no trail.
    x, y = fit(scenes, 480).pixel(np.array([1.6, 0.1]))
    assert np.ptp(frames[4][0][round(y) - 8 : round(y) + 8, round(x)], axis=0).max() == 0


def test_a_usual_animation_is_small_and_quick(tmp_path):
    draws = np.random.default_rng(0)
    walks = draws.uniform(-1, 1, (1, 5, 2)) + 0.1 * draws.normal(size=(75, 5, 2)).cumsum(axis=0)
    scenes = [Scene(places, np.full(5, 0.1), ("agent",) * 5) for places in walks]
    begin = time.perf_counter()
    path = animate(scenes, tmp_path / "x.gif", title="Random walks", starts=(0, 25, 50))
    assert time.perf_counter() - begin < 15
    assert path.stat().st_size < 1_000_000
    assert len(list(frames_of(path))) == 75


def test_a_still_shows_the_start_the_way_and_the_end(tmp_path):
    scenes = walk(20)
    with Image.open(still(scenes, tmp_path / "x.png", title="A walk")) as image:
        picture = np.asarray(image, int)
    stage = fit(scenes, 480)
    # Where it ended, a place on its way, and just inside the ring of where it began.
    rim = np.array([-0.2 + 1.0 / stage.scale, 0.0])
    places = scenes[-1].positions[1], scenes[12].positions[1], rim
    end, way, start = (picture[round(y), round(x)] for x, y in map(stage.pixel, places))
    assert near(end, color_of(0))
    assert way[2] - way[0] > 60 and start[2] - start[0] > 30  # blue, though pale


def test_frames_keep_their_colors_and_shrink_to_the_width(tmp_path):
    frames = [np.full((60, 120, 3), (10 * i, 100, 200), np.uint8) for i in range(10)]
    found = list(frames_of(animate_frames(frames, tmp_path / "x.gif", fps=10, width=60)))
    assert [picture.shape for picture, _ in found] == [(30, 60, 3)] * 10
    assert {wait for _, wait in found} == {100}
    colors = np.array([picture[9, 9] for picture, _ in found])
    assert np.abs(colors - [frame[0, 0] for frame in frames]).max() < 8


@pytest.mark.parametrize(
    ("scenes", "more", "error", "sentence"),
    [
        ([], {}, EnvError, "no scene"),
        ([scene(np.nan)], {}, EnvError, "scene 0 has a position that is not finite"),
        ([scene(1), scene(1, kinds=("agent",) * 2)], {}, EnvError, "scene 1 shows other things"),
        (walk(3), {"fps": 0}, ConfigError, "fps must be above 0"),
        (walk(3), {"starts": (0, 3)}, ConfigError, r"below the 3 scenes, not \[0, 3\]"),
        (walk(3), {"starts": (1,)}, ConfigError, "rise from 0"),
        (walk(3), {"returns": [1.0]}, ConfigError, "1 returns for 3 scenes"),
    ],
)
def test_one_sentence_for_what_cannot_be_animated(tmp_path, scenes, more, error, sentence):
    with pytest.raises(error, match=sentence):
        animate(scenes, tmp_path / "x.gif", **more)
    assert list(tmp_path.iterdir()) == []


def test_names_and_frames_that_do_not_fit(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.gif"):
        animate(walk(2), tmp_path / "x.png")
    with pytest.raises(ConfigError, match=r"ends in \.png"):
        still(walk(2), tmp_path / "x.gif")
    with pytest.raises(EnvError, match="no frame"):
        animate_frames([], tmp_path / "x.gif")
    with pytest.raises(EnvError, match=r"frame 1 is \[2, 3, 3\]"):
        animate_frames([np.zeros((2, 2, 3)), np.zeros((2, 3, 3))], tmp_path / "x.gif")


@pytest.mark.filterwarnings("ignore:os.fork")  # JAX warns of new processes
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # pipes of the reader
def test_a_film_holds_the_end_of_an_episode(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = animate(walk(6), tmp_path / "x.mp4", fps=20, width=121)
    reader = ffmpeg.read_frames(str(path))
    about, frames = next(reader), list(reader)
    assert about["size"][0] == 120 and about["fps"] == 20.0
    assert len(frames) == 5 + (50 + HOLD) // 50


def test_without_the_package_for_films_its_name_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"an .mp4 needs imageio-ffmpeg.*coterie\[mp4\]|\[mp4\]"):
        animate(walk(2), tmp_path / "x.mp4")
