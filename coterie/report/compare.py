"""Verdicts on two methods: which one ends above the other, and which one is faster.

The rules are the ones that the claims are judged by: "A > B" means that the 95 % interval of A's
final interquartile mean lies above B's; "A is faster" means that A needs fewer steps to ninety per
cent of the better method's final value, the lower one where lower is better. A verdict that the
data do not carry is `undecided`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from coterie.errors import ConfigError, require
from coterie.report.curve import Curve
from coterie.report.statistics import Interval, probability_of_improvement, steps_interval

Verdict = Literal["holds", "does not hold", "undecided"]
MIN_SEEDS = 3


@dataclass(frozen=True)
class Comparison:
    """Question about two curves, its verdict, and the numbers behind it.

    a, b:        the 95 % intervals that were compared (final values, or steps to the level).
    improvement: the probability that a seed of `a` ends better than one of `b`, and its interval.
    """

    question: str
    verdict: Verdict
    a: Interval
    b: Interval
    improvement: Interval
    reason: str

    def __str__(self) -> str:
        return f"{self.question}: {self.verdict} ({self.reason})"


def ends_above(a: Curve, b: Curve, tail: int = 1) -> Comparison:
    """Judge whether `a` ends above `b`, both read at the end of the shorter one.

    tail: the number of last points of each seed that are averaged into its final value.

    >>> import numpy as np
    >>> high = Curve("high", np.array([0, 1]), np.array([[0, 5], [0, 6], [0, 7]]))
    >>> low = Curve("low", np.array([0, 1]), np.array([[0, 2], [0, 2], [0, 3]]))
    >>> print(ends_above(high, low))
    high ends above low: holds (6 [5, 7] against 2.333 [2, 3] at 1, 3 and 3 seeds)
    """
    a, b = _together(a, b)
    ends = a.final(tail), b.final(tail)
    verdict = judged((a, b), ends[0].above(ends[1]), ends[1].above(ends[0]))
    return _comparison(f"{a.label} ends above {b.label}", verdict, a, b, ends, tail)


def faster(a: Curve, b: Curve, fraction: float = 0.9, tail: int = 1) -> Comparison:
    """Judge whether `a` needs fewer steps than `b` to `fraction` of the better one's final value.

    The level is measured from the better one's first value (see `level`). Both curves are read up
    to the end of the shorter one; a level that is never reached takes infinitely many steps.
    """
    a, b = _together(a, b)
    goal = level(best(a, b, tail=tail), fraction, tail)
    times = times_to(a, goal), times_to(b, goal)
    verdict = judged((a, b), times[1].above(times[0]), times[0].above(times[1]))
    return _comparison(f"{a.label} is faster than {b.label}", verdict, a, b, times, tail)


def level(curve: Curve, fraction: float = 0.9, tail: int = 1) -> float:
    """The value that lies `fraction` of the way from the curve's first value to its final one.

    For returns that start at zero this is that fraction of the final value; it also means
    something for returns below zero, of which ninety per cent would be *more* than all.
    """
    require(0.0 < fraction <= 1.0, f"fraction must be in (0, 1], not {fraction}.", ConfigError)
    start = float(curve.line[0])
    return start + fraction * (curve.final(tail).point - start)


def best(*curves: Curve, tail: int = 1) -> Curve:
    """The curve whose final value is the best."""
    return max(curves, key=lambda curve: curve.sign * curve.final(tail).point)


def times_to(curve: Curve, goal: float) -> Interval:
    """Steps until the curve first is at `goal` or better, with a 95 % interval over seeds."""
    return steps_interval(curve.steps, curve.sign * curve.values, curve.sign * goal)


def improvement(a: Curve, b: Curve, tail: int = 1) -> Interval:
    """The probability that a seed of `a` ends better than one of `b`, with its 95 % interval."""
    return probability_of_improvement(a.sign * a.ends(tail), a.sign * b.ends(tail))


def _together(a: Curve, b: Curve) -> tuple[Curve, Curve]:
    end = float(min(a.steps[-1], b.steps[-1]))
    return a.until(end), b.until(end)


def judged(curves: Sequence[Curve], yes: bool, no: bool) -> Verdict:
    """The verdict, if each curve has seeds enough to carry one."""
    if min(curve.seeds for curve in curves) < MIN_SEEDS:
        return "undecided"
    return "holds" if yes else "does not hold" if no else "undecided"


def _comparison(
    question: str,
    verdict: Verdict,
    a: Curve,
    b: Curve,
    intervals: tuple[Interval, Interval],
    tail: int,
) -> Comparison:
    reason = (
        f"{intervals[0]} against {intervals[1]} at {a.steps[-1]:,}, {a.seeds} and {b.seeds} seeds"
    )
    return Comparison(question, verdict, *intervals, improvement(a, b, tail), reason)
