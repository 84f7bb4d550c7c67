"""Spaces of actions as learners know them; neither JAX nor Gymnasium is imported here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


def rescaled(action: Any, low: Any, high: Any) -> Any:
    """Rescale an action from [-1, 1], to which it is cut, to the bounds in the environment's units.

    Arrays of NumPy and of JAX alike.

    >>> rescaled(np.array([0.0, 3.0]), 0.0, 1.0).tolist()
    [0.5, 1.0]
    """
    return low + (action.clip(-1.0, 1.0) + 1.0) * 0.5 * (high - low)


class _Numbered:
    """Base of the spaces of numbered actions."""

    continuous: ClassVar[bool] = False
    """Whether an action is a vector of numbers, and not chosen among some."""

    def rescale(self, action: Any) -> Any:
        """The action in the environment's units, which are the agents' own."""
        return action


@dataclass(frozen=True)
class Discrete(_Numbered):
    """`size` actions, numbered from 0."""

    size: int
    numbers: ClassVar[int] = 1
    """How many numbers an action is."""
    each: ClassVar[tuple[int, ...]] = ()
    """How many actions there are for each choice, if several are made at once."""

    def widened(self, size: int) -> "Discrete":
        """Space with `size` actions."""
        return Discrete(size)

    def plain(self, action: Any) -> int:
        """An action outside of JAX."""
        return int(action)


@dataclass(frozen=True)
class MultiDiscrete(_Numbered):
    """Several choices at once: one of `sizes[k]` actions, numbered from 0, for each `k`.

    Whatever has an entry for each action, such as a mask, has `max(sizes)` for each choice.
    """

    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of entries that stand for the actions.

        >>> MultiDiscrete((5, 3)).size
        10
        """
        return len(self.sizes) * max(self.sizes)

    @property
    def numbers(self) -> int:
        """Length of an action: one number for each choice."""
        return len(self.sizes)

    @property
    def each(self) -> tuple[int, ...]:
        """Number of actions for each choice."""
        return self.sizes

    def widened(self, size: int) -> "MultiDiscrete":
        """Space unchanged: an agent that makes several choices at once is the only one."""
        return self

    def plain(self, action: Any) -> np.ndarray:
        """An action outside of JAX."""
        return np.asarray(action)


@dataclass(frozen=True)
class Box:
    """A vector of `size` numbers between `low` and `high` (one number each, or one per entry).

    Agents choose in the normalised range [-1, 1]; `rescale` turns their choice into the
    environment's units, clipping what lies outside.
    """

    size: int
    low: float | tuple[float, ...] = -1.0
    high: float | tuple[float, ...] = 1.0
    continuous: ClassVar[bool] = True
    """Whether an action is a vector of numbers, and not chosen among some."""
    each: ClassVar[tuple[int, ...]] = ()
    """How many actions there are for each choice, if several are made at once."""

    @property
    def numbers(self) -> int:
        """Length of an action."""
        return self.size

    def rescale(self, action: Any) -> Any:
        """Rescale an action `[..., size]` from [-1, 1] to [low, high].

        >>> Box(2, 0.0, 1.0).rescale(np.array([0.0, 3.0])).tolist()
        [0.5, 1.0]
        """
        return rescaled(action, np.asarray(self.low, np.float32), np.asarray(self.high, np.float32))

    def widened(self, size: int) -> "Box":
        """Space with `size` numbers."""
        return Box(size)

    def plain(self, action: Any) -> np.ndarray:
        """An action outside of JAX."""
        return np.asarray(action)


OwnSpace = Discrete | MultiDiscrete | Box
"""Space of an agent by itself, as policy files have it."""


@dataclass(frozen=True)
class Mixed(_Numbered):
    """The space of an agent in a team where some choose among actions and others give numbers.

    All of them act by a vector, as long as the largest `size`; it begins with the number of an
    action, where they are numbered.
    """

    own: OwnSpace
    each: ClassVar[tuple[int, ...]] = ()
    """How many actions there are for each choice, if several are made at once."""

    @property
    def numbered(self) -> bool:
        """True if the agent chooses among actions."""
        return not self.own.continuous

    @property
    def size(self) -> int:
        """Number of entries that stand for the actions."""
        return self.own.size

    @property
    def numbers(self) -> int:
        """Length of an action of its own."""
        return self.own.numbers

    def widened(self, size: int) -> "Mixed":
        """Space with `size` entries."""
        return Mixed(self.own.widened(size))


Space = OwnSpace | Mixed


def are_mixed(spaces: Sequence[Space]) -> bool:
    """True if some of a team's spaces are numbered and others are not."""
    return len({space.continuous for space in spaces}) == 2


def in_mixed_team(space: Space) -> Mixed:
    """Space of an agent whose team has actions of both kinds."""
    return space if isinstance(space, Mixed) else Mixed(space)


def alone(space: Space) -> OwnSpace:
    """Space of an agent without its team.

    >>> alone(Mixed(Discrete(2))), alone(Discrete(3))
    (Discrete(size=2), Discrete(size=3))
    """
    return space.own if isinstance(space, Mixed) else space
