"""F2A2-DDPG and F2A2-TD3: policies that climb critics through their actions."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.f2a2.f2a2_off import F2A2OffPolicy, PolicyBatch
from coterie.bounds import Above, AtLeast
from coterie.rl.distributions import Distribution, TanhNormal
from coterie.rl.models import ActionCritic, Policy, Shape
from coterie.types import AgentSpec, Observation


@dataclass(frozen=True)
class F2A2DDPG(F2A2OffPolicy):
    """Deterministic policies, one critic of everybody's actions, all of it shared (Proposition 4).

        critic:  (Q(o, a) - r_i - gamma Q_target(o', mu_target(o')))^2
        policy:  Q(o, a), with the own action a function of the policy, to be maximised

    All agents hold copies of one critic, each of which learns from its own reward: what they agree
    on is the critic of the mean. Continuous policies are `tanh` of a network with normal noise
    within; discrete ones are drawn, and relaxed by Gumbel-softmax where a gradient has to pass.
    """

    action_noise_std: Annotated[float, Above(0)] = 0.3
    """Standard deviation of the noise within the `tanh`, for continuous actions."""
    action_l2: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the mean square of the policy's outputs before they are squashed."""

    @property
    def deterministic_eval(self) -> bool:
        return True

    def actor(self, keys: Key[Array, "2"], shape: Shape, spec: AgentSpec) -> Policy:
        if not spec.action.continuous:
            return super().actor(keys, shape, spec)
        noise = self.action_noise_std
        return Policy.squashed(keys, shape, spec.action, (noise, noise))

    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[ActionCritic, ...]:
        known = Shape.of(spec, self.hidden_sizes, self.activation, False)
        known = known._replace(inputs=spec.state or spec.observation)
        actions = spec.joint or spec.action.size
        return (ActionCritic.init(jax.random.split(key), known, actions),)

    def values(
        self, critics: Any, view: Observation, actions: Float[Array, "B M W"], index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        flat = actions.reshape(len(actions), -1)
        return jnp.stack([critic.value(view.critic_input, flat) for critic in critics])

    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        mine = choices.drawn(key)
        return mine, jnp.zeros(len(mine))

    def sample_action(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        return choices.relaxed(key)

    def actor_objective(self, critics: Any, case: PolicyBatch) -> Float[Array, " B"]:
        values = self.values(critics, case.view, case.might.actions, case.index)
        gain = values[0]
        if self.td_terms == "both":
            gain = self.rule.pathwise_term(values, case.target, case.might.moved)
        return gain - self.action_l2 * case.choices.output_l2()


@dataclass(frozen=True)
class F2A2TD3(F2A2DDPG):
    """The same with twin critics, slower policies and smoothed targets (Proposition 5).

    Targets are of the lesser of both critics; the policy climbs the first. Every `delay`-th update
    moves the policy and the targets.
    """

    policy_delay: Annotated[int, AtLeast(1)] = 2
    """Updates of the critics for each one of the policy."""
    target_noise: Annotated[float, AtLeast(0)] = 0.2
    """Standard deviation of the noise on target actions, within the `tanh`; continuous ones only:
    discrete ones are drawn."""
    target_noise_clip: Annotated[float, Above(0, infinite=True)] = 0.5
    """The largest such noise."""

    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[ActionCritic, ...]:
        first, second = jax.random.split(key)
        return super().critics(first, spec) + super().critics(second, spec)

    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        if not isinstance(choices, TanhNormal):
            return super().next_action(choices, key)
        inner = choices.inner
        # As wide as the noise it replaces, but cut: entry by entry, so that padding stays exact.
        noise = (choices.inner.sample(key) - inner.mean) * self.target_noise / self.action_noise_std
        bounded = jnp.clip(noise, -self.target_noise_clip, self.target_noise_clip)
        mine = jnp.tanh(inner.mean + bounded)
        return mine, jnp.zeros(len(mine))

    def update_policy_now(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        return updates % self.policy_delay == 0
