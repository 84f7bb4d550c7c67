"""Cooperative navigation as MATRPO plays it: all must help, and only the first agent is paid."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.bounds import AtLeast
from coterie.envs.game import AgentSpec, Observation
from coterie.envs.particle.observations import observe
from coterie.envs.particle.spread_mpe import SpreadMPE
from coterie.envs.particle.team import Particles


@dataclass(frozen=True)
class SpreadMATRPO(SpreadMPE):
    """Cover as many landmarks as there are agents, of whom only the first is told how well.

    The first agent receives minus the sum, over landmarks, of the distance to the nearest agent;
    everybody loses 1 for each other agent that it touches (MATRPO, Table I, read as the authors'
    code has it: the table prints one minimum over both indices). An agent perceives its velocity
    and position, and landmarks and others relative to it.

    Discrete actions: rest, -x, +x, -y, +y.

    >>> SpreadMATRPO().specs[0].observation, SpreadMATRPO(agents=6).specs[0].observation
    (14, 26)
    """

    time_limit: Annotated[int, AtLeast(1, "try 25")] = 100
    """The number of steps after which an episode is cut off."""

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return (AgentSpec(2 + 4 * self.agents, self.action),) * self.agents

    def judge(
        self, distance: Float[Array, "N N"], touched: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Float[Array, ""]]:
        """The mean distance is that from each landmark to the agent nearest to it."""
        nearest = jnp.min(distance, axis=0)
        return (-touched).at[0].add(-jnp.sum(nearest)), jnp.mean(nearest)

    def view(self, state: Particles) -> Observation:
        """Observations of all agents, `[N, F]`: without the silence of those who cannot speak."""
        seen = observe(state.position, state.velocity, state.landmark, self.sight)
        return Observation(seen[:, : 2 + 4 * self.agents])
