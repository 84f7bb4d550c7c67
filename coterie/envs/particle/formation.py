"""Teams that take up places one to one, all paid for the mean distance that is left."""

import abc
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.bounds import Above
from coterie.envs.game import Box, Discrete, Space
from coterie.envs.particle.assignment import lowest_total
from coterie.envs.particle.observations import pushes
from coterie.envs.particle.team import ParticleEnv


@dataclass(frozen=True)
class Formation(ParticleEnv, abc.ABC):
    """One target per agent; everybody receives minus the mean distance of the best assignment.

    What the three particle tasks of the DPO paper share (Agarwal, Kumar & Sycara 2020, "Learning
    transferable cooperative behavior in multi-agent teams"), with the numbers of DPO's released
    code. The reward is clipped to [-15, 15]. Agents start uniformly in [-1, 1]^2, at rest.

    Discrete actions: rest, +x, -x, +y, -y. Continuous ones are a direction in [-1, 1]^2 whose
    length counts: (1, 0) is the second discrete action.
    """

    collision_penalty: float = 0.0
    """Price of each pair of agents that touch, divided by the number of agents. (The
    released code lets each agent touch itself too: a constant, left out here.)"""

    vision: Annotated[float | None, Above(0, "try 1.0, or none for no limit")] = None
    """Range of sight: landmarks and others further away read as zeros; none for no limit."""

    @property
    def sight(self) -> float | None:
        return self.vision

    @property
    def action(self) -> Space:
        return Box(2) if self.continuous else Discrete(5)

    def control(self, action: Array) -> Float[Array, "N 2"]:
        return action if self.continuous else -pushes(jax.nn.one_hot(action, 5))

    def judge(
        self, distance: Float[Array, "N N"], touched: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Float[Array, ""]]:
        """The mean distance is that of the best assignment."""
        mean = lowest_total(distance) / self.agents
        pairs = jnp.sum(touched) / 2
        reward = jnp.clip(-mean - self.collision_penalty * pairs / self.agents, -15.0, 15.0)
        return jnp.broadcast_to(reward, (self.agents,)), mean
