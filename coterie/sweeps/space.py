"""Spaces of options: for each option a list of values, or a range of numbers."""

import abc
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coterie.errors import brief, require

Point = Mapping[str, str]
"""One value for each option of a space, as words."""

DECADE = 10.0
"""Ratio of a range's bounds from which on numbers are drawn uniformly in their logarithm."""


class Axis(abc.ABC):
    """Values that one option takes in a sweep."""

    @abc.abstractmethod
    def at(self, place: float) -> str:
        """The value at a place from 0 to 1."""

    @property
    @abc.abstractmethod
    def ends(self) -> tuple[str, ...]:
        """The values that have to be fit for all others to be."""

    def describe(self) -> dict[str, Any]:
        """The axis as JSON can hold it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}


@dataclass(frozen=True)
class Choice(Axis):
    """List of values, as words.

    >>> Choice(("64", "64 64")).at(0.7)
    '64 64'
    """

    words: tuple[str, ...]

    def at(self, place: float) -> str:
        return self.words[min(int(place * len(self.words)), len(self.words) - 1)]

    @property
    def ends(self) -> tuple[str, ...]:
        return self.words


@dataclass(frozen=True)
class Range(Axis):
    """Range of numbers from `low` to `high`, both included, for a random search or TPE.

    whole: whole numbers.

    Numbers are uniform; in their logarithm, where both bounds are positive and a factor of ten or
    more apart. They have four digits. `ConfigError` unless `low` is below `high`.

    >>> Range(1e-4, 1e-2).at(0.5), Range(0.9, 1.0).at(0.5), Range(1, 8, whole=True).at(0.5)
    ('0.001', '0.95', '5')
    """

    low: float
    high: float
    whole: bool = False

    def __post_init__(self) -> None:
        finite = math.isfinite(self.low) and math.isfinite(self.high)
        require(
            finite and self.low < self.high,
            f"a range goes from a lower number to a higher one, not from {self.low:g} to "
            f"{self.high:g}.",
        )

    @property
    def log(self) -> bool:
        """True if numbers are drawn in their logarithm."""
        return self.low > 0 and self.high >= DECADE * self.low

    def at(self, place: float) -> str:
        if self.whole:
            return str(min(int(self._between(self.low, self.high + 1, place)), int(self.high)))
        return self.word(self._between(self.low, self.high, place))

    def word(self, number: float) -> str:
        """A number of the range as a word, with four digits."""
        if self.whole:
            return str(round(number))
        rounded = f"{number:.4g}"
        inside = self.low <= float(rounded) <= self.high
        return rounded if inside else repr(number)

    @property
    def ends(self) -> tuple[str, ...]:
        return self.word(self.low), self.word(self.high)

    def _between(self, low: float, high: float, place: float) -> float:
        if self.log:
            return low * (high / low) ** place
        return low + (high - low) * place


Space = Mapping[str, Axis]
"""The axes of a sweep, by the names of their options."""


def require_space(space: Space) -> None:
    """Raise `ConfigError` unless there is an axis, and each has at least one value and none twice.

    >>> require_space({"actor-lr": Choice(("1e-4", "1e-4"))})
    Traceback (most recent call last):
    coterie.errors.ConfigError: --actor-lr has the value '1e-4' twice.
    """
    require(
        len(space) > 0,
        "a sweep needs an option with several values, as --actor-lr 1e-4,3e-4; a single run is "
        "`coterie train`.",
    )
    for name, axis in space.items():
        words = axis.words if isinstance(axis, Choice) else ()
        require(isinstance(axis, Range) or len(words) > 0, f"--{name} has no value: list some.")
        require("" not in words, f"--{name} has an empty value: write a value before every comma.")
        twice = [word for i, word in enumerate(words) if word in words[:i]]
        require(not twice, f"--{name} has the value {brief(repr(twice[:1])[1:-1])} twice.")


def grid(space: Mapping[str, Choice]) -> Iterator[Point]:
    """All combinations of values, the last option changing fastest.

    >>> [dict(p) for p in grid({"a": Choice(("1", "2")), "b": Choice(("x",))})]
    [{'a': '1', 'b': 'x'}, {'a': '2', 'b': 'x'}]
    """
    rows = itertools.product(*(axis.words for axis in space.values()))
    return (dict(zip(space, row, strict=True)) for row in rows)


def corners(space: Space) -> Iterator[Point]:
    """Points that try every end of each axis, the others at their first ones."""
    first = {name: axis.ends[0] for name, axis in space.items()}
    yield first
    for name, axis in space.items():
        yield from ({**first, name: word} for word in axis.ends[1:])


def size(space: Mapping[str, Choice]) -> int:
    """The number of combinations."""
    return math.prod(len(axis.words) for axis in space.values())


def range_in(words: str, whole: bool) -> Range | None:
    """The range that is written as `LOW..HIGH`; `None` if there is none.

    >>> range_in("1e-4..1e-2", whole=False), range_in("relu", whole=False)
    (Range(low=0.0001, high=0.01, whole=False), None)
    """
    low, dots, high = words.partition("..")
    if not dots or not words.isascii():
        return None
    try:
        bounds = float(low), float(high)
    except ValueError:
        return None
    numbers = not whole or all(bound.is_integer() for bound in bounds)
    require(numbers, f"{brief(words)!r} has to be a range of whole numbers, as 1..8.")
    return Range(*bounds, whole)


def label(point: Point) -> str:
    """A point in words, for tables and lines.

    >>> label({"actor-lr": "3e-4", "graph": "ring"})
    'actor-lr 3e-4, graph ring'
    """
    return ", ".join(f"{name} {word}" for name, word in point.items())


def describe(space: Space) -> dict[str, Any]:
    """The space as JSON can hold it."""
    return {name: axis.describe() for name, axis in space.items()}
