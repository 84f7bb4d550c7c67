"""Networked actor-critic with an action value and a counterfactual advantage."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Trajectory, joint
from coterie.algorithms.networked.base import (
    Networked,
    NetworkedState,
    NetworkedTargets,
    observation_actions,
)
from coterie.algorithms.networked.networked_ac import critic_value
from coterie.network import Network
from coterie.rl.distributions import probabilities
from coterie.rl.layers import Dense
from coterie.rl.masked_stats import mean
from coterie.rl.networks import Critic
from coterie.types import LearnerSpec, Observation, blank_observation


class Step(NamedTuple):
    """A step that waits for the next action, `[G, ...]`, or several, `[T, G, ...]`.

    done: what critics see of it, the actions included.
    ends, cut: nothing follows; something would have, but the agent or the episode was cut off.
    real: whether it was made at all.
    """

    view: Observation
    done: Float[Array, "*T G I"]
    action: Int[Array, "*T G"]
    reward: Float[Array, "*T G"]
    ends: Bool[Array, "*T G"]
    cut: Bool[Array, "*T G"]
    real: Bool[Array, "*T G"]


@dataclass(frozen=True)
class NetworkedQAC(Networked):
    """Networked actor-critic, Algorithm 1 (Zhang, Yang, Liu, Zhang & Başar 2018).

    Agent `i` moves its critic of joint actions towards its own reward and averages it with its
    neighbours', so that it comes to judge the mean reward of the team:

        omega <- omega + beta [r_i - mu_i + Q(s', a') - Q(s, a)] grad Q(s, a),
        then omega <- sum_j c_ij omega_j

    with `a'` the actions really taken next, for which every update leaves the last step to the next
    one; the step at which an episode, or an agent's part in it, is cut off has no next action: it
    is left out. The policy follows `grad log pi_i(a_i | s)` times the counterfactual advantage
    `Q(s, a) - sum_b pi_i(b | s) Q(s, b, a_-i)` of the critic before the update. The discounted form
    has `gamma Q(s', a')` and no `mu`. Discrete actions.
    """

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "discrete"

    def start_critic(self, key: Key[Array, ""], spec: LearnerSpec) -> tuple[Critic, Step]:
        self.require_actions(spec.action)
        inputs = self.critic_inputs(spec, actions=True)
        critic = Critic.init(jax.random.split(key), self.critic, inputs)
        return critic, _blank(spec, inputs.size)

    def heads(self, critic: Critic) -> list[Dense]:
        return [critic.head]

    def in_reward_units(self, state: NetworkedState) -> list[PyTree]:
        return [*super().in_reward_units(state), state.last.reward]

    def targets(
        self,
        state: NetworkedState,
        trajectory: Trajectory,
        network: Network,
        average: Float[Array, ""],
    ) -> NetworkedTargets:
        steps = jax.tree.map(
            lambda old, new: jnp.concatenate([old[None], new]), state.last, self._steps(trajectory)
        )
        now = jax.tree.map(lambda x: x[:-1], steps)
        then = jax.tree.map(lambda x: x[1:], steps)
        counts = now.real & (now.ends | ~now.cut)

        def loss(critic: Critic, fixed: Critic) -> Float[Array, ""]:
            following = jnp.where(now.ends, 0.0, critic_value(fixed, then.done))
            error = (
                now.reward - average + self.discount * following - critic_value(critic, now.done)
            )
            return 0.5 * mean(error**2, counts)

        advantage = self._counterfactual(state, now, joint(trajectory).shape[-2:], network)
        last = jax.tree.map(lambda x: x[-1], steps)
        return NetworkedTargets(now.view, now.action, advantage, counts, loss, last)

    def _steps(self, trajectory: Trajectory) -> Step:
        view, cut = trajectory.view, trajectory.truncated | trajectory.over
        return Step(
            view,
            observation_actions(view.critic_input, joint(trajectory)),
            trajectory.decision.action,
            trajectory.reward,
            trajectory.terminated,
            cut,
            jnp.ones_like(cut) if view.alive is None else view.alive,
        )

    def _counterfactual(
        self, state: NetworkedState, now: Step, crowd: tuple[int, ...], network: Network
    ) -> Float[Array, "T G"]:
        """`Q(s, a) - sum_b pi(b | s) Q(s, b, a_-i)`.

        crowd: `(M, W)`, how many action vectors a critic sees, and their length.
        """
        chance = probabilities(state.policy.distribution(now.view))
        own = jax.nn.one_hot(now.action, crowd[1])
        share = 1.0 / network.size if self.critic_actions == "mean" else 1.0
        place = 0 if self.critic_actions == "mean" else network.index
        before = now.done.shape[-1] - crowd[0] * crowd[1]

        def instead(action: Int[Array, ""]) -> Float[Array, "T G"]:
            change = share * (jax.nn.one_hot(action, crowd[1]) - own)
            moved = jnp.zeros((*change.shape[:-1], *crowd)).at[..., place, :].set(change)
            flat = moved.reshape(*change.shape[:-1], -1)
            return critic_value(state.critic, now.done.at[..., before:].add(flat))

        others = jax.vmap(instead, out_axes=-1)(jnp.arange(chance.shape[-1]))
        return critic_value(state.critic, now.done) - jnp.sum(chance * others, axis=-1)


def _blank(spec: LearnerSpec, inputs: int) -> Step:
    """A step of zeros in each environment that was never made."""
    envs = spec.num_envs
    no = jnp.zeros(envs, bool)
    view = blank_observation(spec, envs)
    zero = jnp.zeros(envs)
    return Step(view, jnp.zeros((envs, inputs)), zero.astype(int), zero, no, no, no)
