"""Values that people spell in a word: `ring`, `loss:0.3`, `loss:share=0.3,burst=200`."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from coterie.errors import ConfigError, unknown


def spelled(what: str, text: str, known: Mapping[str, type]) -> Any:
    """The value that `text` spells: a name, then the fields of its dataclass, in order or by name.

    what:  what kind of value it is, for the sentence if it is none.
    known: the dataclass that each name stands for.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Loss:
    ...     share: float = 0.1
    ...     burst: int = 1
    >>> spelled("channel", "loss:0.3,burst=20", {"loss": Loss})
    Loss(share=0.3, burst=20)
    """
    name, _, rest = text.partition(":")
    if name not in known:
        raise unknown(what, name, known)
    kind = known[name]
    types_of = typing.get_type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    given: dict[str, Any] = {}
    for place, word in enumerate(rest.split(",") if rest else []):
        field, equals, value = word.partition("=")
        if not equals:
            field, value = fields[place] if place < len(fields) else "", word
        if field not in fields or field in given:
            raise ConfigError(
                f"{what} {text!r}: {word!r} is no part of {name!r}, which takes "
                f"{', '.join(fields) or 'nothing'}; write {_usage(name, fields)}."
            )
        given[field] = _read(f"{what} {text!r}: {field}", value, types_of[field])
    missing = [
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.default is dataclasses.MISSING and field.name not in given
    ]
    if missing:
        raise ConfigError(
            f"{what} {text!r} needs {', '.join(missing)}; write {_usage(name, fields)}."
        )
    return kind(**given)


def _usage(name: str, fields: list[str]) -> str:
    return f"{name}:{','.join(f'{field}=...' for field in fields)}" if fields else name


def _read(what: str, text: str, kind: Any) -> Any:
    """A number or a word of the annotated kind."""
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is Literal and text not in typing.get_args(kind):
        raise ConfigError(f"{what} must be one of {typing.get_args(kind)}, not {text!r}.")
    if kind not in (int, float):
        return text
    try:
        return kind(text)
    except ValueError:
        number = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{what} must be {number}, not {text!r}.") from None
