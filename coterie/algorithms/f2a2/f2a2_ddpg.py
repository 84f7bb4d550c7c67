"""F2A2-DDPG and F2A2-TD3: policies that climb critics through their actions."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.f2a2.f2a2_off import Case, F2A2OffPolicy
from coterie.bounds import Above, AtLeast
from coterie.rl.distributions import Distribution, Squashed
from coterie.rl.models import ActionCritic, Policy, Shape
from coterie.types import AgentSpec, View


@dataclass(frozen=True)
class F2A2DDPG(F2A2OffPolicy):
    """Deterministic policies, one critic of everybody's actions, all of it shared (Proposition 4).

        critic:  (Q(o, a) - r_i - gamma Q_target(o', mu_target(o')))^2
        policy:  Q(o, a), with the own action a function of the policy, to be maximised

    All agents hold copies of one critic, each of which learns from its own reward: what they agree
    on is the critic of the mean. Continuous policies are `tanh` of a network with normal noise
    within; discrete ones are drawn, and relaxed by Gumbel-softmax where a gradient has to pass.
    """

    exploration_noise: Annotated[float, Above(0)] = 0.3
    """Standard deviation of the noise within the `tanh`, for continuous actions."""
    regulariser: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the mean square of the policy's outputs before they are squashed."""

    @property
    def plays_mode(self) -> bool:
        return True

    def actor(self, keys: Key[Array, "2"], shape: Shape, spec: AgentSpec) -> Policy:
        if not spec.action.continuous:
            return super().actor(keys, shape, spec)
        noise = self.exploration_noise
        return Policy.squashed(keys, shape, spec.action, (noise, noise))

    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[ActionCritic, ...]:
        known = Shape.of(spec, self.hidden, self.activation, False)
        known = known._replace(inputs=spec.state or spec.observation)
        actions = spec.joint or spec.action.size
        return (ActionCritic.init(jax.random.split(key), known, actions),)

    def values(
        self, critics: Any, view: View, actions: Float[Array, "B M W"], index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        flat = actions.reshape(len(actions), -1)
        return jnp.stack([critic.value(view.judged, flat) for critic in critics])

    def following(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        mine = choices.drawn(key)
        return mine, jnp.zeros(len(mine))

    def afresh(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        return choices.relaxed(key)

    def gain(self, critics: Any, case: Case) -> Float[Array, " B"]:
        values = self.values(critics, case.view, case.might.actions, case.index)
        gain = values[0]
        if self.expectations == "both":
            gain = self.rule.climbed(values, case.target, case.might.moved)
        return gain - self.regulariser * case.choices.output_l2()


@dataclass(frozen=True)
class F2A2TD3(F2A2DDPG):
    """The same with twin critics, slower policies and smoothed targets (Proposition 5).

    Targets are of the lesser of both critics; the policy climbs the first. Every `delay`-th update
    moves the policy and the targets.
    """

    delay: Annotated[int, AtLeast(1)] = 2
    """Updates of the critics for each one of the policy."""
    smoothing: Annotated[float, AtLeast(0)] = 0.2
    """Standard deviation of the noise on target actions, within the `tanh`; continuous ones only:
    discrete ones are drawn."""
    smoothing_bound: Annotated[float, Above(0, infinite=True)] = 0.5
    """The largest such noise."""

    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[ActionCritic, ...]:
        first, second = jax.random.split(key)
        return super().critics(first, spec) + super().critics(second, spec)

    def following(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        if not isinstance(choices, Squashed):
            return super().following(choices, key)
        inner = choices.inner
        # As wide as the noise it replaces, but cut: entry by entry, so that padding stays exact.
        noise = (choices.inner.sample(key) - inner.mean) * self.smoothing / self.exploration_noise
        bounded = jnp.clip(noise, -self.smoothing_bound, self.smoothing_bound)
        mine = jnp.tanh(inner.mean + bounded)
        return mine, jnp.zeros(len(mine))

    def due(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        return updates % self.delay == 0
