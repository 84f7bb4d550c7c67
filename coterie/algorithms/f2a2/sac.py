"""F2A2-SAC and F2A2-ISAC: stochastic policies that are paid for entropy."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.base.off_policy import ActorCriticState, Models
from coterie.algorithms.f2a2.critics import AttentionCritic, SoftCritic
from coterie.algorithms.f2a2.off_policy import F2A2OffPolicy
from coterie.algorithms.f2a2.policy_batch import (
    ActionSample,
    JointActions,
    PolicyBatch,
    UpdateBatch,
)
from coterie.algorithms.f2a2.temperature import FixedTemperature, Temperature
from coterie.bounds import Between
from coterie.network import Network
from coterie.rl.distributions import Distribution, probabilities
from coterie.rl.layers import Dense
from coterie.rl.models import Inputs
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec, Observation


@dataclass(frozen=True)
class F2A2SAC(F2A2OffPolicy):
    """Twin critics that attend to the others, and a counterfactual baseline (Proposition 6).

        critics:  (Q_k(o, a) - r_i - gamma (min Q_target(o', a') - alpha log pi_target(a'_i)))^2
        policy:   log pi(a_i | o_i) (Q_1(o, a) - alpha log pi(a_i | o_i) - B), to be maximised

    with a fresh `a_i` and `B = sum_b pi(b) Q_1(o, b)`, others' actions being what they are. The
    printed signs of the entropy are those of rewards, in a cost. With critics of the own
    observation and action alone (`IndependentCritic`) it is F2A2-ISAC, for large teams: nobody is
    observed, so nobody can be modelled (`opponents=IgnoredOpponents()`).
    """

    temperature: Temperature = FixedTemperature()
    """alpha, what a nat of entropy is worth: a number, or one that holds the entropy."""
    critic: SoftCritic = AttentionCritic()
    """Kind of each of the critics."""
    num_critics: Annotated[int, Between(1, 2)] = 2
    """One critic (MAAC's), or twins."""

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "discrete"

    def __post_init__(self) -> None:
        super().__post_init__()
        central = self.information.central
        self.critic.require_company(self.opponents, central, self.num_critics)

    @property
    def entropy_price(self) -> Temperature:
        return self.temperature

    @property
    def payload(self) -> str:
        return self.critic.payload

    @property
    def critics_know(self) -> Information:
        return self.critic.information

    def policy_of(self, keys: Key[Array, "2"], inputs: Inputs, spec: LearnerSpec) -> Policy:
        return Policy.init(keys, self.actor, inputs, spec.action)

    def critics(self, key: Key[Array, ""], spec: LearnerSpec) -> tuple[Any, ...]:
        keys = jax.random.split(key)[: self.num_critics]
        return tuple(self.critic.build(k, spec) for k in keys)

    def shared(self, critics: Any) -> list[PyTree]:
        return [part for twin in critics for part in self.critic.shared(twin)]

    def heads(self, critics: Any) -> list[Dense]:
        return [self.critic.head(critic) for critic in critics]

    def values(
        self, critics: Any, view: Observation, actions: JointActions, index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        each = [self.critic.values(critic, view, actions, index) for critic in critics]
        mine = actions.taken[:, index, : each[0].shape[-1]]
        return jnp.stack([jnp.sum(mine * values, axis=-1) for values in each])

    def hear(self, student: ActorCriticState, drawn: UpdateBatch, network: Network) -> UpdateBatch:
        return self.critic.hear(student, drawn, network)

    def send_back(
        self, models: Models, drawn: UpdateBatch, gradient: Models, felt: PyTree, network: Network
    ) -> Models:
        return self.critic.send_back(models, drawn, gradient, felt, network)

    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        mine = choices.drawn(key)
        return mine, -choices.log_prob(jnp.argmax(mine, axis=-1))

    def sample_action(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        return choices.drawn(key)

    def update_policy_now(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        return updates >= 0

    def actor_objective(self, critics: Any, case: PolicyBatch) -> Float[Array, " B"]:
        did, might, rule = case.did, case.might, self.objective
        fresh = self._advantage(critics, case, might)
        if self.td_terms == "stored":
            return might.log_prob * jax.lax.stop_gradient(fresh)
        values = self.values(critics, case.view, might.actions, case.index)
        line_2_and_3 = rule.score_term(might.log_prob, fresh, values, case.target, might.moved)
        stored = self._advantage(critics, case, did)
        return line_2_and_3 + rule.stored_score_term(did.log_prob, stored, did.moved)

    def _advantage(
        self, critics: Any, case: PolicyBatch, tried: ActionSample
    ) -> Float[Array, " B"]:
        """`Q_1 - alpha log pi - B` of an action."""
        each = self.critic.values(critics[0], case.view, tried.actions, case.index)
        base = jnp.sum(probabilities(case.choices) * each, axis=-1)
        value = jnp.sum(tried.actions.taken[:, case.index, : each.shape[-1]] * each, axis=-1)
        return value - case.alpha * tried.log_prob - base
