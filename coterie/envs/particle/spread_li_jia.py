"""Cooperative spread as Li & Jia play it: a target for each agent, and full observations."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.envs.game import AgentSpec, Observation
from coterie.envs.particle.spread_mpe import SpreadMPE
from coterie.envs.particle.team import Discs, Particles


@dataclass(frozen=True)
class SpreadLiJia(SpreadMPE):
    """Landmark `i` is the target of agent `i`: reach it, and do not touch anybody.

    Everyone receives the mean over agents of `-(distance to its own target) - [it touches another]`
    (Li & Jia, section V). Everyone sees the same vector: all positions `x_0, y_0, x_1, ...`, all
    velocities, all targets. The paper's state has no velocities, without which the next state does
    not follow from this one. The paper names neither the horizon (here 25), the sizes (here those
    of Farama's spread) nor the order of integration (here that of the code it builds upon).

    Actions are five weights in [0, 1] for rest, -x, +x, -y and +y, of which the first does nothing;
    without `continuous`, one of the five.

    >>> SpreadLiJia().specs[0].observation, SpreadLiJia(velocities=False).specs[0].observation
    (18, 12)
    """

    continuous: bool = True
    """Continuous actions, vectors of numbers, in place of five: rest, or a push along an axis."""

    velocities: bool = True
    """Velocities in the observations; the paper's own state is without."""

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        size = (6 if self.velocities else 4) * self.agents
        return (AgentSpec(size, self.action),) * self.agents

    def judge(
        self, distance: Float[Array, "N N"], touched: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Float[Array, ""]]:
        """The mean distance is that of each agent to its own target."""
        mean = jnp.mean(jnp.diagonal(distance))
        contact = jnp.mean(touched > 0, dtype=distance.dtype)
        return jnp.broadcast_to(-mean - contact, (self.agents,)), mean

    def view(self, state: Particles) -> Observation:
        """Observations of all agents, `[N, F]`: all are equal."""
        moving = (state.velocity,) if self.velocities else ()
        parts = (state.position, *moving, state.landmark)
        whole = jnp.concatenate([part.reshape(-1) for part in parts])
        return Observation(jnp.broadcast_to(whole, (self.agents, len(whole))))

    def discs(self, state: Particles) -> list[Discs]:
        """Target `i` is called `target-i`, and has the colour of agent `i` in pictures."""
        targets = [
            Discs(f"target-{i}", state.landmark[i : i + 1], self.landmark_radius)
            for i in range(self.agents)
        ]
        return [*targets, Discs("agent", state.position, self.agent_radius)]
