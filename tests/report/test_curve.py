"""Curves: what they refuse, how runs become one, and what smoothing and cutting do."""

import numpy as np
import pytest

from coterie.errors import ConfigError, RunError
from coterie.report.curve import Curve, gather


@pytest.mark.parametrize(
    ("steps", "values", "sentence"),
    [
        ([], np.zeros((2, 0)), r"curve 'dpo' has no data: .*not \[2, 0\]"),
        ([0], np.zeros(1), "has no data"),
        ([0, 1], np.zeros((2, 3)), "has 2 steps but 3 values for each seed"),
        ([1, 0], np.zeros((2, 2)), "steps that go back"),
        ([0, 7], np.array([[0, 0], [0, np.nan]]), "not finite at seed 1, step 7"),
    ],
)
def test_a_curve_refuses_what_cannot_be_drawn(steps, values, sentence):
    with pytest.raises(RunError, match=sentence):
        Curve("dpo", np.array(steps), values)


def test_runs_of_one_length_are_gathered_without_a_word():
    curve = gather("dpo", [([0, 5], [1, 2]), ([0, 5], [3, 4])], seconds=2.0)
    assert curve.values.tolist() == [[1, 2], [3, 4]]
    assert (curve.seeds, curve.note, curve.seconds) == (2, "", 2.0)


def test_longer_runs_are_cut_and_the_note_says_so():
    curve = gather("dpo", [([0, 5, 9], [1, 2, 3]), ([0, 5], [3, 4]), ([0, 5, 9], [0, 0, 0])])
    assert curve.steps.tolist() == [0, 5]
    assert curve.note == "cut at 5, the end of the shortest of 3 runs"


def test_runs_that_cannot_be_gathered():
    with pytest.raises(RunError, match="'dpo' has no runs"):
        gather("dpo", [])
    with pytest.raises(RunError, match="has no data"):
        gather("dpo", [([], []), ([0], [1])])
    with pytest.raises(RunError, match="seeds 0 and 1 were measured at different steps"):
        gather("dpo", [([0, 5], [1, 2]), ([0, 6], [3, 4])])


def test_the_final_value_averages_the_tail_of_each_seed():
    curve = Curve("dpo", np.arange(3), np.array([[0, 2, 4], [0, 4, 6]]))
    assert curve.final() == (5, 4, 6)
    assert curve.final(tail=2) == (4, 3, 5)


def test_smoothing_is_a_trailing_mean_and_says_so():
    curve = Curve("dpo", np.arange(4), np.array([[1.0, 3.0, 5.0, 7.0]]), note="cut")
    assert curve.smoothed(2).values.tolist() == [[1, 2, 4, 6]]
    assert curve.smoothed(9).values.tolist() == [[1, 2, 3, 4]]
    assert curve.smoothed(2).note == "cut; smoothed over 2 points"
    with pytest.raises(ConfigError, match="window"):
        curve.smoothed(0)


def test_until_keeps_the_step_itself():
    curve = Curve("dpo", np.array([0, 10, 20]), np.arange(6.0).reshape(2, 3))
    assert curve.until(10).steps.tolist() == [0, 10]
    with pytest.raises(RunError, match="no data"):
        curve.until(-1)
