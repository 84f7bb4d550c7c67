"""Bounds on the values of options, declared with each option.

An option names its own bound, and the value that has it asks for all of them at once when it is
made: `discount: Annotated[float, Between(0, 1)] = 0.99`. What a number's annotation says without
any bound is checked, too: whole numbers that 32 bits hold, finite numbers that a float32 holds
(programs have nothing wider), and words of a `Literal`. A bound of its own may say otherwise: an
upper end that is larger, or `infinite`. A JAX array in the place of a number passes, so that values
of an option can be mapped over.
"""

import abc
import dataclasses
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import jax

from coterie.errors import brief, require

WHOLE = 2**31 - 1
"""Largest whole number that a compiled program counts to."""
FLOAT = 3.4028234e38
"""Largest finite number of a compiled program, that of a float32."""
RATE = 1e3
"""Largest learning rate; no optimizer of ours goes on from a larger step."""
AGENTS = 100_000
"""Largest team that is thought of; memory is what limits one."""


@dataclass(frozen=True)
class Bound(abc.ABC):
    """Bound on the value of an option; derive from this for a bound of your own."""

    @property
    @abc.abstractmethod
    def said(self) -> str:
        """Requirement on a value in words, as `must be at least 1`."""

    @property
    def hint(self) -> str:
        """Usual fix, or reason of the bound; may be empty."""
        return ""

    @property
    def infinite(self) -> bool:
        """True if infinity is one of the values, as where no limit is meant."""
        return False

    @property
    def capped(self) -> bool:
        """True if it limits whole numbers from above, in place of `WHOLE`."""
        return False

    @abc.abstractmethod
    def holds(self, value: Any) -> bool:
        """True if a value, of the annotated kind, is within the bound."""


def number(value: float) -> str:
    """A number in words, whole ones with commas.

    >>> number(2**31), number(0.5), number(5.0)
    ('2,147,483,648', '0.5', '5')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


@dataclass(frozen=True)
class AtLeast(Bound):
    """Finite numbers from `least` on; with `infinite`, as where no limit is meant, infinity too."""

    least: float
    hint: str = ""
    infinite: bool = False

    @property
    def said(self) -> str:
        return f"must be at least {number(self.least)}"

    def holds(self, value: float) -> bool:
        return self.least <= value and (self.infinite or value < math.inf)


@dataclass(frozen=True)
class Above(Bound):
    """Finite numbers above `low`; with `infinite`, as where no limit is meant, infinity too."""

    low: float
    hint: str = ""
    infinite: bool = False

    @property
    def said(self) -> str:
        return f"must be greater than {number(self.low)}"

    def holds(self, value: float) -> bool:
        return self.low < value and (self.infinite or value < math.inf)


@dataclass(frozen=True)
class AtMost(Bound):
    """Finite numbers up to `most`."""

    most: float
    hint: str = ""

    @property
    def said(self) -> str:
        return f"must be at most {number(self.most)}"

    @property
    def capped(self) -> bool:
        return True

    def holds(self, value: float) -> bool:
        return -math.inf < value <= self.most


@dataclass(frozen=True)
class Between(Bound):
    """Numbers from `low` to `high`, both included, or all but `low` if that end is `open`.

    >>> Between(0, 1).holds(0), Between(0, 1, open=True).holds(0)
    (True, False)
    """

    low: float
    high: float
    hint: str = ""
    open: bool = False

    @property
    def said(self) -> str:
        if self.open:
            return f"must be greater than {number(self.low)} and at most {number(self.high)}"
        return f"must lie between {number(self.low)} and {number(self.high)}"

    @property
    def capped(self) -> bool:
        return True

    def holds(self, value: float) -> bool:
        return (self.low < value if self.open else self.low <= value) and value <= self.high


@dataclass(frozen=True)
class Finite(Bound):
    """Finite numbers."""

    hint: str = ""

    @property
    def said(self) -> str:
        return "must be a finite number"

    def holds(self, value: float) -> bool:
        return math.isfinite(value)


@dataclass(frozen=True)
class Each(Bound):
    """One whole number, or a tuple of them, from `low` to `high`."""

    low: int
    high: int
    hint: str = ""

    @property
    def said(self) -> str:
        return f"must be at least {number(self.low)} and at most {number(self.high)}"

    @property
    def capped(self) -> bool:
        return True

    def holds(self, value: Any) -> bool:
        return all(self.low <= each <= self.high for each in _leaves(value))


class Option(NamedTuple):
    """Declaration of a field.

    kind:     its annotation, without bounds and without `None`.
    optional: whether it may be `None`.
    bounds:   where it makes sense.
    """

    name: str
    kind: Any
    optional: bool
    bounds: tuple[Bound, ...]

    def require(self, value: Any) -> None:
        """Raise `ConfigError` unless `value` is of the kind and within the bounds."""
        if isinstance(value, jax.Array) or (value is None and self.optional):
            return
        hint = next((f": {bound.hint}" for bound in self.bounds if bound.hint), "")
        wanted = _wanted(self.kind, value)
        shown = _shown(value)
        require(not wanted, f"{self.name} must be {wanted}, not {shown}{hint}.")
        for leaf in _leaves(value):
            wider = self._wider(leaf)
            require(not wider, f"{self.name} {wider}, not {_shown(leaf)}{hint}.")
        for bound in self.bounds:
            require(bound.holds(value), f"{self.name} {bound.said}, not {shown}{hint}.")

    def _wider(self, value: float) -> str:
        """Requirement that a number misses because a program does not hold it; empty if it does."""
        whole = isinstance(value, int) and self.kind is not float
        if whole:
            capped = any(bound.capped for bound in self.bounds)
            return "" if capped or abs(value) <= WHOLE else f"must be at most {WHOLE:,} in size"
        if isinstance(value, float) and math.isinf(value):
            meant = any(bound.infinite for bound in self.bounds)
            return "" if meant else "must be a finite number"
        return "" if abs(value) <= FLOAT else f"must be at most {FLOAT:.2g} in size, as float32 is"


def require_bounds(value: Any) -> None:
    """Raise `ConfigError` for the first field of a dataclass that is not what it is declared to be.

    >>> @dataclass(frozen=True)
    ... class Rule:
    ...     rate: Annotated[float, Above(0)] = 0.1
    ...     def __post_init__(self):
    ...         require_bounds(self)
    >>> Rule(rate=-1.0)
    Traceback (most recent call last):
    coterie.errors.ConfigError: rate must be greater than 0, not -1.0.
    """
    for option in options_of(type(value)):
        option.require(getattr(value, option.name))


@cache
def options_of(kind: type) -> tuple[Option, ...]:
    """Declarations of the fields of a dataclass.

    >>> @dataclass(frozen=True)
    ... class Rule:
    ...     limit: Annotated[int | None, AtLeast(1)] = None
    >>> options_of(Rule)[0].optional, options_of(Rule)[0].bounds[0].said
    (True, 'must be at least 1')
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(_option(field.name, hints[field.name]) for field in dataclasses.fields(kind))


def _option(name: str, hint: Any) -> Option:
    """Read an annotation; `Annotated` may be outside of a union with `None`, or inside."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        inner = _option(name, parts[0])
        bounds = (part for part in parts[1:] if isinstance(part, Bound))
        return inner._replace(bounds=(*inner.bounds, *bounds))
    kinds = [part for part in parts if part is not types.NoneType]
    if origin in (types.UnionType, typing.Union) and len(kinds) == 1:
        return _option(name, kinds[0])._replace(optional=True)
    return Option(name, hint, False, ())


def _shown(value: Any) -> str:
    """A value as part of a sentence; Python refuses to write out whole numbers of any length."""
    huge = isinstance(value, int) and value.bit_length() > 2**12
    return f"a number of {value.bit_length():,} bits" if huge else brief(repr(value))


def _leaves(value: Any) -> Iterator[float]:
    """The numbers of a value: itself, or those of a tuple."""
    if isinstance(value, tuple):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def _wanted(kind: Any, value: Any) -> str:
    """Expected kind of a value in words; empty if the value is of that kind."""
    if typing.get_origin(kind) is Literal:
        known = typing.get_args(kind)
        return "" if value in known else f"one of {known}"
    if kind is bool:
        return "" if isinstance(value, bool) else "true or false"
    if kind is str:
        return "" if isinstance(value, str) else "a word"
    if typing.get_origin(kind) is tuple and typing.get_args(kind)[1:] == (...,):
        inner = typing.get_args(kind)[0]
        wrong = not isinstance(value, tuple) or any(_wanted(inner, each) for each in value)
        return "a tuple of values of its kind" if wrong else ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return "" if number and isinstance(value, int) else "a whole number"
    if kind is float:
        return "" if number and value == value else "a number"  # NaN is none
    return ""
