"""Networked actor-critic with a state value and a model of the team's reward."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from coterie.algorithms.base.algorithm import Trajectory, joint
from coterie.algorithms.networked.base import (
    Networked,
    NetworkedState,
    NetworkedTargets,
    observation_actions,
)
from coterie.bounds import Between
from coterie.network import Network
from coterie.rl.layers import Dense
from coterie.rl.masked_stats import mean
from coterie.rl.networks import Critic
from coterie.rl.returns import generalized_advantage
from coterie.types import LearnerSpec


class Critics(NamedTuple):
    """Consensus critics: `V(s; v)` and `R(s, a; lambda)`, the mean reward of all agents."""

    value: Critic
    reward: Critic


@dataclass(frozen=True)
class NetworkedAC(Networked):
    """Networked actor-critic, Algorithm 2 (Zhang, Yang, Liu, Zhang & Başar 2018).

    Agent `i` sees what all see and do, and its own reward only. It moves both its critics towards
    what that reward says and averages them with its neighbours', so that they come to judge the
    mean reward of the team:

        v <- v + beta [r_i - mu_i + V(s') - V(s)] grad V(s)
        lambda <- lambda + beta [r_i - R(s, a)] grad R(s, a),   then both <- sum_j c_ij (...)_j

    Its policy follows `grad log pi_i(a_i | s)` times the team's error `R(s, a) - mu_i + V(s') -
    V(s)`, taken before the update. A step's own reward enters no policy directly. The discounted
    form has `gamma V(s')` and no `mu`.
    """

    gae_lambda: Annotated[float, Between(0, 1)] = 0.9
    """lambda: how far the team's errors of later steps count; 0 in the paper."""

    def start_critic(self, key: Key[Array, ""], spec: LearnerSpec) -> tuple[Critics, tuple[()]]:
        keys = jax.random.split(key, 4)
        return Critics(
            Critic.init(keys[:2], self.critic, self.critic_inputs(spec, actions=False)),
            Critic.init(keys[2:], self.critic, self.critic_inputs(spec, actions=True)),
        ), ()

    def heads(self, critic: Critics) -> list[Dense]:
        return [critic.value.head, critic.reward.head]

    def targets(
        self,
        state: NetworkedState,
        trajectory: Trajectory,
        network: Network,
        average: Float[Array, ""],
    ) -> NetworkedTargets:
        view, reward, ends = trajectory.view, trajectory.reward, trajectory.terminated
        seen, later = view.critic_input, trajectory.next_view.critic_input
        done = observation_actions(seen, joint(trajectory))

        def loss(critic: Critics, fixed: Critics) -> Float[Array, ""]:
            following = jnp.where(ends, 0.0, critic_value(fixed.value, later))
            error = reward - average + self.discount * following - critic_value(critic.value, seen)
            misfit = reward - critic_value(critic.reward, done)
            return 0.5 * mean(error**2 + misfit**2, view.alive)

        advantage = generalized_advantage(
            critic_value(state.critic.reward, done) - average,
            critic_value(state.critic.value, seen),
            critic_value(state.critic.value, later),
            ends,
            trajectory.truncated,
            self.discount,
            self.gae_lambda,
        )
        return NetworkedTargets(view, trajectory.decision.action, advantage, view.alive, loss)


def critic_value(critic: Critic, inputs: Float[Array, "*batch I"]) -> Float[Array, " *batch"]:
    """Value that a critic gives to its inputs."""
    return critic.value(critic.body.step(inputs, ())[0])
