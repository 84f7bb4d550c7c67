"""Bounds on the values of options, declared with each option.

An option names its own bound, and the value that has it asks for all of them at once when it is
made: `discount: Annotated[float, Between(0, 1)] = 0.99`. What a number's annotation says without
any bound is checked, too: whole numbers, numbers, and words of a `Literal`. A JAX array in the
place of a number passes, so that values of an option can be mapped over.
"""

import abc
import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import jax

from coterie.errors import require


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

    @abc.abstractmethod
    def holds(self, value: Any) -> bool:
        """True if a value, of the annotated kind, is within the bound."""


@dataclass(frozen=True)
class AtLeast(Bound):
    """Finite numbers from `least` on; with `infinite`, as where no limit is meant, infinity too."""

    least: float
    hint: str = ""
    infinite: bool = False

    @property
    def said(self) -> str:
        return f"must be at least {self.least:g}"

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
        return f"must be greater than {self.low:g}"

    def holds(self, value: float) -> bool:
        return self.low < value and (self.infinite or value < math.inf)


@dataclass(frozen=True)
class AtMost(Bound):
    """Finite numbers up to `most`."""

    most: float
    hint: str = ""

    @property
    def said(self) -> str:
        return f"must be at most {self.most:g}"

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
            return f"must be greater than {self.low:g} and at most {self.high:g}"
        return f"must lie between {self.low:g} and {self.high:g}"

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
        require(not wanted, f"{self.name} must be {wanted}, not {value!r}{hint}.")
        for bound in self.bounds:
            require(bound.holds(value), f"{self.name} {bound.said}, not {value}{hint}.")


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
        return "" if number and not math.isnan(value) else "a number"
    return ""
