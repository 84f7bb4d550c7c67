"""Specs and observations of one agent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from coterie.spaces import Box as Box
from coterie.spaces import Discrete as Discrete
from coterie.spaces import Mixed as Mixed
from coterie.spaces import MultiDiscrete as MultiDiscrete
from coterie.spaces import Space as Space
from coterie.spaces import alone as alone
from coterie.spaces import are_mixed as are_mixed
from coterie.spaces import in_mixed_team as in_mixed_team
from coterie.spaces import rescaled as rescaled


@dataclass(frozen=True)
class AgentSpec:
    """Description of an agent's observations and actions that an environment gives.

    observation: how many numbers it sees, or the shape of what it sees: `(7, 7, 3)` for the view of
            a grid with three layers.
    action: what it can do.
    states: how many different observations there are, if they are numbered (`observation` is
            then 1); 0 otherwise.
    quantization_step: the step of the numbers of an observation, if each of them is, up to
            rounding, a whole multiple of it from 0 to 255: trajectories and replay memories then
            hold a byte for a number. 0 otherwise: they hold 32 bits.

    >>> AgentSpec((7, 7, 3), Discrete(5)).size
    147
    """

    observation: int | tuple[int, ...]
    action: Space
    states: int = 0
    quantization_step: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an observation."""
        seen = self.observation
        return seen if isinstance(seen, tuple) else (seen,)

    @property
    def size(self) -> int:
        """Length of an observation, flat."""
        return math.prod(self.shape)


@jax.tree_util.register_static
@dataclass(frozen=True)
class ObservationEncoder:
    """Form in which others see an agent's observation: a numbered one is a vector of zeros and a
    one, any other stays as it is.

    states: the most states of any agent, if all observations are numbered; 0 otherwise.

    >>> ObservationEncoder(3)(jnp.array([[2.0]])).tolist()
    [[0.0, 0.0, 1.0]]
    """

    states: int = 0

    @staticmethod
    def of(specs: Sequence[AgentSpec]) -> "ObservationEncoder":
        """Encoder of a team's observations."""
        states = [spec.states for spec in specs]
        return ObservationEncoder(max(states) if all(states) else 0)

    def __call__(self, observation: Float[Array, "*batch F"]) -> Float[Array, "*batch S"]:
        if self.states == 0:
            return observation
        return jax.nn.one_hot(observation[..., 0].astype(int), self.states)


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
    normalized: networks are to normalize what they see.
    quantization_step: the step of everybody's observations (see `AgentSpec`); 0 if they have none
            in common.
    widest: the most numbers that others see of any agent's observation (see `encoder`), and the
            most that stand for any agent's action; (0, 0) for an agent on its own.
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
    normalized: bool = False
    quantization_step: float = 0.0
    widest: tuple[int, int] = (0, 0)

    @property
    def padded(self) -> "LearnerSpec":
        """Spec whose observation, as others see it, and action are as wide as the widest.

        >>> LearnerSpec(3, Box(1), widest=(5, 2)).padded.action.size
        2
        """
        seen = max(self.states or self.observation, self.widest[0])
        acted = self.action.widened(max(self.action.size, self.widest[1]))
        return replace(self, observation=seen, states=seen if self.states else 0, action=acted)

    @property
    def encoder(self) -> ObservationEncoder:
        """Form in which others see the agent's observations."""
        return ObservationEncoder(self.padded.states)

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


def common_step(specs: Sequence[AgentSpec]) -> float:
    """The quantization step of a team's observations; 0 if they have none in common."""
    steps = {spec.quantization_step for spec in specs}
    return steps.pop() if len(steps) == 1 else 0.0


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
