"""Networked actor-critic with an action value and a counterfactual advantage."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Experience, Information, joint
from coterie.algorithms.networked.base import Learner, Lesson, Networked, beside
from coterie.algorithms.networked.networked_ac import worth
from coterie.network import Network
from coterie.rl.distributions import Categorical
from coterie.rl.masked_stats import mean
from coterie.rl.models import Critic
from coterie.types import AgentSpec, View, blank_view


class Step(NamedTuple):
    """A step that waits for the next action, `[G, ...]`, or several, `[T, G, ...]`.

    done: what critics see of it, the actions included.
    ends, cut: nothing follows; something would have, but the agent or the episode was cut off.
    real: whether it was made at all.
    """

    view: View
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

    @property
    def information(self) -> Information:
        return replace(super().information, action_space="discrete")

    def start_critic(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Critic, Step]:
        self.require_actions(spec.action)
        shape = self.critic_shape(spec, actions=True)
        critic = Critic.init(jax.random.split(key), shape)
        return critic, _blank(spec, shape.inputs)

    def study(
        self, state: Learner, experience: Experience, network: Network, average: Float[Array, ""]
    ) -> Lesson:
        steps = jax.tree.map(
            lambda old, new: jnp.concatenate([old[None], new]), state.last, self._steps(experience)
        )
        now = jax.tree.map(lambda x: x[:-1], steps)
        then = jax.tree.map(lambda x: x[1:], steps)
        counts = now.real & (now.ends | ~now.cut)

        def loss(critic: Critic, fixed: Critic) -> Float[Array, ""]:
            following = jnp.where(now.ends, 0.0, worth(fixed, then.done))
            error = now.reward - average + self.discount * following - worth(critic, now.done)
            return 0.5 * mean(error**2, counts)

        advantage = self._counterfactual(state, now, joint(experience).shape[-2:], network)
        last = jax.tree.map(lambda x: x[-1], steps)
        return Lesson(now.view, now.action, advantage, counts, loss, last)

    def _steps(self, experience: Experience) -> Step:
        view, cut = experience.view, experience.truncated | experience.over
        return Step(
            view,
            beside(view.judged, joint(experience)),
            experience.decision.action,
            experience.reward,
            experience.terminated,
            cut,
            jnp.ones_like(cut) if view.present is None else view.present,
        )

    def _counterfactual(
        self, state: Learner, now: Step, crowd: tuple[int, ...], network: Network
    ) -> Float[Array, "T G"]:
        """`Q(s, a) - sum_b pi(b | s) Q(s, b, a_-i)`.

        crowd: `(M, W)`, how many action vectors a critic sees, and their length.
        """
        choices = state.policy.facing(now.view)
        assert isinstance(choices, Categorical)
        chance = jnp.exp(choices.log_probs)
        own = jax.nn.one_hot(now.action, crowd[1])
        share = 1.0 / network.size if self.crowd == "mean" else 1.0
        place = 0 if self.crowd == "mean" else network.index
        before = now.done.shape[-1] - crowd[0] * crowd[1]

        def instead(action: Int[Array, ""]) -> Float[Array, "T G"]:
            change = share * (jax.nn.one_hot(action, crowd[1]) - own)
            moved = jnp.zeros((*change.shape[:-1], *crowd)).at[..., place, :].set(change)
            flat = moved.reshape(*change.shape[:-1], -1)
            return worth(state.critic, now.done.at[..., before:].add(flat))

        others = jax.vmap(instead, out_axes=-1)(jnp.arange(chance.shape[-1]))
        return worth(state.critic, now.done) - jnp.sum(chance * others, axis=-1)


def _blank(spec: AgentSpec, inputs: int) -> Step:
    """A step of zeros in each game that was never made."""
    games = spec.games
    no = jnp.zeros(games, bool)
    view = blank_view(spec, games)
    zero = jnp.zeros(games)
    return Step(view, jnp.zeros((games, inputs)), zero.astype(int), zero, no, no, no)
