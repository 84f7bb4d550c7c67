"""MADDPG: the reference point whose critics know everybody's actions and next policies."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from coterie.algorithms.base.algorithm import Information, Trajectory, joint
from coterie.algorithms.base.off_policy import ExperienceReplay
from coterie.algorithms.ddpg import DDPG, Transition
from coterie.bounds import AtLeast
from coterie.network import Network, Payload

PAYLOAD = "target-actions"


@dataclass(frozen=True)
class MADDPG(DDPG):
    """Deterministic policies with central critics (Lowe et al. 2017).

    Agent `i` learns `Q_i(state, all actions)` towards `r_i + gamma Q_i(state', mu'_1(o_1'), ...)`
    with everybody's target policies `mu'`, and its policy climbs `Q_i` in its own action, beside
    those that the others took. Each agent has a critic and a reward of its own.
    """

    replay: ExperienceReplay = ExperienceReplay(updates_per_rollout=128)
    """The memory of steps, and how much is learned from it."""
    n_step: Annotated[int, AtLeast(1)] = 1
    """Rewards that a target sums before it looks at the critic."""

    @property
    def information(self) -> Information:
        told = Payload(
            PAYLOAD,
            messages=self.replay.updates_per_rollout,
            numbers=lambda spec: self.replay.batch_size * max(spec.sizes),
        )
        return Information(state=True, actions="joint", central=True, payloads=(told,))

    def actions_taken(self, trajectory: Trajectory) -> Float[Array, "T G D"]:
        everybody = joint(trajectory)
        return everybody.reshape(*everybody.shape[:2], -1)

    def next_actions(
        self, mine: Float[Array, "B W"], sample: Transition, network: Network
    ) -> tuple[Float[Array, "B D"], Network]:
        now, then, told = sample.view.alive, sample.next_view.alive, mine
        if now is not None and then is not None:
            told = jnp.where((now & then)[:, None], mine, 0.0)  # who is gone does nothing
        heard, network = network.neighbors(told, PAYLOAD)
        everybody = jnp.zeros((network.size, *mine.shape))
        everybody = everybody.at[network.neighbor].set(heard.received).at[network.index].set(mine)
        return jnp.moveaxis(everybody, 0, 1).reshape(len(mine), -1), network

    def with_own(
        self, actions: Float[Array, "B D"], mine: Float[Array, "B W"], index: Int[Array, ""]
    ) -> Float[Array, "B D"]:
        everybody = actions.reshape(len(mine), -1, mine.shape[-1])
        return everybody.at[:, index].set(mine).reshape(len(mine), -1)
