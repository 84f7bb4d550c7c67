"""Statements of papers about learning curves, as questions that curves answer.

A question looks at curves by their labels and gives an `Answer`; a sentence of a paper that needs
several holds if all of them do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coterie.report import compare
from coterie.report.compare import Verdict, ends_above, judged, level
from coterie.report.curve import Curve
from coterie.report.formatting import volume

Curves = Mapping[str, Curve]


@dataclass(frozen=True)
class Answer:
    """A verdict and the figures behind it, in words."""

    verdict: Verdict
    reason: str

    def __str__(self) -> str:
        return f"{self.verdict} ({self.reason})"


Question = Callable[[Curves], Answer]

TAIL = 3
"""Evaluations that a final value is the mean of."""


def above(a: str, *others: str) -> Question:
    """Ask whether `a` ends above each of the others."""
    return every(*(_above(a, b) for b in others))


def not_worse(a: str, *others: str, within: float = 0.1) -> Question:
    """Ask whether `a` ends below each of the others by at most `within` of that other's gain."""
    return every(*(_keeps_up(a, b, within) for b in others))


def faster(a: str, *others: str) -> Question:
    """Ask whether `a` needs fewer steps than each other to nine tenths of the better one's end."""
    return every(*(_quicker(a, b) for b in others))


def below_value(a: str, name: str) -> Question:
    """Ask whether `a` ends below a known value, the curve of a single point with this name."""

    def ask(curves: Curves) -> Answer:
        end, value = curves[a].final(TAIL), float(curves[name].line[-1])
        verdict: Verdict = "undecided"
        if end.high < value or end.low > value:
            verdict = "holds" if end.high < value else "does not hold"
        return Answer(verdict, f"{a} {end} against {name} {value:.4g}")

    return ask


def within(a: str, limit: float) -> Question:
    """Ask whether `a` ends below a limit."""

    def ask(curves: Curves) -> Answer:
        end = curves[a].final(TAIL)
        verdict: Verdict = "undecided"
        if end.high < limit or end.low > limit:
            verdict = "holds" if end.high < limit else "does not hold"
        return Answer(verdict, f"{a} {end}; the limit is {limit:g}")

    return ask


def improves(*methods: str) -> Question:
    """Ask whether each method ends above where it began."""
    return every(*map(_rises, methods))


def _rises(a: str) -> Question:
    def ask(curves: Curves) -> Answer:
        start, end = float(curves[a].line[0]), curves[a].final(TAIL)
        verdict = judged([curves[a]], end.low > start, end.high < start)
        return Answer(verdict, f"{a} from {start:.4g} to {end}")

    return ask


def arrives(a: str, name: str, share: float) -> Question:
    """Ask whether `a` comes this share of the way from its beginning to a known value."""

    def ask(curves: Curves) -> Answer:
        start, end = float(curves[a].line[0]), curves[a].final(TAIL)
        value = float(curves[name].line[-1])
        way = [(x - start) / (value - start) for x in (end.point, end.low, end.high)]
        verdict: Verdict = "undecided"
        if min(way) >= share or max(way) < share:
            verdict = "holds" if min(way) >= share else "does not hold"
        return Answer(verdict, f"{a} from {start:.4g} to {end}: {way[0]:.2%} of the way to {name}")

    return ask


def close(*labels: str, within: float = 0.1) -> Question:
    """Ask whether all end below the best of them by at most `within` of its gain."""

    def ask(curves: Curves) -> Answer:
        asked = [curves[label] for label in labels]
        ends = [curve.final(TAIL) for curve in asked]
        best = asked[int(np.argmax([end.point for end in ends]))]
        goal = level(best, 1.0 - within, TAIL)
        said = ", ".join(f"{label} {end}" for label, end in zip(labels, ends, strict=True))
        reached = all(end.low >= goal for end in ends)
        verdict = judged(asked, reached, any(end.high < goal for end in ends))
        return Answer(verdict, f"{said}; {_share(within)} below the best is {goal:.4g}")

    return ask


def costs(a: str, b: str, share: float) -> Question:
    """Ask whether `a` ends at least this share below `b`, whose returns are positive."""

    def ask(curves: Curves) -> Answer:
        less, more = curves[a].final(TAIL), curves[b].final(TAIL)
        least, most = (1.0 - less.high / more.low, 1.0 - less.low / more.high)
        verdict: Verdict = "undecided"
        if least >= share or most < share:
            verdict = "holds" if least >= share else "does not hold"
        lost = 1.0 - less.point / more.point
        return Answer(verdict, f"{a} {less} against {b} {more}: {lost:.0%} less")

    return ask


def single_step_gain(*labels: str, share: float = 0.5) -> Question:
    """Ask whether a single step gains this share of the whole gain from the first to the last.

    Undecided where the intervals of both overlap.
    """

    def ask(curves: Curves) -> Answer:
        ends = [curves[label].final(TAIL) for label in labels]
        gains = np.diff([end.point for end in ends])
        most, whole = int(np.argmax(gains)), ends[-1].point - ends[0].point
        said = f"{labels[0]} {ends[0]}, {labels[-1]} {ends[-1]}"
        if not ends[-1].above(ends[0]):
            lost = ends[0].above(ends[-1])
            verdict: Verdict = "does not hold" if lost else "undecided"
            return Answer(verdict, f"{said}: no gain is seen")
        holds = gains[most] >= share * whole
        said += f"; {gains[most] / whole:.0%} from {labels[most]} to {labels[most + 1]}"
        return Answer("holds" if holds else "does not hold", said)

    return ask


def sends_less(a: str, b: str, share: float) -> Question:
    """Ask whether an agent of `a` sends at most this share of an agent of `b`, in as many steps."""

    def ask(curves: Curves) -> Answer:
        less, more = (curves[label].sent for label in (a, b))
        if less is None or not more:
            return Answer("undecided", f"what {a} or {b} sends is not known")
        verdict: Verdict = "holds" if less <= share * more else "does not hold"
        return Answer(verdict, f"{a} {volume(less)}, {b} {volume(more)}: {less / more:.2f} of it")

    return ask


def largest_seed_variance(a: str, *others: str) -> Question:
    """Ask whether the seeds of `a` differ most at the end."""
    return _largest("spread of seeds at the end", _spread, a, others)


def fluctuates_most(a: str, *others: str) -> Question:
    """Ask whether `a` changes most from one evaluation to the next in the second half."""
    return _largest("mean change between evaluations", _unrest, a, others)


def every(*questions: Question) -> Question:
    """Join several questions: the answer holds if each does, and does not if one does not."""

    def ask(curves: Curves) -> Answer:
        answers = [question(curves) for question in questions]
        return Answer(
            joint([answer.verdict for answer in answers]),
            "; ".join(answer.reason for answer in answers),
        )

    return ask


def joint(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on a sentence from those on its parts.

    >>> joint(["holds", "undecided"])
    'undecided'
    """
    if "does not hold" in verdicts:
        return "does not hold"
    return "undecided" if "undecided" in verdicts else "holds"


def _above(a: str, b: str) -> Question:
    def ask(curves: Curves) -> Answer:
        found = ends_above(curves[a], curves[b], TAIL)
        return Answer(found.verdict, f"{a} {found.a} against {b} {found.b}")

    return ask


def _keeps_up(a: str, b: str, within: float) -> Question:
    def ask(curves: Curves) -> Answer:
        end, goal = curves[a].final(TAIL), level(curves[b], 1.0 - within, TAIL)
        verdict = judged((curves[a], curves[b]), end.low >= goal, end.high < goal)
        said = f"{a} {end} against {b} {curves[b].final(TAIL)}"
        return Answer(verdict, f"{said}; {_share(within)} below is {goal:.4g}")

    return ask


def _share(within: float) -> str:
    """A share in words.

    >>> _share(0.1), _share(0.25)
    ('a tenth', '25 %')
    """
    return "a tenth" if within == 0.1 else f"{100 * within:.3g} %"


def _quicker(a: str, b: str) -> Question:
    def ask(curves: Curves) -> Answer:
        found = compare.faster(curves[a], curves[b], tail=TAIL)
        return Answer(found.verdict, f"{a} after {found.a} steps, {b} after {found.b}")

    return ask


def _largest(
    what: str, measure: Callable[[Curve], float], a: str, others: tuple[str, ...]
) -> Question:
    def ask(curves: Curves) -> Answer:
        found = {label: measure(curves[label]) for label in (a, *others)}
        verdict: Verdict = "holds" if max(found, key=found.__getitem__) == a else "does not hold"
        said = ", ".join(f"{label} {value:.3g}" for label, value in found.items())
        return Answer(verdict, f"{what}: {said}")

    return ask


def _spread(curve: Curve) -> float:
    return float(np.std(curve.values[:, -TAIL:].mean(axis=1), ddof=1))


def _unrest(curve: Curve) -> float:
    late = curve.values[:, curve.values.shape[1] // 2 :]
    return float(np.abs(np.diff(late, axis=1)).mean())
