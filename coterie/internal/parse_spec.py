"""Values that people spell in a word: `ring`, `loss:0.3`, `loss:share=0.3,burst=200`."""

import dataclasses
import inspect
import sys
import sysconfig
import traceback
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coterie.errors import ConfigError, CoterieError, brief, require, unknown
from coterie.internal.imports import load
from coterie.internal.trust import require_trusted

READ = "read"
"""The key of a field's metadata under which it may say how its words are read."""
OWN = "<module>:<Class>"
WORDS = {"true": True, "false": False}


def spelled(what: str, text: str, known: Mapping[str, type], base: type | None = None) -> Any:
    """The value that `text` spells: a name, then the fields of its dataclass, in order or by name.

    what:  the kind of value, for the error sentence.
    known: the dataclass that each name stands for.
    base:  the base of a class of the user's own, spelled `module:Class`; without it, such classes
           are refused.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Loss:
    ...     share: float = 0.1
    ...     burst: int = 1
    >>> spelled("channel", "loss:0.3,burst=20", {"loss": Loss})
    Loss(share=0.3, burst=20)
    """
    name, kind, words = _named(what, text, known, base)
    told = f"{what} {brief(repr(text))}"
    types_of = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    given: dict[str, Any] = {}
    for place, word in enumerate(words):
        field, equals, value = word.partition("=")
        if not equals:
            field, value = [*fields][place] if place < len(fields) else "", word
        if field not in fields or field in given:
            raise ConfigError(
                f"{told}: {brief(repr(word))} is no part of {name!r}, which takes "
                f"{', '.join(fields) or 'nothing'}; write {usage(name, kind)}."
            )
        read = fields[field].metadata.get(READ)
        about = f"{told}: {field}"
        given[field] = read(value) if read else _read(about, value, types_of[field])
    missing = [name for name in required(kind) if name not in given]
    if missing:
        raise ConfigError(f"{told} needs {', '.join(missing)}; write {usage(name, kind)}.")
    try:
        return kind(**given)
    except CoterieError as error:
        raise type(error)(f"{told}: {error}") from None


def usage(name: str, kind: type) -> str:
    """Return the spelling of a name and the fields of its dataclass: `loss:share=...,burst=...`."""
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    return f"{name}:{','.join(f'{field}=...' for field in fields)}" if fields else name


def signatures(known: Mapping[str, type]) -> list[str]:
    """Return the signature of each name: `loss:SHARE[,BURST]`, `links[:random|cyclic]`."""
    return [_signature(name, kind) for name, kind in known.items()]


def _signature(name: str, kind: type) -> str:
    must, types_of = required(kind), typing.get_type_hints(kind)
    may = [f.name for f in dataclasses.fields(kind) if f.init and f.name not in must]

    def word(field: str) -> str:
        choices = typing.get_args(types_of[field])
        return "|".join(choices) if typing.get_origin(types_of[field]) is Literal else field.upper()

    words = name + ":" * bool(must) + ",".join(map(word, must))
    for place, field in enumerate(may):
        words += f"[{',' if must or place else ':'}{word(field)}]"
    return words


def required(kind: type) -> list[str]:
    """The fields of a dataclass that have no default."""
    absent = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.default is absent and field.default_factory is absent
    ]


def require_value(what: str, value: Any, base: type) -> None:
    """Raise `ConfigError` unless `value` is a `base` that can be compared, written and spelled."""
    require(
        isinstance(value, base),
        f"{what} must be a coterie {base.__name__}, not {value!r}: names are for the command line.",
    )
    parameters = vars(type(value)).get("__dataclass_params__")
    require(
        parameters is not None and parameters.frozen and type(value).__eq__ is not object.__eq__,
        f"{what} {type(value).__name__} is not a frozen dataclass: write @dataclass(frozen=True) "
        "above the class.",
    )


def name_of(value: Any, known: Mapping[str, type]) -> str:
    """The name that stands for a value's class, or the class's path."""
    return next((name for name, kind in known.items() if type(value) is kind), path_of(value))


def path_of(value: Any) -> str:
    """The import path of a value's class, `module:Class`."""
    return f"{type(value).__module__}:{type(value).__qualname__}"


def imported(path: str, base: type, remedy: str = "derive it from that class") -> type:
    """The class at a path `module:Class`, which has to derive from `base`."""
    found = fetched(path)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{path!r} is not a coterie {base.__name__}: {remedy}.")
    _require_complete(path, found)
    return found


def _require_complete(path: str, kind: type) -> None:
    """Raise `ConfigError` if a class lacks methods, or its fields are not those of a dataclass."""
    missing = ", ".join(sorted(getattr(kind, "__abstractmethods__", ())))
    require(not missing, f"{path!r} has to define {missing}.")
    decorated = "__dataclass_params__" in vars(kind) or not dataclasses.is_dataclass(kind)
    told = inspect.get_annotations(kind).items()
    fields = ", ".join(name for name, annotation in told if "ClassVar" not in str(annotation))
    require(
        decorated or not (fields or "__init__" in vars(kind)),
        f"{path!r} declares {fields or '__init__'} and is not decorated: its options are the "
        "fields of a dataclass, so write @dataclass(frozen=True) above it.",
    )


def fetched(path: str) -> Any:
    """Import the object at a path `module:name`."""
    module, _, name = path.partition(":")
    require(
        module != "__main__" or hasattr(sys.modules[module], name),
        f"{path} was defined in the script of another program, which cannot be imported: move it "
        "to a module of its own, import it from there, and train again.",
    )
    require_trusted(path, module)
    try:
        return getattr(load(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"cannot import {path!r} ({error}): check the path and PYTHONPATH."
        ) from None
    except SyntaxError as error:  # says itself where it is
        raise ConfigError(f"cannot import {path!r}: SyntaxError: {error}.") from None
    except Exception as error:
        last = _place(traceback.extract_tb(error.__traceback__))
        raise ConfigError(
            f"cannot import {path!r}: {type(error).__name__}: {error} ({last.filename}, line "
            f"{last.lineno})."
        ) from None


def _place(trace: Sequence[traceback.FrameSummary]) -> traceback.FrameSummary:
    """Return the innermost frame outside of Python's own library and of installed packages."""
    others = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<")
    own = [frame for frame in trace if not frame.filename.startswith(others)]
    return (own or trace)[-1]


def _named(
    what: str, text: str, known: Mapping[str, type], base: type | None
) -> tuple[str, type, list[str]]:
    """The name in `text`, the class that it stands for, and the words for its fields."""
    name, colon, rest = text.partition(":")
    if name in known:
        return name, known[name], rest.split(",") if colon else []
    own, colon, words = rest.partition(":")
    # The names of classes begin with a capital, those of what comes after our own names do not.
    if base is None or not (own.isidentifier() and own[0].isupper()):
        raise unknown(what, name, [*known, OWN] if base else known)
    path = f"{name}:{own}"
    kind = imported(path, base)
    require(
        dataclasses.is_dataclass(kind),
        f"{what} {path!r} is not a frozen dataclass: write @dataclass(frozen=True) above the "
        "class.",
    )
    return path, kind, words.split(",") if colon else []


def _read(what: str, text: str, kind: Any) -> Any:
    """A number or a word of the annotated kind."""
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is Literal and text not in typing.get_args(kind):
        raise ConfigError(f"{what} must be one of {typing.get_args(kind)}, not {brief(text)!r}.")
    if kind is bool:
        require(text in WORDS, f"{what} must be true or false, not {brief(text)!r}.")
        return WORDS[text]
    if kind not in (int, float):
        return text
    number = "a whole number" if kind is int else "a number"
    try:
        require(text.isascii(), f"{what} must be {number}, not {brief(repr(text))}.")
        return kind(text)
    except ValueError:
        raise ConfigError(f"{what} must be {number}, not {brief(repr(text))}.") from None
