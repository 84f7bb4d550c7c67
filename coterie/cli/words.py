"""The words of a command: names, then options with values, which are read by annotation."""

import contextlib
import io
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from coterie.errors import ConfigError, brief, require

NAMES = """\
`coterie list` shows the names. The options are those of the algorithm, of the environment and of
the run: give the names first, then --help, as in `coterie train dpo spread --help`."""
HELP = ("-h", "--help")


class Misspelled(ConfigError):
    """Words that are no option, or no value of one: half a sentence, which the help ends."""


@dataclass(frozen=True)
class Given:
    """The words behind one option; `typed` is how its name was typed."""

    typed: str
    words: tuple[str, ...]


def scan(arguments: Sequence[str]) -> dict[str, Given]:
    """Return options by their names without dashes; of repeated ones, the last.

    >>> scan(["--steps", "1e6", "--hidden_sizes=8"])["hidden-sizes"].words
    ('8',)
    """
    found: dict[str, Given] = {}
    name = ""
    for word in arguments:
        if is_option(word):
            typed, equals, value = word.partition("=")
            name = typed.lstrip("-").replace("_", "-")
            found[name] = Given(typed, (value,) if equals else ())
        else:
            require(bool(name), f"{word!r} stands before any option.")
            found[name] = Given(found[name].typed, (*found[name].words, word))
    return found


def is_option(word: str) -> bool:
    """True if a word is an option's name, and not a value such as -5 or -inf."""
    return re.match(r"-{1,2}[A-Za-z]", word) is not None and word.lower() not in ("-inf", "-nan")


def split(
    arguments: Sequence[str], usage: str, count: int, more: bool = False, help: str = NAMES
) -> tuple[list[str], list[str]]:
    """Split words into leading names and options; print `help` if asked for without a name."""
    flags = [i for i, word in enumerate(arguments) if word.startswith("-")]
    end = flags[0] if flags else len(arguments)
    names, options = list(arguments[:end]), list(arguments[end:])
    if len(names) < count and any(word in HELP for word in options):
        surplus = [word for word in options if word not in HELP]
        require(not surplus, f"{brief(' '.join(surplus))!r} cannot stand beside --help here.")
        print(f"usage: coterie {usage} [options]\n\n{help}")
        sys.exit(0)
    require(
        len(names) == count or (more and len(names) > count),
        f"usage: coterie {usage} [options]; got {len(names)} name(s): "
        f"{brief(' '.join(names), 400)}",
    )
    return names, options


def value_of(name: str, kind: Any, words: Sequence[str]) -> Any:
    """Return the value of the words behind an option, by its annotation; else a `ConfigError`.

    >>> value_of("sizes", tuple[int, ...], ("64", "1e2"))
    (64, 100)
    """
    import tyro

    if kind is bool:
        require(not words, f"--{name} takes no value, not {_typed(words)}", Misspelled)
        return True
    if not _legible(kind, words):
        raise Misspelled(_refusal(name, kind, words))
    words = [_whole(word) for word in words]
    if is_optional(kind):
        words = ["None" if word == "none" else word for word in words]
    try:
        return _converted(kind, tuple(words))
    except SystemExit:
        raise Misspelled(_refusal(name, kind, words)) from None
    except tyro.constructors.UnsupportedTypeAnnotationError:
        raise ConfigError(
            f"--{name} cannot be typed: set {name.rpartition('.')[2]} in Python."
        ) from None


@cache
def _converted(kind: Any, words: tuple[str, ...]) -> Any:
    """Words as a value of an annotation; a sweep asks for the same ones many times."""
    import tyro

    typed = [f"--value={words[0]}"] if len(words) == 1 else ["--value", *words]
    with contextlib.redirect_stderr(io.StringIO()):
        return tyro.cli(make_dataclass("Value", [("value", kind)]), args=typed).value


def _refusal(name: str, kind: Any, words: Sequence[str]) -> str:
    if not words:
        return f"--{name} needs a value: {metavar(kind)}"
    return f"--{name} must be {_wanted(kind)}, not {_typed(words)}"


def _typed(words: Sequence[str]) -> str:
    """Words as part of a sentence."""
    return brief(repr(" ".join(words)))


def _legible(kind: Any, words: Sequence[str]) -> bool:
    """True unless there is no path, or a digit that only looks like 0 to 9, which Python reads."""
    parts = {bare(part) for part in (kind, *typing.get_args(kind))}
    numbers = bool(parts & {int, float}) and str not in parts
    strange = "--" in words or (Path in parts and "" in words)
    return not strange and not (numbers and not "".join(words).isascii())


def _wanted(kind: Any) -> str:
    """Describe the values that an annotation allows, in words.

    >>> _wanted(int | None), _wanted(Literal["old", "new"])
    ('a whole number or none', 'old or new')
    """
    kind = bare(kind)
    parts = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return " or ".join("none" if part is types.NoneType else _wanted(part) for part in parts)
    if typing.get_origin(kind) is Literal:
        return " or ".join(map(str, parts))
    if typing.get_origin(kind) is tuple and parts[1:] == (...,):
        return f"values that are each {_wanted(parts[0])}"
    return {int: "a whole number", float: "a number", Path: "a path"}.get(kind, metavar(kind))


def _whole(word: str) -> str:
    """`1e6` as `1000000`, the way people write budgets."""
    number = re.fullmatch(r"\d+(\.\d+)?[eE]\+?\d+", word)
    return f"{float(word):.0f}" if number and float(word).is_integer() else word


def negated(name: str) -> str:
    """The name that switches a flag off: `critic.no-layer-norm`."""
    prefix, dot, last = name.rpartition(".")
    return f"{prefix}{dot}no-{last}"


def bare(kind: Any) -> Any:
    """An annotation without what `Annotated` adds."""
    while typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return kind


def is_optional(kind: Any) -> bool:
    """True if an annotation allows `None`."""
    return types.NoneType in typing.get_args(bare(kind))


PLAIN: Mapping[Any, str] = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH", bool: "BOOL"}


def metavar(kind: Any) -> str:
    """Return the spelling of an annotation's values in help.

    >>> metavar(tuple[int, ...]), metavar(float | None), metavar(Literal["old", "new"])
    ('INT...', 'FLOAT|none', 'old|new')
    """
    kind = bare(kind)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return "|".join(map(str, parts))
    if origin in (types.UnionType, typing.Union):
        return "|".join("none" if part is types.NoneType else metavar(part) for part in parts)
    if origin is tuple:
        if parts[1:] == (...,):
            return f"{metavar(parts[0])}..."
        return " ".join(map(metavar, parts))
    return PLAIN.get(kind, getattr(kind, "__name__", "VALUE").upper())


def choices(kind: Any) -> tuple[str, ...]:
    """The words that an annotation allows, if they are few."""
    kind = bare(kind)
    if typing.get_origin(kind) is Literal:
        return tuple(map(str, typing.get_args(kind)))
    return tuple(word for part in typing.get_args(kind) for word in choices(part))
