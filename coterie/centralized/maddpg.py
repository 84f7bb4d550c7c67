"""MADDPG: the reference point whose critics know everybody's actions and next policies."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import ActionOnly, Information, Metrics, Trajectory, joint
from coterie.algorithms.base.off_policy import (
    ActorCriticState,
    CriticTargets,
    Models,
    OffPolicy,
    OffPolicyState,
)
from coterie.bounds import Above, AtLeast
from coterie.network import Network, Payload
from coterie.rl.masked_stats import mean
from coterie.rl.models import Inputs
from coterie.rl.networks import ActionCritic, Policy
from coterie.types import LearnerSpec, Observation, blank_observation

PAYLOAD = "target-actions"


class Transition(NamedTuple):
    """A step: what an agent saw and was paid, and what everybody did, `[N W]`."""

    view: Observation
    actions: Float[Array, "*batch NW"]
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    next_view: Observation


@dataclass(frozen=True)
class MADDPG(OffPolicy):
    """Deterministic policies with central critics (Lowe et al. 2017).

    Agent `i` learns `Q_i(state, all actions)` towards `r_i + gamma Q_i(state', mu'_1(o_1'), ...)`
    with everybody's target policies `mu'`, and its policy climbs `Q_i` in its own action. Policies
    are `tanh` of a network, with normal noise within while they learn. Discrete actions are drawn,
    and relaxed where a gradient has to pass: `softmax(logits + Gumbel noise)`, temperature 1. The
    noise is drawn within the `tanh`, and each agent has a critic and a reward of its own.
    """

    action_noise_std: Annotated[float, Above(0)] = 0.3
    """Standard deviation of the noise within the `tanh`, for continuous actions."""
    action_l2: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the mean square of the policy's outputs before they are squashed."""

    @property
    def information(self) -> Information:
        told = Payload(
            PAYLOAD,
            messages=self.replay.updates_per_rollout,
            numbers=lambda spec: self.replay.batch_size * max(spec.sizes),
        )
        return Information(state=True, actions="joint", central=True, payloads=(told,))

    @property
    def deterministic_eval(self) -> bool:
        return True

    def models(self, key: Key[Array, ""], spec: LearnerSpec) -> Models:
        keys = jax.random.split(key, 4)
        seen, noise = Inputs.of(spec), self.action_noise_std
        if spec.action.continuous:
            policy = Policy.squashed(keys[0::2], self.actor, seen, spec.action, (noise, noise))
        else:
            policy = Policy.init(keys[0::2], self.actor, seen, spec.action)
        known = Inputs.of_state(spec)
        return Models(policy, ActionCritic.init(keys[1::2], self.critic, known, spec.joint))

    def blank(self, spec: LearnerSpec) -> Transition:
        view, zero = blank_observation(spec), jnp.zeros(())
        return Transition(view, jnp.zeros(spec.joint), zero, zero > 0, view)

    def act(
        self, state: OffPolicyState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[ActionOnly, tuple[()]]:
        return ActionOnly(state.actor_critic.models.policy.distribution(view).sample(key)), memory

    def steps(self, trajectory: Trajectory) -> Transition:
        everybody = joint(trajectory)
        flat = everybody.reshape(*everybody.shape[:2], -1)
        view, following = trajectory.view, trajectory.next_view
        return Transition(view, flat, trajectory.reward, trajectory.terminated, following)

    def critic_targets(
        self, student: ActorCriticState, sample: Transition, network: Network, key: Key[Array, ""]
    ) -> tuple[CriticTargets, Network, Metrics]:
        mine = student.target.policy.distribution(sample.next_view).drawn(key)
        now, then, told = sample.view.alive, sample.next_view.alive, mine
        if now is not None and then is not None:
            told = jnp.where((now & then)[:, None], mine, 0.0)  # who is gone does nothing
        heard, network = network.neighbors(told, PAYLOAD)
        everybody = jnp.zeros((network.size, *mine.shape))
        everybody = everybody.at[network.neighbor].set(heard.received).at[network.index].set(mine)
        following = jnp.moveaxis(everybody, 0, 1).reshape(len(mine), -1)
        later = student.target.critic.value(sample.next_view.critic_input, following)
        target = sample.reward + self.discount * jnp.where(sample.terminated, 0.0, later)
        return CriticTargets(sample.actions, target, jnp.ones_like(target)), network, {}

    def actor_objective(
        self, models: Models, sample: Transition, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        choices = models.policy.distribution(sample.view)
        mine = choices.relaxed(key)
        acted = sample.actions.reshape(len(mine), -1, mine.shape[-1])
        acted = acted.at[:, index].set(mine).reshape(len(mine), -1)
        worth = models.critic.value(sample.view.critic_input, acted)
        worth = worth - self.action_l2 * choices.output_l2()
        return worth, {"entropy": mean(choices.entropy(), sample.view.alive)}
