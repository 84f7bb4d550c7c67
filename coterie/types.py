"""Spaces, specs and observations of one agent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


def rescaled(action: Array, low: Array, high: Array) -> Array:
    """Rescale an action from [-1, 1], to which it is cut, to the bounds in the environment's units.

    >>> rescaled(jnp.array([0.0, 3.0]), jnp.array(0.0), jnp.array(1.0)).tolist()
    [0.5, 1.0]
    """
    return low + (jnp.clip(action, -1.0, 1.0) + 1.0) * 0.5 * (high - low)


class _Numbered:
    """Base of the spaces of numbered actions."""

    continuous: ClassVar[bool] = False
    """Whether an action is a vector of numbers, and not chosen among some."""

    def rescale(self, action: Array) -> Array:
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

    def plain(self, action: Array) -> int:
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

    def plain(self, action: Array) -> np.ndarray:
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

    def rescale(self, action: Float[Array, "*batch size"]) -> Float[Array, "*batch size"]:
        """Rescale an action from [-1, 1] to [low, high].

        >>> Box(2, 0.0, 1.0).rescale(jnp.array([0.0, 3.0])).tolist()
        [0.5, 1.0]
        """
        return rescaled(action, jnp.asarray(self.low), jnp.asarray(self.high))

    def widened(self, size: int) -> "Box":
        """Space with `size` numbers."""
        return Box(size)

    def plain(self, action: Array) -> np.ndarray:
        """An action outside of JAX."""
        return np.asarray(action)


@dataclass(frozen=True)
class Mixed(_Numbered):
    """The space of an agent in a team where some choose among actions and others give numbers.

    All of them act by a vector, as long as the largest `size`; it begins with the number of an
    action, where they are numbered.
    """

    own: Discrete | MultiDiscrete | Box
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

    def plain(self, action: Array) -> int | np.ndarray:
        """An action outside of JAX."""
        return self.own.plain(action[0] if self.numbered else action)


Space = Discrete | MultiDiscrete | Box | Mixed


def are_mixed(spaces: Sequence[Space]) -> bool:
    """True if some of a team's spaces are numbered and others are not."""
    return len({space.continuous for space in spaces}) == 2


def in_mixed_team(space: Space) -> Mixed:
    """Space of an agent whose team has actions of both kinds."""
    return space if isinstance(space, Mixed) else Mixed(space)


@dataclass(frozen=True)
class AgentSpec:
    """Description of an agent's observations and actions that an environment gives.

    observation: how many numbers it sees, or the shape of what it sees: `(7, 7, 3)` for the view of
            a grid with three layers.
    action: what it can do.
    states: how many different observations there are, if they are numbered (`observation` is
            then 1); 0 otherwise.

    >>> AgentSpec((7, 7, 3), Discrete(5)).size
    147
    """

    observation: int | tuple[int, ...]
    action: Space
    states: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an observation."""
        seen = self.observation
        return seen if isinstance(seen, tuple) else (seen,)

    @property
    def size(self) -> int:
        """Length of an observation, flat."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LearnerSpec:
    """Description of an agent and its team that the framework gives to a learner.

    observation: how many numbers the agent sees; learners are shown them flat, `[..., F]`.
    action: what it can do.
    shape:  of what it sees, for models that look at images.
    masked: some actions may be impossible at times (`Observation.action_mask` is given).
    leaves: it may leave before the others (`Observation.alive` is given).
    state:  the length of the global state, for algorithms that declare it; 0 otherwise.
    states: how many different observations there are, if they are numbered; 0 otherwise.
    num_envs: how many environments it plays side by side.
    sizes:  the sizes of the actions that learning sees: everybody's in order, or one if it sees
            their mean; none if it sees only its own.
    agents: how many the team has.
    widest: the most numbers that any agent sees, and the most that stand for any agent's action;
            (0, 0) for an agent on its own.
    """

    observation: int
    action: Space
    shape: tuple[int, ...] = ()
    masked: bool = False
    leaves: bool = False
    state: int = 0
    states: int = 0
    sizes: tuple[int, ...] = ()
    num_envs: int = 1
    agents: int = 1
    widest: tuple[int, int] = (0, 0)

    @property
    def padded(self) -> "LearnerSpec":
        """Spec whose observation and action are as wide as the widest of the team.

        >>> LearnerSpec(3, Box(1), widest=(5, 2)).padded.action.size
        2
        """
        seen, acted = max(self.observation, self.widest[0]), max(self.action.size, self.widest[1])
        return replace(self, observation=seen, action=self.action.widened(acted))

    @property
    def joint(self) -> int:
        """Number of entries that stand for the actions that learning sees.

        >>> LearnerSpec(1, Discrete(2), sizes=(2, 3)).joint
        6
        """
        return len(self.sizes) * max(self.sizes, default=0)


def kinds(specs: Sequence[LearnerSpec]) -> dict[LearnerSpec, list[int]]:
    """Agents of each kind, so that what they share is made once for a kind.

    >>> large, small = LearnerSpec(9, Discrete(2)), LearnerSpec(1, Discrete(2))
    >>> list(kinds([large, small, large]).values())
    [[0, 2], [1]]
    """
    found: dict[LearnerSpec, list[int]] = {}
    for agent, spec in enumerate(specs):
        found.setdefault(spec, []).append(agent)
    return found


class Observation(NamedTuple):
    """Observation of one agent at one step. Fields that do not apply are `None`.

    observation: its own observation, `[..., F]`.
    action_mask: which of its actions are possible, `[..., A]`; `None` if all always are.
    alive:       whether it is still in the environment, `[...]`; `None` if no agent ever leaves
                 early.
    state:       the global state, `[..., S]`; only for algorithms that declare it.
    """

    observation: Float[Array, "*batch F"]
    action_mask: Bool[Array, "*batch A"] | None = None
    alive: Bool[Array, "*batch"] | None = None
    state: Float[Array, "*batch S"] | None = None

    @property
    def critic_input(self) -> Float[Array, "*batch S"]:
        """Input of a critic: the global state where it is declared, else the own observation."""
        return self.observation if self.state is None else self.state


def blank_observation(spec: LearnerSpec, *shape: int) -> Observation:
    """Views of zeros, `[*shape, ...]`, with the fields that an agent of this kind is shown.

    >>> blank_observation(LearnerSpec(3, Discrete(2), masked=True), 5).action_mask.shape
    (5, 2)
    """
    return Observation(
        jnp.zeros((*shape, spec.observation)),
        jnp.zeros((*shape, spec.action.size), bool) if spec.masked else None,
        jnp.zeros(shape, bool) if spec.leaves else None,
        jnp.zeros((*shape, spec.state)) if spec.state else None,
    )
