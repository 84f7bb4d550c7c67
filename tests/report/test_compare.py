"""Verdicts: each of the three, for both questions, on curves where the answer is plain."""

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.report.compare import ends_above, faster, level
from coterie.report.curve import Curve


def curve(label, *ends, start=0.0, steps=(0, 10, 20)):
    """Seeds that rise in a straight line from `start` to their `ends`."""
    way = np.linspace(0.0, 1.0, len(steps))
    return Curve(label, np.array(steps), start + (np.array(ends)[:, None] - start) * way)


def test_a_method_ends_above_another_below_it_or_neither():
    high, low, between = curve("high", 5, 6, 7), curve("low", 1, 2, 3), curve("between", 3, 4, 5)
    assert ends_above(high, low).verdict == "holds"
    assert ends_above(low, high).verdict == "does not hold"
    assert ends_above(high, between).verdict == "undecided"  # both intervals hold 5


def test_two_seeds_decide_nothing():
    assert ends_above(curve("a", 9, 9), curve("b", 1, 1, 1)).verdict == "undecided"


def test_a_verdict_carries_its_numbers():
    found = ends_above(curve("a", 5, 6, 7), curve("b", 1, 2, 3))
    assert (found.a, found.b, found.improvement) == ((6, 5, 7), (2, 1, 3), (1, 1, 1))
    assert str(found) == "a ends above b: holds (6 [5, 7] against 2 [1, 3] at 20, 3 and 3 seeds)"


def test_curves_are_compared_at_the_end_of_the_shorter_one():
    late = Curve("late", np.array([0, 10, 20]), np.tile([0.0, 1.0, 100.0], (3, 1)))
    short = curve("short", 5, 5, 5, steps=(0, 10))
    found = ends_above(late, short)
    assert (found.verdict, found.a.point) == ("does not hold", 1.0)
    assert " at 10, " in found.reason


def test_faster_counts_steps_to_the_better_ones_level():
    quick = Curve("quick", np.array([0, 10, 20]), np.tile([0.0, 9.5, 10.0], (3, 1)))
    slow = Curve("slow", np.array([0, 10, 20]), np.tile([0.0, 2.0, 10.0], (3, 1)))
    found = faster(quick, slow)
    assert (found.verdict, found.a.point, found.b.point) == ("holds", 10, 20)
    assert faster(slow, quick).verdict == "does not hold"
    assert faster(quick, quick).verdict == "undecided"


def test_a_level_never_reached_takes_forever():
    found = faster(curve("high", 5, 5, 5), curve("low", 1, 1, 1))
    assert (found.verdict, found.b.point) == ("holds", np.inf)


def test_levels_make_sense_below_zero():
    assert level(curve("a", 10.0)) == pytest.approx(9.0)
    assert level(curve("a", -10.0, start=-110.0)) == pytest.approx(-20.0)
    with pytest.raises(ConfigError, match="fraction"):
        level(curve("a", 10.0), fraction=1.5)
