"""Figures: what is drawn is what was measured, in every format, whole or not at all."""

import itertools

import numpy as np
import pytest
from PIL import Image

from coterie.errors import ConfigError, RunError
from coterie.report import plot
from coterie.report.curve import Curve
from coterie.report.plot import plot_curves, plot_panels

STEPS = np.array([0, 500_000, 1_000_000])


def curve(label, height=1.0, seeds=3, **more):
    return Curve(label, STEPS, height * np.arange(3.0 * seeds).reshape(seeds, 3), **more)


def words(figure):
    return [text.get_text() for text in figure.findobj(plot.matplotlib.text.Text)]


def test_lines_are_interquartile_means_and_bands_their_intervals(tmp_path, drawn):
    a = curve("a")
    path = tmp_path / "new" / "x.png"
    assert plot_curves([a, curve("b", 2.0)], path, references={"best": 9.0}) == [path]
    axis = drawn[0].axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    np.testing.assert_array_equal(lines["a"].get_ydata(), a.line)
    np.testing.assert_array_equal(lines["a"].get_xdata(), STEPS)
    edges = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (a.band.low.min(), a.band.high.max())
    assert 9.0 in axis.lines[0].get_ydata() and "best" in words(drawn[0])
    with Image.open(path) as image:
        assert min(image.size) > 400


def test_the_caption_tells_seeds_smoothing_and_notes(tmp_path, drawn):
    plot_curves([curve("a", note="cut at 5")], tmp_path / "x.png", smooth=2)
    text = " ".join(words(drawn[0])).replace("\n", " ")
    assert "interquartile mean and 95 % interval, 3 seeds; smoothed over 2 points; cut at 5" in text
    assert drawn[0].axes[0].lines[0].get_ydata().tolist() == curve("a").smoothed(2).line.tolist()
    plot_curves([curve("a", seeds=1)], tmp_path / "x.png")
    assert "1 seed" in words(drawn[1])


def test_the_step_axis_speaks_in_thousands_or_bytes(tmp_path, drawn):
    plot_curves([curve("a")], tmp_path / "x.png")
    plot_curves([curve("a")], tmp_path / "x.png", xlabel="Bytes sent")
    ticks = [[t.get_text() for t in figure.axes[0].get_xticklabels()] for figure in drawn]
    assert {"0", "250k", "500k", "1M"} < set(ticks[0])
    assert {"0 B", "250 kB", "500 kB", "1 MB"} < set(ticks[1])


def test_a_label_keeps_its_color_in_all_panels(tmp_path, drawn):
    panels = {"episode_return": [curve("a"), curve("b")], "entropy": [curve("b")]}
    plot_panels(panels, tmp_path / "x.png", ylabel={"episode_return": "team return"})
    first, second = drawn[0].axes
    colors = {line.get_label(): line.get_color() for line in first.lines}
    assert second.lines[0].get_color() == colors["b"] != colors["a"]
    assert (first.get_ylabel(), second.get_ylabel()) == ("team return", "")
    assert [axis.get_title(loc="left") for axis in drawn[0].axes] == ["episode_return", "entropy"]


def test_long_labels_stay_within_the_picture(tmp_path, drawn):
    plot_curves([curve(f"{share} % of links") for share in range(9)], tmp_path / "x.png")
    (legend,) = drawn[0].legends
    assert len(legend.texts) == 9
    x = [corner[0] for corner in legend.get_window_extent().get_points()]
    assert min(x) >= 0 and max(x) <= drawn[0].bbox.width


def test_a_lone_label_is_named_unless_the_title_has_it(tmp_path, drawn):
    plot_curves([curve("dpo")], tmp_path / "x.png", "dpo on spread")
    plot_curves([curve("dpo")], tmp_path / "x.png", "spread")
    assert [len(figure.legends) for figure in drawn] == [0, 1]


def test_words_find_room_and_a_dollar_is_no_formula(tmp_path, drawn):
    long = "pettingzoo:a_module_with_a_name.of_many_letters_v3"
    panels = {f"{long}{i} $x^$": [curve("a")] for i in range(3)}
    plot_panels(panels, tmp_path / "x.png", long, ylabel=long, xlabel=long)
    (figure,) = drawn
    figure.draw_without_rendering()  # in the resolution of the screen again
    assert "$x^$" in " ".join(words(figure))
    shown = [(axis.xaxis.label, axis.yaxis.label, axis._left_title) for axis in figure.axes]
    for text in (figure._suptitle, *itertools.chain(*shown)):
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= figure.bbox.width + 1, text.get_text()


def test_twenty_labels_look_different(tmp_path):
    styles = plot._styles(f"m{i}" for i in range(20))
    assert len({str(style) for style in styles.values()}) == 20


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_the_same_data_give_the_same_file(tmp_path, suffix):
    paths = [tmp_path / f"{i}{suffix}" for i in range(2)]
    plot_curves([curve("a")], paths[0])
    plot_curves([curve("a")], paths[1], formats=("png", suffix[1:]))  # the same beside others
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert b"CreationDate" not in paths[0].read_bytes()  # equal within one second proves little


def test_one_sentence_for_what_cannot_be_drawn(tmp_path):
    with pytest.raises(RunError, match=r"no curve to draw into .*x\.png"):
        plot_curves([], tmp_path / "x.png")
    with pytest.raises(ConfigError, match=r"x\.gif.* ends in \.png, \.pdf, \.svg"):
        plot_curves([curve("a")], tmp_path / "x.gif")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    path.write_text("old")

    def half(self, part, **_):
        part.write_text("half a fig")
        raise OSError("disk full")

    monkeypatch.setattr(plot.Figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        plot_curves([curve("a")], path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
