"""Parallel coordinates and bars of shares: what is drawn where."""

import pytest
from matplotlib.colors import to_hex

from coterie.errors import RunError
from coterie.report.parallel_plot import plot_parallel, scale_of
from coterie.report.share_plot import plot_shares

AXES = {"lr": ["1e-4", "1e-3", "1e-2"], "body": ["mlp", "gru", "mlp"]}


def test_lines_go_through_values_to_results(tmp_path, drawn):
    path = plot_parallel(AXES, [1.0, 3.0, 2.0], tmp_path / "a.png", "Return", "Title")
    assert path.stat().st_size > 1000
    (axis,) = drawn[0].axes
    lines = [line.get_ydata().tolist() for line in axis.lines if len(line.get_xdata()) == 3]
    assert lines == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.5], [0.5, 1.0, 1.0]]  # the best one is last
    widths = [line.get_linewidth() for line in axis.lines if len(line.get_xdata()) == 3]
    assert widths[2] > widths[0] == widths[1]
    words = [text.get_text() for text in axis.texts]
    assert {"lr\n(log)", "body", "Return", "0.0001", "mlp", "gru", "3"} <= set(words)


def test_the_best_may_be_the_lowest(tmp_path, drawn):
    plot_parallel(AXES, [1.0, 3.0, 2.0], tmp_path / "a.png", "Cost", lower_is_better=True)
    lines = [line for line in drawn[0].axes[0].lines if len(line.get_xdata()) == 3]
    assert lines[-1].get_ydata().tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(RunError, match="no trial"):
        plot_parallel({}, [], tmp_path / "b.png", "Cost")


def test_words_stand_in_their_order_and_many_numbers_have_round_places():
    assert scale_of(["b", "a"], ["a", "b", "c"]).places == (0.5, 0.0)
    many = scale_of([str(i) for i in range(1, 13)])
    assert len(many.ticks) == 5 and many.log
    assert scale_of(["3", "3"]).places == (0.5, 0.5)


def test_shares_are_drawn_from_the_largest_down(tmp_path, drawn):
    shares, rest, chance = {"a": 0.2, "b": 0.5}, {"seeds": 0.3}, {"a": 0.1, "b": 0.1}
    plot_shares(shares, rest, chance, tmp_path / "a.png", "Title", "Caption")
    (axis,) = drawn[0].axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a", "seeds"]
    assert [bar.get_width() for bar in axis.patches] == [0.5, 0.2, 0.3]
    colors = [to_hex(bar.get_facecolor()) for bar in axis.patches]
    assert colors[0] == colors[1] != colors[2]
    assert axis.lines[0].get_xdata().tolist() == [0.1, 0.1]
