"""Importance of options: shares of the variance of results over all trials and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from coterie.sweeps.space import Point, Range, Space

GROUPS = 4
"""Groups of trials, by their ranks, that the numbers of a range are put into."""


@dataclass(frozen=True)
class Importance:
    """Shares of the total sum of squares.

    options:  each option alone: between its values (of a range: between quarters of its trials).
    together: what several options do together, and what is left of ranges within their groups.
    seeds:    between the seeds of a trial: chance.
    chance:   the share that an option without effect is expected to have.
    """

    options: dict[str, float]
    together: float
    seeds: float
    chance: dict[str, float]


def importance(
    space: Space, points: Sequence[Point], ends: Sequence[Float[np.ndarray, " S"]]
) -> Importance | None:
    """Decompose the variance of the results by options; `None` if all results are equal.

    ends: results of every trial, one for each seed.

    Analysis of variance: the share of an option is its sum of squares between groups over the total
    one (η², Fisher 1925). It is exact in a grid whose trials have all finished. Points that were
    drawn, and more so those that a search has chosen, are not balanced: there one option may have a
    part of another's share.

    >>> from coterie.sweeps.space import Choice
    >>> space = {"lr": Choice(("1", "2")), "depth": Choice(("1", "2"))}
    >>> points = [{"lr": a, "depth": b} for a in "12" for b in "12"]
    >>> importance(space, points, [np.array([each]) for each in (0.0, 0.0, 2.0, 2.0)]).options
    {'lr': 1.0, 'depth': 0.0}
    """
    groups = {name: _groups(space, name, points) for name in space}
    means, sizes = np.array([np.mean(each) for each in ends]), np.array(list(map(len, ends)))
    middle = float(np.average(means, weights=sizes))
    within = float(sum(np.sum((each - each.mean()) ** 2) for each in ends))
    total = within + float(np.sum(sizes * (means - middle) ** 2))
    if total <= 0:
        return None
    options = {
        name: _between(labels, means, sizes, middle) / total for name, labels in groups.items()
    }
    freedom = max(int(sizes.sum()) - 1, 1)
    chance = {name: len(set(labels)) - 1 for name, labels in groups.items()}
    return Importance(
        options,
        max(0.0, 1.0 - sum(options.values()) - within / total),
        within / total,
        {name: min(count / freedom, 1.0) for name, count in chance.items()},
    )


def _groups(space: Space, name: str, points: Sequence[Point]) -> list[str]:
    """The group of every trial: its value, or the quarter of the trials that a number is in."""
    words = [point[name] for point in points]
    known = set(words)
    if not isinstance(space[name], Range) or len(known) <= GROUPS:
        return words
    ranks = {word: rank for rank, word in enumerate(sorted(known, key=float))}
    return [str(GROUPS * ranks[word] // len(known)) for word in words]


def _between(labels: Sequence[str], means: np.ndarray, sizes: np.ndarray, middle: float) -> float:
    """The sum of squares between groups."""
    rows = [np.array([label == each for label in labels]) for each in sorted(set(labels))]
    return sum(
        float(sizes[row].sum() * (np.average(means[row], weights=sizes[row]) - middle) ** 2)
        for row in rows
    )
