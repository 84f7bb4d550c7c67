"""Algorithms of the tests' own that are made of parts, for the command line to take apart."""

import abc
from dataclasses import dataclass
from typing import Annotated

from coterie.algorithms import IPPO
from coterie.bounds import Above, AtLeast
from coterie.internal.parts import Part


class Agreement(Part, abc.ABC):
    """How neighbours agree."""


@dataclass(frozen=True)
class Dual(Agreement, name="test-dual"):
    """By dual variables."""

    penalty: Annotated[float, Above(0)] = 1.0
    """What a disagreement costs."""


@dataclass(frozen=True)
class Clock(Part):
    """When they agree."""

    every: Annotated[int, AtLeast(1)] = 1
    """Rounds from one agreement to the next."""


@dataclass(frozen=True)
class Averaging(Agreement, name="test-average"):
    """By averages."""

    rounds: int
    """How many rounds of averages; there is no usual number."""
    inner: Agreement = Dual()
    """How the averages agree."""
    clock: Clock = Clock()


@dataclass(frozen=True)
class Silent(Agreement, name="none"):
    """Not at all; its name is that of a graph, too."""


@dataclass(frozen=True)
class Own(Agreement):
    """A kind without a name."""

    words: str = "hello"


@dataclass(frozen=True)
class Memory(Part):
    """What is remembered."""

    slots: Annotated[int, AtLeast(1)] = 8
    """How many experiences."""
    oldest: Annotated[int | None, AtLeast(1)] = 3
    """How old they may be; none for no limit."""


@dataclass(frozen=True)
class Parted(IPPO):
    """IPPO with parts that do nothing."""

    consensus: Agreement = Dual(penalty=100.0)
    """How the critics agree."""
    memory: Memory = Memory(slots=5)
    """What an agent remembers."""
    spare: Agreement | None = None
    """Another one, for later."""
    several: tuple[Agreement, ...] = ()
