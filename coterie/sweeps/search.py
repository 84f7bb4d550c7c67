"""Searches: which point of a space is tried next."""

import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np

from coterie.bounds import AtLeast, AtMost
from coterie.errors import require
from coterie.internal.parts import Part
from coterie.sweeps.space import Choice, Point, Range, Space, grid, size
from coterie.sweeps.trial import History

MOST = 1_000
"""Trials that a sweep may have."""


class Search(Part, abc.ABC):
    """Rule of the points that a sweep tries.

    A point depends on the seed, its number and, for some, on the trials before it. So a sweep that
    was stopped goes on as it would have.
    """

    @abc.abstractmethod
    def check(self, space: Space) -> None:
        """Raise `ConfigError` unless the space can be searched."""

    @abc.abstractmethod
    def count(self, space: Space) -> int:
        """The number of trials."""

    @abc.abstractmethod
    def suggest(self, space: Space, number: int, history: Sequence[History]) -> Point:
        """The point of a trial; `history` has one entry for each trial before it."""

    @abc.abstractmethod
    def foreseen(self, space: Space) -> Iterator[Point]:
        """Points that are checked before the first trial: all, where they are known."""


@dataclass(frozen=True)
class Grid(Search, name="grid"):
    """All combinations of the values."""

    def check(self, space: Space) -> None:
        for name, axis in space.items():
            require(
                not isinstance(axis, Range),
                f"--{name} is a range, which a grid cannot try: list its values with commas, or "
                "add --search random --trials 20.",
            )
        require(
            self.count(space) <= MOST,
            f"{self.count(space):,} trials are too many, at most {MOST:,}: list fewer values, or "
            "add --search random --trials 20.",
        )

    def count(self, space: Space) -> int:
        return size(_choices(space))

    def suggest(self, space: Space, number: int, history: Sequence[History]) -> Point:
        return list(grid(_choices(space)))[number]

    def foreseen(self, space: Space) -> Iterator[Point]:
        return grid(_choices(space))


@dataclass(frozen=True)
class Random(Search, name="random"):
    """Values drawn at random, each option for itself (Bergstra & Bengio 2012).

    trials: number of points.
    seed:   of the draws; trial `n` does not depend on the number of trials.
    """

    trials: Annotated[int, AtLeast(1), AtMost(MOST)] = 20
    seed: Annotated[int, AtLeast(0)] = 0

    def check(self, space: Space) -> None:
        return

    def count(self, space: Space) -> int:
        return self.trials

    def suggest(self, space: Space, number: int, history: Sequence[History]) -> Point:
        places = np.random.default_rng([self.seed, number]).random(len(space))
        pairs = zip(space.items(), places, strict=True)
        return {name: axis.at(float(place)) for (name, axis), place in pairs}

    def foreseen(self, space: Space) -> Iterator[Point]:
        return (self.suggest(space, number, ()) for number in range(self.trials))


class Pruner(abc.ABC):
    """Rule by which trials end before their time."""

    @abc.abstractmethod
    def check(self) -> None:
        """Raise `ConfigError` if it cannot be used here."""

    @abc.abstractmethod
    def stops(self, trial: History, others: Sequence[History]) -> bool:
        """True if a trial is not worth going on with, after its latest evaluation."""


def _choices(space: Space) -> Mapping[str, Choice]:
    return cast(Mapping[str, Choice], space)


def identity(search: Search) -> dict[str, Any]:
    """A search as JSON can hold it, without the number of its trials, which may grow."""
    told = {"kind": type(search).__name__, **vars(search)}
    return {name: value for name, value in told.items() if name != "trials"}
