"""Exchangeable parts of a value, each of one of several kinds: a model, a consensus, a graph.

A part is a frozen dataclass. Its abstract base stands for what can be exchanged, and its kinds may
have names, by which the command line, `run.json` and policy files know them; `module:Class` stands
for a kind without one, such as a user's own.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from coterie.bounds import require_bounds
from coterie.errors import require
from coterie.errors import unknown as unknown_name
from coterie.internal.parse_spec import OWN, imported, name_of

IN_NAME = {"in_name": True}
"""Metadata of a field that is a part of its value's name, and no option."""

Codec = tuple[type, Callable[[Any], dict[str, Any]], Callable[[Mapping[str, Any]], Any]]
"""A class that is no part and can be written down all the same: how it is told, and read."""


class Part:
    """Base of exchangeable parts, of which there may be several kinds.

    >>> from dataclasses import dataclass
    >>> class Weather(Part):
    ...     '''How it is outside.'''
    >>> @dataclass(frozen=True)
    ... class Rain(Weather, name="rain"):
    ...     millimeters: float = 1.0
    >>> Weather.KINDS
    {'rain': <class 'coterie.internal.parts.Rain'>}
    >>> read(describe(Rain(2.0)), Weather)
    Rain(millimeters=2.0)
    """

    KINDS: ClassVar[dict[str, type]]
    """The kinds of a base that have names."""

    def __init_subclass__(cls, name: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        if Part in cls.__bases__:
            cls.KINDS = {}
        if name:
            cls.KINDS[name] = cls

    def __post_init__(self) -> None:
        require_bounds(self)


def option_fields(value: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a dataclass that are its options."""
    return [field for field in dataclasses.fields(value) if "in_name" not in field.metadata]


def describe(value: Any, *codecs: Codec) -> Any:
    """A value as JSON can hold it: a part by its kind and fields, a tuple as a list."""
    for kind, told, _ in codecs:
        if isinstance(value, kind):
            return told(value)
    if isinstance(value, Part):
        fields = [field.name for field in dataclasses.fields(value) if field.init]  # type: ignore[arg-type]
        told = {field: describe(getattr(value, field), *codecs) for field in fields}
        return {"kind": _name(value), **told}
    if isinstance(value, tuple):
        return [describe(part, *codecs) for part in value]
    require(
        value is None or isinstance(value, bool | int | float | str),
        f"{value!r} cannot be written down: the fields of a part are numbers, words, other parts, "
        "or tuples of them.",
    )
    return value


def _name(value: Part) -> str:
    alone = Part in type(value).__bases__
    return type(value).__name__ if alone else name_of(value, value.KINDS)


def read(told: Any, hint: Any, *codecs: Codec) -> Any:
    """The value that `describe` has described, for a field with this annotation."""
    if isinstance(told, list | tuple):
        return tuple(read(each, hint, *codecs) for each in told)
    if not isinstance(told, dict):
        return told
    if "kind" not in told:
        require(len(codecs) > 0, f"{told!r} is no part: it has no kind.")
        return codecs[0][2](told)
    kind = kind_of(told["kind"], part_of(hint) or Part)
    hints, fields = typing.get_type_hints(kind), dict(told)
    del fields["kind"]
    unknown = fields.keys() - {field.name for field in dataclasses.fields(kind)}
    require(not unknown, f"{told['kind']!r} has no {', '.join(sorted(unknown))}.")
    return kind(**{name: read(each, hints[name], *codecs) for name, each in fields.items()})


def kind_of(name: str, base: type, what: str = "") -> type:
    """The kind of a part that has this name, or is found at this path `module:Class`.

    what: the part's name, for the error sentence; by default the name of its base.
    """
    known = getattr(base, "KINDS", {})
    if name in known:
        return known[name]
    if not known and name == base.__name__:  # a part of one kind only
        return base
    if ":" not in name:
        raise unknown_name(what or base.__name__, name, [*known, OWN])
    return imported(name, base)


def part_of(hint: Any) -> type | None:
    """The part that an annotation speaks of, if any: also in a union, or as elements of a tuple.

    >>> part_of(tuple[Part, ...] | None)
    <class 'coterie.internal.parts.Part'>
    """
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint if issubclass(hint, Part) else None
    found = (part_of(each) for each in typing.get_args(hint))
    return next((each for each in found if each is not None), None)
