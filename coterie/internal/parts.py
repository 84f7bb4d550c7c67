"""Values that something is made of, each of one of several kinds: a model, a consensus, a graph.

A part is a frozen dataclass. Its abstract base stands for what can be exchanged, and its kinds may
have names, by which the command line, `run.json` and policy files know them; `module:Class` stands
for a kind without one, such as a user's own.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from coterie.bounds import require_bounds
from coterie.errors import ConfigError, require
from coterie.internal.parse_spec import imported, name_of

NAMED: dict[str, type] = {}
"""Every kind of part that has a name of its own."""

Codec = tuple[type, Callable[[Any], dict[str, Any]], Callable[[Mapping[str, Any]], Any]]
"""A class that is no part and can be written down all the same: how it is told, and read."""


def path_of_class(kind: type) -> str:
    """The import path of a class, `module:Class`."""
    return f"{kind.__module__}:{kind.__qualname__}"


class Part:
    """One of several kinds of something that is exchangeable.

    >>> from dataclasses import dataclass
    >>> class Weather(Part):
    ...     '''How it is outside.'''
    >>> @dataclass(frozen=True)
    ... class Rain(Weather, name="rain"):
    ...     millimeters: float = 1.0
    >>> Weather.KINDS
    {'rain': <class 'coterie.internal.parts.Rain'>}
    >>> read(describe(Rain(2.0)))
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
            # Kinds of two bases may share a name: the second is then written down by its path.
            if path_of_class(NAMED.get(name, cls)) == path_of_class(cls):
                NAMED[name] = cls

    def __post_init__(self) -> None:
        require_bounds(self)


def describe(value: Any, *codecs: Codec) -> Any:
    """A value as JSON can hold it: a part by its kind and fields, a tuple as a list."""
    for kind, told, _ in codecs:
        if isinstance(value, kind):
            return told(value)
    if isinstance(value, Part):
        fields = [field.name for field in dataclasses.fields(value) if field.init]  # type: ignore[arg-type]
        told = {field: describe(getattr(value, field), *codecs) for field in fields}
        return {"kind": name_of(value, NAMED), **told}
    if isinstance(value, tuple):
        return [describe(part, *codecs) for part in value]
    require(
        value is None or isinstance(value, bool | int | float | str),
        f"{value!r} cannot be written down: the fields of a part are numbers, words, other parts, "
        "or tuples of them.",
    )
    return value


def read(told: Any, *codecs: Codec) -> Any:
    """The value that `describe` has described."""
    if isinstance(told, list | tuple):
        return tuple(read(each, *codecs) for each in told)
    if not isinstance(told, dict):
        return told
    if "kind" not in told:
        require(len(codecs) > 0, f"{told!r} is no part: it has no kind.")
        return codecs[0][2](told)
    name = told["kind"]
    kind = NAMED[name] if name in NAMED else imported(name, Part)
    known = {field.name for field in dataclasses.fields(kind)}
    fields = {field: read(each, *codecs) for field, each in told.items() if field != "kind"}
    if not fields.keys() <= known:
        raise ConfigError(f"{name!r} has no {', '.join(sorted(fields.keys() - known))}.")
    return kind(**fields)
