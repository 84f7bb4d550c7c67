"""F2A2-DDPG and F2A2-TD3: policies that climb critics through their actions."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.f2a2.off_policy import F2A2OffPolicy
from coterie.algorithms.f2a2.policy_batch import JointActions, PolicyBatch
from coterie.algorithms.f2a2.sharing import InnerLayers, Sharing
from coterie.algorithms.f2a2.temperature import FixedTemperature, Temperature
from coterie.bounds import Above, AtLeast, Between
from coterie.rl.distributions import Distribution
from coterie.rl.layers import Dense
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import ActionCritic, Policy
from coterie.types import LearnerSpec, Observation


@dataclass(frozen=True)
class F2A2DDPG(F2A2OffPolicy):
    """Deterministic policies and critics of everybody's actions (Proposition 4).

        critic:  (Q(o, a) - r_i - gamma Q_target(o', mu_target(o')))^2
        policy:  Q(o, a), with the own action a function of the policy, to be maximised

    Each agent has a critic, of which it shares a part (`sharing`), and which learns from its own
    reward. Continuous policies are `tanh` of a network with normal noise within; discrete ones are
    drawn, and relaxed by Gumbel-softmax where a gradient has to pass.

    With two critics, `policy_delay=2` and `target_noise=0.2` it is F2A2-TD3 (Proposition 5):
    targets are of the lesser of both critics, the policy climbs the first, and every second update
    moves the policy and the targets.
    """

    critic: Model = MLP((64, 64), "leaky_relu")
    """The critics' network."""
    sharing: Sharing = InnerLayers()
    """Part of its critics that an agent shares: the layers between its own first and last, or (the
    mean reward's critic) the whole."""
    num_critics: Annotated[int, Between(1, 2)] = 1
    """One critic, or twins."""
    policy_delay: Annotated[int, AtLeast(1)] = 1
    """Updates of the critics for each one of the policy."""
    action_noise_std: Annotated[float, Above(0)] = 0.3
    """Standard deviation of the noise within the `tanh`, for continuous actions."""
    action_l2: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the mean square of the policy's outputs before they are squashed."""
    target_noise: Annotated[float | None, AtLeast(0)] = None
    """Standard deviation of the noise on target actions, within the `tanh`; by default that of
    other actions. Continuous ones only: discrete ones are drawn."""
    target_noise_clip: Annotated[float, Above(0, infinite=True)] = 0.5
    """The largest noise on target actions, where it has a deviation of its own."""

    @property
    def entropy_price(self) -> Temperature:
        return FixedTemperature(0.0)

    @property
    def deterministic_eval(self) -> bool:
        return True

    def policy_of(self, keys: Key[Array, "2"], inputs: Inputs, spec: LearnerSpec) -> Policy:
        if not spec.action.continuous:
            return Policy.init(keys, self.actor, inputs, spec.action)
        noise = self.action_noise_std
        return Policy.squashed(keys, self.actor, inputs, spec.action, (noise, noise))

    def critics(self, key: Key[Array, ""], spec: LearnerSpec) -> tuple[ActionCritic, ...]:
        keys = [key] if self.num_critics == 1 else jax.random.split(key)
        inputs, actions = Inputs.of_critic(spec), spec.joint or spec.action.size
        critics = tuple(
            ActionCritic.init(jax.random.split(k), self.critic, inputs, actions) for k in keys
        )
        self.sharing.check(critics[0])
        return critics

    def shared(self, critics: Any) -> list[PyTree]:
        return [part for critic in critics for part in self.sharing.shared(critic)]

    def heads(self, critics: Any) -> list[Dense]:
        return [critic.head for critic in critics]

    def values(
        self, critics: Any, view: Observation, actions: JointActions, index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        flat = actions.taken.reshape(len(actions.taken), -1)
        return jnp.stack([critic.value(view.critic_input, flat) for critic in critics])

    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        if self.target_noise is None:
            mine = choices.drawn(key)
        else:
            noise = self.target_noise, self.action_noise_std, self.target_noise_clip
            mine = choices.smoothed(key, *noise)
        return mine, jnp.zeros(len(mine))

    def sample_action(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        return choices.relaxed(key)

    def update_policy_now(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        return updates % self.policy_delay == 0

    def actor_objective(self, critics: Any, case: PolicyBatch) -> Float[Array, " B"]:
        values = self.values(critics, case.view, case.might.actions, case.index)
        gain = values[0]
        if self.td_terms == "both":
            gain = self.objective.pathwise_term(values, case.target, case.might.moved)
        return gain - self.action_l2 * case.choices.output_l2()
