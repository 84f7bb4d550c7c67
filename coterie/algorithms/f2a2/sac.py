"""F2A2-SAC and F2A2-ISAC: stochastic policies that are paid for entropy."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.f2a2.critics import AttentionCritic, SoftCritic
from coterie.algorithms.f2a2.off_policy import ActionSample, F2A2OffPolicy, PolicyBatch
from coterie.bounds import AtLeast
from coterie.errors import require
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

    temperature: Annotated[float, AtLeast(0)] = 0.01
    """alpha: what a nat of entropy is worth."""
    critic: SoftCritic = AttentionCritic()
    """Kind of each of the twin critics."""

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "discrete"

    def __post_init__(self) -> None:
        super().__post_init__()
        joint = self.critic.information.actions == "joint"
        require(
            joint or not self.opponents.known,
            "this method does not observe the others' actions and cannot know what they would do: "
            "use f2a2-sac, or --opponents ignored.",
        )
        require(
            not joint or self.opponents.known,
            "a critic that attends to the others has to know of them: use f2a2-isac, or "
            "--opponents estimated or communicated.",
        )

    @property
    def payload(self) -> str:
        return self.critic.payload

    @property
    def critics_know(self) -> Information:
        return self.critic.information

    def policy_of(self, keys: Key[Array, "2"], inputs: Inputs, spec: LearnerSpec) -> Policy:
        return Policy.init(keys, self.actor, inputs, spec.action)

    def critics(self, key: Key[Array, ""], spec: LearnerSpec) -> tuple[Any, ...]:
        return tuple(self.critic.build(k, spec) for k in jax.random.split(key))

    def shared(self, critics: Any) -> list[PyTree]:
        return [part for twin in critics for part in self.critic.shared(twin)]

    def heads(self, critics: Any) -> list[Dense]:
        return [self.critic.head(critic) for critic in critics]

    def values(
        self, critics: Any, view: Observation, actions: Float[Array, "B M W"], index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        mine = actions[:, index]
        each = [self.critic.values(critic, view, actions, index) for critic in critics]
        return jnp.stack([jnp.sum(mine * values, axis=-1) for values in each])

    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        mine = choices.drawn(key)
        return mine, -self.temperature * choices.log_prob(jnp.argmax(mine, axis=-1))

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
        value = jnp.sum(tried.actions[:, case.index] * each, axis=-1)
        return value - self.temperature * tried.log_prob - base
