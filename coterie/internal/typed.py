"""Frozen dataclasses of plain fields as JSON, read back by the types that they declare.

Nothing is imported and nothing is converted: a number is no text, `true` is no number, `null`
stands only where `None` may, and numbers are finite.
"""

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Sequence
from typing import Any

from coterie.errors import RunError, printable, require

LONGEST = 1_000
"""Letters that a text may have."""

MOST = 2**53
"""The largest whole number: what JSON carries exactly."""


def describe(value: Any) -> Any:
    """A dataclass as JSON can hold it: its fields and the name of its class.

    >>> from coterie.spaces import Discrete
    >>> describe(Discrete(3))
    {'kind': 'Discrete', 'size': 3}
    """
    if dataclasses.is_dataclass(value):
        fields = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    return [describe(each) for each in value] if isinstance(value, tuple) else value


def read(told: Any, hint: Any, where: str) -> Any:
    """The value that `describe` has described, of the type `hint`; `where` names it in errors.

    An abstract class stands for those that derive from it.

    >>> from coterie.spaces import Box, Discrete
    >>> read({"kind": "Discrete", "size": 3}, Discrete | Box, "action")
    Discrete(size=3)
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _one_of(told, parts, where)
    if origin is tuple:
        return _row(told, parts, where)
    if origin is typing.Literal:
        _require(told in parts, told, f"one of {', '.join(map(str, parts))}", where)
        return told
    if inspect.isabstract(hint):
        return _named(told, hint.__subclasses__(), where)
    if dataclasses.is_dataclass(hint):
        return _named(told, [hint], where)
    return _plain(told, hint, where)


def _one_of(told: Any, parts: tuple[Any, ...], where: str) -> Any:
    """The value of a union of `None`, classes, and plain types or tuples."""
    if told is None and type(None) in parts:
        return None
    classes = [p for p in parts if inspect.isabstract(p) or dataclasses.is_dataclass(p)]
    plain = [p for p in parts if p not in classes and p is not type(None)]
    if len(classes) == 1 and not plain:
        return read(told, classes[0], where)
    if isinstance(told, dict) or not plain:
        return _named(told, classes, where)
    listed = isinstance(told, list)
    fitting = [p for p in plain if listed == (typing.get_origin(p) is tuple)]
    exact = [p for p in fitting if type(told) is p]
    return read(told, (exact or fitting or plain)[0], where)


def _row(told: Any, parts: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    _require(isinstance(told, list), told, "a list", where)
    hints = [parts[0]] * len(told) if parts[1:] == (...,) else list(parts)
    _require(len(told) == len(hints), told, f"{len(hints)} values", where)
    pairs = enumerate(zip(told, hints, strict=True))
    return tuple(read(each, hint, f"{where}[{i}]") for i, (each, hint) in pairs)


def _named(told: Any, classes: Sequence[Any], where: str) -> Any:
    """The dataclass that is named, of several."""
    known = {kind.__name__: kind for kind in classes}
    name = told.get("kind") if isinstance(told, dict) else told
    found = known.get(name) if isinstance(name, str) and isinstance(told, dict) else None
    _require(found is not None, name, f"a {' or '.join(known)}", where)
    return _fields(told, found, where)


def _fields(told: dict[str, Any], kind: Any, where: str) -> Any:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    odd = sorted(map(str, (told.keys() - {"kind"}) ^ set(names)))
    require(
        not odd,
        f"{where} has to have the fields {', '.join(names)}: mind {shown(', '.join(odd))}.",
        RunError,
    )
    return kind(**{name: read(told[name], hints[name], f"{where}.{name}") for name in names})


def _plain(told: Any, hint: type, where: str) -> Any:
    if hint is float:
        whole = isinstance(told, int) and not isinstance(told, bool) and abs(told) <= MOST
        number = whole or (isinstance(told, float) and math.isfinite(told))
        _require(number, told, "a finite number", where)
        return float(told)
    _require(type(told) is hint, told, f"of type {hint.__name__}", where)
    if hint is int:
        _require(abs(told) <= MOST, told, f"at most {MOST}", where)
    if hint is str:
        _require(len(told) <= LONGEST, told, f"a text of at most {LONGEST} letters", where)
    return told


def _require(holds: bool, told: Any, wanted: str, where: str) -> None:
    require(holds, f"{where} is {shown(told)}, not {wanted}.", RunError)


def shown(told: Any) -> str:
    """A value of a stranger's file, short and without control characters.

    >>> shown("x" * 99)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    return f"'{legible(told, 41)}'" if isinstance(told, str) else legible(repr(told), 41)


def legible(text: str, most: int = 120) -> str:
    """A text of a stranger's file, short and without control characters.

    >>> legible(chr(27) + "[31mred")
    '\\\\x1b[31mred'
    """
    kept = text if len(text) <= most else f"{text[:most]}..."
    return printable(kept, "")
