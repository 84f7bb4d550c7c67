"""Cooperative spread as Farama's `mpe2` has it (`simple_spread_v3`)."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.bounds import Between
from coterie.envs.particle.physics import Order
from coterie.envs.particle.spread_mpe import SpreadMPE


@dataclass(frozen=True)
class SpreadFarama(SpreadMPE):
    """Stay near as many landmarks as there are agents, without touching each other.

    The reward of agent `i` mixes a part that all share with a part of its own,
    `-(1 - local_ratio) * (sum over landmarks of the distance to the nearest agent)
    - local_ratio * (number of agents that touch i)`, as in mpe2 1.1 with its options switched off.
    Agents and landmarks start uniformly in [-1, 1]^2, at rest.

    Discrete actions: rest, -x, +x, -y, +y. Continuous ones are five weights in [0, 1] for the same
    five, of which the first does nothing.
    """

    order: Order = "new"
    """Velocity that a step moves by: the one before ("new") or after ("old") the forces act."""

    local_ratio: Annotated[float, Between(0, 1, "try 0.5")] = 0.5
    """The share of an agent's reward that is its own: contacts; the rest is the team's distance."""

    def judge(
        self, distance: Float[Array, "N N"], touched: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Float[Array, ""]]:
        """The mean distance is that from each landmark to the agent nearest to it."""
        nearest = jnp.min(distance, axis=0)
        shared = (1 - self.local_ratio) * jnp.sum(nearest)
        return -shared - self.local_ratio * touched, jnp.mean(nearest)
