"""What is left, step by step: the right numbers in the right place."""

import pytest

from coterie.errors import RunError
from coterie.report.statistics import Interval
from coterie.report.sweep_plot import plot_doses

LOST = ({"0": Interval(2, 1, 4), "90 %": Interval(0, -1, 1)}, {"90 %": Interval(0.1, 0.05, 0.3)})
LATE = ({"0": Interval(2, 1, 4)}, {"0": Interval(0.2, 0.1, 0.3)})
LEVELS = {
    "alone": (Interval(-1, -2, 0), None),
    "joint_control": (Interval(3, 2, 4), Interval(2, 2, 2)),
}


def test_values_stand_over_their_ticks_beside_the_levels(tmp_path, drawn):
    path = tmp_path / "x.png"
    assert (
        plot_doses(
            {"lost": LOST, "late": LATE}, LEVELS, ("episode_return", "consensus_error"), path
        )
        == path
    )
    first, second, below, _ = drawn[0].axes
    bars = first.containers[0]
    assert bars.lines[0].get_ydata().tolist() == [2, 0]
    assert [edge.get_ydata()[0] for edge in bars.lines[1]] + [
        edge.get_ydata()[1] for edge in bars.lines[1]
    ] == [1, 4, -1, 1]
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["0", "90 %"]
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["90 %"]
    levels = {line.get_label(): line.get_ydata()[0] for line in second.lines[:2]}
    assert levels == {"alone": -1, "joint_control": 3}
    assert (first.get_yscale(), below.get_yscale()) == ("linear", "log")
    assert (first.get_ylabel(), below.get_ylabel(), first.get_title("left")) == (
        "episode_return",
        "consensus_error",
        "lost",
    )


def test_positive_values_that_lie_close_are_not_drawn_on_a_log_scale(tmp_path, drawn):
    near = {"0": Interval(2, 1, 4), "90 %": Interval(1.5, 1, 2)}
    plot_doses(
        {"lost": (near,)}, {"best": (Interval(4, 3, 5),)}, ("episode_return",), tmp_path / "x.png"
    )
    assert drawn[0].axes[0].get_yscale() == "linear"


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(RunError, match="nothing to draw"):
        plot_doses({}, {}, (), tmp_path / "x.png")
