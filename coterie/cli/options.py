"""Options of a value, from its fields and those of its parts, and the value that options make.

A part that is one of several kinds has an option that chooses the kind, and the fields of that kind
behind its name: `--consensus primal-dual --consensus.penalty 10`. A part of one kind alone has its
fields among the others.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

from coterie.bounds import options_of
from coterie.cli.fields import abouts, default_of, hints, summary
from coterie.cli.spelled import Spelling, spellings
from coterie.cli.words import (
    Given,
    Misspelled,
    bare,
    choices,
    is_optional,
    metavar,
    negated,
    value_of,
)
from coterie.errors import ConfigError, require
from coterie.internal.parse_spec import name_of
from coterie.internal.parts import Part, kind_of, option_fields
from coterie.network import Communication

Words = Mapping[str, Given]
NOTHING = "none"
"""The word for no part at all, where there may be none."""


@dataclass(frozen=True)
class Option:
    """One field on the command line; `default` is `MISSING` if it has to be given."""

    name: str
    field: str
    owner: type
    kind: Any
    default: Any
    spelling: Spelling | None = None
    base: type | None = None
    """The class of parts that it chooses from, if it chooses a kind of part."""
    names: tuple[str, ...] = ()
    """The words that may stand for a value; any others, if there are none."""

    @property
    def about(self) -> str:
        """Help of the option, in a sentence or two; slow, as source files are read for it."""
        said = self.spelling.about if self.spelling else abouts(self.owner).get(self.field, "")
        return said or (summary(self.base) if self.base else "")

    @property
    def flag(self) -> bool:
        """True if the option is switched on and off."""
        return bare(self.kind) is bool

    @property
    def typed(self) -> tuple[str, ...]:
        """The names that may be typed."""
        return (self.name, negated(self.name)) if self.flag else (self.name,)

    @property
    def metavar(self) -> str:
        """Spelling of its values in help, such as `INT`."""
        if self.spelling:
            return self.spelling.metavar
        return "" if self.flag else "|".join(self.names) or metavar(self.kind)

    @property
    def words(self) -> tuple[str, ...]:
        """The words that a shell may propose for its value."""
        return self.spelling.names if self.spelling else self.names or choices(self.kind)

    def read(self, given: Words) -> Any:
        """Its value among the words; `MISSING` if it is not there."""
        if self.flag and negated(self.name) in given:
            value_of(negated(self.name), bool, given[negated(self.name)].words)
            return False
        if self.name not in given:
            return MISSING
        words = given[self.name].words
        if self.spelling:
            return self.spelling.value(self.name, words)
        return value_of(self.name, bare(self.kind), words)


@dataclass(frozen=True)
class Node:
    """A value that options make: its own options, and the parts that have options of their own.

    present: the value as it is without options; `None` if it has to be made.
    choice:  the option that has chosen its kind.
    """

    kind: type
    present: Any
    title: str
    options: tuple[Option, ...] = ()
    parts: Mapping[str, "Node"] = field(default_factory=dict)
    choice: Option | None = None

    @property
    def groups(self) -> Iterator["Node"]:
        """Iterate over the node, its parts, and their parts."""
        yield self
        for part in self.parts.values():
            yield from part.groups

    @property
    def shown(self) -> tuple[Option, ...]:
        """The options of this group, the choice of its kind first."""
        return (self.choice, *self.options) if self.choice else self.options

    @property
    def missing(self) -> list[Option]:
        """Options of the node and its parts that have no default."""
        return [o for node in self.groups for o in node.options if o.default is MISSING]

    def build(self, given: Words) -> Any:
        """The value that the given options make; what they do not touch stays the same object."""
        if self.kind is types.NoneType:
            return None
        told = {option.field: option.read(given) for option in self.options}
        told = {name: value for name, value in told.items() if value is not MISSING}
        told |= {name: part.build(given) for name, part in self.parts.items()}
        if self.present is None:
            return self.kind(**told)
        changes = {n: v for n, v in told.items() if v is not getattr(self.present, n)}
        if not changes:
            return self.present
        for option in options_of(self.kind):  # the value itself may forget to
            if option.name in changes:
                option.require(changes[option.name])
        return dataclasses.replace(self.present, **changes)


def node_of(
    value: Any,
    title: str,
    prefix: str = "",
    given: Words | None = None,
    choice: Option | None = None,
) -> Node:
    """The options of a value, or of a dataclass that is yet to be made.

    prefix: the beginning of its options' names, such as `ippo.`.
    given:  the words of the command, which may choose kinds of parts.

    A field that is a dataclass and no part has no options, and keeps its value: an algorithm's
    `information`.
    """
    given = given or {}
    kind, present = (value, None) if isinstance(value, type) else (type(value), value)
    options: list[Option] = []
    parts: dict[str, Node] = {}
    for one in option_fields(kind):
        if not one.init:
            continue
        default = default_of(one) if present is None else getattr(present, one.name)
        declared, name = hints(kind)[one.name], prefix + one.name.replace("_", "-")
        option = Option(name, one.name, kind, declared, default)
        base, spelling = _class_in(declared), _spelling(kind, one.name)
        if spelling:
            options.append(dataclasses.replace(option, spelling=spelling))
        elif base is None and not _of_parts(declared):
            options.append(option)
        elif base is not None and issubclass(base, Part):
            parts[one.name] = _part(option, base, title, prefix, given)
    return Node(kind, present, title, tuple(options), parts, choice)


def _spelling(kind: type, name: str) -> Spelling | None:
    """Return the spelling of a field of `Communication` as a word; `None` if it has none."""
    return spellings().get(name) if issubclass(kind, Communication) else None


def _class_in(declared: Any) -> type | None:
    """The class of a part, or of another dataclass, that an annotation names."""
    kinds = [bare(declared), *map(bare, typing.get_args(bare(declared)))]
    if typing.get_origin(bare(declared)) not in (None, types.UnionType, typing.Union):
        kinds = []
    found = [k for k in kinds if isinstance(k, type) and k is not types.NoneType]
    (only,) = found if len(found) == 1 else (object,)
    return only if issubclass(only, Part) or dataclasses.is_dataclass(only) else None


def _of_parts(declared: Any) -> bool:
    """True if an annotation is a tuple of parts, which no option can set."""
    own = [k for k in _leaves(declared) if isinstance(k, type) and issubclass(k, Part)]
    return bool(own) and typing.get_origin(bare(declared)) is tuple


def _leaves(declared: Any) -> Iterator[Any]:
    parts = typing.get_args(bare(declared))
    yield from [leaf for part in parts for leaf in _leaves(part)] if parts else [bare(declared)]


def _part(option: Option, base: type, title: str, prefix: str, given: Words) -> Node:
    """A part's options: those of the kind that is chosen, and the choice if there is one."""
    kinds = kinds_of(base)
    heading = f"{title}, {_plain(option.field)}"
    if kinds or inspect.isabstract(base) or not dataclasses.is_dataclass(base):
        return _exchangeable(option, base, kinds, heading, given)
    if option.default is None:
        return Node(types.NoneType, None, heading)
    value = base if option.default is MISSING else option.default
    return node_of(value, heading, prefix, given)


def _exchangeable(
    option: Option, base: type, kinds: Mapping[str, type], heading: str, given: Words
) -> Node:
    """The options of a part of several kinds; without a default, its first kind stands for one."""
    nothing = is_optional(option.kind) and NOTHING not in kinds
    told = next(iter(kinds.values())) if option.default is MISSING else option.default
    known = {NOTHING: types.NoneType, **kinds}
    present = next((n for n, kind in known.items() if told is kind), name_of(told, known))
    choice = dataclasses.replace(
        option,
        kind=str,
        default="" if told is None and not nothing else present,
        base=base,
        names=(*kinds, *([NOTHING] if nothing else []), "module:Class"),
    )
    shown = _chosen(choice, given)
    value = told if shown == choice.default else _kind(choice, base, kinds, shown)
    if value is None:
        return Node(types.NoneType, None, f"{heading}: {shown or NOTHING}", choice=choice)
    return node_of(value, f"{heading}: {shown}", f"{option.name}.", given, choice=choice)


def _chosen(choice: Option, given: Words) -> str:
    """The word that chooses a kind, or that of the present one."""
    if choice.name not in given:
        return choice.default
    words = given[choice.name].words
    require(len(words) == 1, f"--{choice.name} needs a value: {choice.metavar}", Misspelled)
    return words[0]


def kinds_of(base: type) -> dict[str, type]:
    """The kinds of a part that have names, if there is a choice."""
    found = {name: kind for name, kind in base.KINDS.items() if issubclass(kind, base)}
    return {} if list(found.values()) == [base] else found


def _kind(option: Option, base: type, kinds: Mapping[str, type], word: str) -> type | None:
    """The class of parts that a word stands for."""
    if word == NOTHING and word not in kinds and NOTHING in option.names:
        return None
    found = kinds[word] if word in kinds else kind_of(word, base, _plain(option.field))
    require(
        dataclasses.is_dataclass(found),
        f"{word!r} is not a frozen dataclass: write @dataclass(frozen=True) above the class.",
    )
    return found


def _plain(name: str) -> str:
    return name.replace("_", " ")


def require_different(nodes: list[Node]) -> None:
    """Raise `ConfigError` if two of the groups have an option of one name."""
    seen: dict[str, str] = {}
    for node in nodes:
        for name in (name for option in node.shown for name in option.typed):
            if name in seen:
                raise ConfigError(
                    f"--{name} is an option of {seen[name]} and of {node.title}: rename one field."
                )
            seen[name] = node.title
