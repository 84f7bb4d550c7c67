"""Base of the two environments of MAAC: a team of two kinds, moved by its own acceleration."""

import abc
from dataclasses import dataclass
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from coterie.bounds import AGENTS, AtLeast, AtMost
from coterie.envs.game import JaxEnv, Observation, Timestep
from coterie.envs.particle.observations import pushes
from coterie.errors import require

ACCELERATION = 1.5**2
"""Of an agent that pushes, whatever its mass: MAAC's world multiplies by its 1.5 twice."""

MAX_SPEED = 1.0


@dataclass(frozen=True)
class TwoKinds(JaxEnv, abc.ABC):
    """A team in which two kinds of agents depend on each other, after Iqbal & Sha (2019,
    "Actor-attention-critic for multi-agent reinforcement learning") and their released code.

    Observations differ in length; the shorter ones are padded with zeros.
    """

    agents: Annotated[int, AtLeast(1, "try 8"), AtMost(AGENTS)] = 8
    """Number of agents, of both kinds together."""

    time_limit: Annotated[int, AtLeast(1, "try 100")] = 100
    """The number of steps after which an episode is cut off."""

    group: ClassVar[int]
    """The agents come in groups of so many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        number, group = self.agents, self.group
        require(
            number >= group and number % group == 0,
            f"agents must be a multiple of {group}, not {number}: try 8.",
        )

    def acceleration(self, action: Int[Array, " M"]) -> Float[Array, "M 2"]:
        """Acceleration by one of rest, +x, -x, +y, -y each."""
        return -ACCELERATION * pushes(jax.nn.one_hot(action, 5))

    def told(
        self,
        clock: Int[Array, ""],
        view: Observation,
        reward: Float[Array, " N"],
        info: dict[str, Array],
    ) -> Timestep:
        """Return a step that terminates no agent, but that may be the last."""
        late = jnp.broadcast_to(clock >= self.time_limit, (self.agents,))
        return Timestep(view, reward, jnp.zeros_like(late), late, info)
