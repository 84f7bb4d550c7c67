"""F2A2-SAC and F2A2-ISAC: stochastic policies that are paid for entropy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.f2a2.attention import AttentionCritic
from coterie.algorithms.f2a2.f2a2_off import ActionSample, F2A2OffPolicy, PolicyBatch
from coterie.bounds import AtLeast
from coterie.errors import require
from coterie.rl.distributions import Categorical, Distribution
from coterie.rl.models import Policy, Shape
from coterie.types import AgentSpec, Observation


@dataclass(frozen=True)
class F2A2SAC(F2A2OffPolicy):
    """Twin critics that attend to the others, and a counterfactual baseline (Proposition 6).

        critics:  (Q_k(o, a) - r_i - gamma (min Q_target(o', a') - alpha log pi_target(a'_i)))^2
        policy:   log pi(a_i | o_i) (Q_1(o, a) - alpha log pi(a_i | o_i) - B), to be maximised

    with a fresh `a_i` and `B = sum_b pi(b) Q_1(o, b)`, others' actions being what they are. The
    printed signs of the entropy are those of rewards, in a cost. Shared is what MAAC shares: how
    critics look at the others; the rest of a critic is an agent's own and learns from its reward.
    """

    temperature: Annotated[float, AtLeast(0)] = 0.01
    """alpha: what a nat of entropy is worth."""
    num_heads: Annotated[int, AtLeast(1)] = 4
    """Heads of the critics' attention."""
    attention_dim: Annotated[int, AtLeast(1)] = 128
    """Numbers that a critic makes of each agent: a multiple of the heads."""

    payload: ClassVar[str] = "attention"

    def check(self, num_envs: int) -> None:
        super().check(num_envs)
        require(
            self.attention_dim % self.num_heads == 0,
            f"a critic of width {self.attention_dim} cannot be dealt to {self.num_heads} heads: "
            "try 128 and 4.",
        )

    @property
    def information(self) -> Information:
        return replace(super().information, action_space="discrete")

    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Any, ...]:
        self.require_actions(spec.action)
        return tuple(self.critic(k, spec) for k in jax.random.split(key))

    def _require_opponents(self) -> None:
        super()._require_opponents()
        require(
            self.opponent_actions != "none",
            "a critic that attends to the others has to know of them: use f2a2-isac, or "
            "--opponent-actions estimates or policies.",
        )

    def critic(self, key: Key[Array, ""], spec: AgentSpec) -> Any:
        """One of the twins."""
        return AttentionCritic.init(key, spec, self.attention_dim, self.num_heads)

    def shares(self, models: Models) -> Any:
        return _only(lambda models: [twin.attention for twin in models.critic], models)

    def each(self, critic: Any, view: Observation, actions: Array, index: Int[Array, ""]) -> Array:
        """The value of every own action, `[B, A]`."""
        return critic.values(view.critic_input, actions, index)

    def values(
        self, critics: Any, view: Observation, actions: Float[Array, "B M W"], index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        mine = actions[:, index]
        each = [self.each(critic, view, actions, index) for critic in critics]
        return jnp.stack([jnp.sum(mine * values, axis=-1) for values in each])

    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        mine = choices.drawn(key)
        return mine, -self.temperature * choices.log_prob(jnp.argmax(mine, axis=-1))

    def sample_action(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        return choices.drawn(key)

    def actor_objective(self, critics: Any, case: PolicyBatch) -> Float[Array, " B"]:
        did, might = case.did, case.might
        fresh = self._advantage(critics, case, might)
        if self.td_terms == "stored":
            return might.log_prob * jax.lax.stop_gradient(fresh)
        values = self.values(critics, case.view, might.actions, case.index)
        line_2_and_3 = self.rule.score_term(might.log_prob, fresh, values, case.target, might.moved)
        stored = self._advantage(critics, case, did)
        return line_2_and_3 + self.rule.stored_score_term(did.log_prob, stored, did.moved)

    def _advantage(
        self, critics: Any, case: PolicyBatch, tried: ActionSample
    ) -> Float[Array, " B"]:
        """`Q_1 - alpha log pi - B` of an action."""
        each = self.each(critics[0], case.view, tried.actions, case.index)
        base = jnp.sum(jnp.exp(_log_probs(case.choices)) * each, axis=-1)
        value = jnp.sum(tried.actions[:, case.index] * each, axis=-1)
        return value - self.temperature * tried.log_prob - base


def _only(where: Callable[[Any], list[Any]], models: Models) -> Any:
    """Truth values for models: these parts and no others."""
    nothing, every = (jax.tree.map(lambda _, so=so: so, models) for so in (False, True))
    return eqx.tree_at(where, nothing, where(every))


def _log_probs(choices: Distribution) -> Float[Array, "B A"]:
    assert isinstance(choices, Categorical)
    return choices.log_probs


@dataclass(frozen=True)
class F2A2ISAC(F2A2SAC):
    """The same for large teams: critics of the own observation and action alone (section 6.3).

    Nobody is observed, so nobody can be modelled. Critics are shared as a whole, as in the paper,
    whose agents all see and do as much; of a team of several kinds only what is alike can be.
    """

    share: Literal["all", "inner"] = "all"
    """What of its critics an agent shares: all, or (a team of several kinds) the layers between the
    first and the last."""

    opponent_actions: Literal["estimates", "policies", "none"] = "none"
    """What the others would do: nothing is known of it here."""

    payload: ClassVar[str] = "critic"

    def check(self, num_envs: int) -> None:
        super().check(num_envs)
        require(
            self.share == "all" or len(self.hidden_sizes) > 1,
            f"share=inner needs two hidden layers, not {len(self.hidden_sizes)}: try "
            "--hidden-sizes 64 64.",
        )

    @property
    def information(self) -> Information:
        return Information(action_space="discrete", payloads=(self.payload,))

    def critic(self, key: Key[Array, ""], spec: AgentSpec) -> Any:
        shape = Shape.of(spec, self.hidden_sizes, self.activation, False)
        return Policy.init(jax.random.split(key), shape, spec.action, gain=1.0)

    def shares(self, models: Models) -> Any:
        if self.share == "all":
            return F2A2OffPolicy.shares(self, models)
        return _only(
            lambda models: [layer for twin in models.critic for layer in twin.body.layers[1:]],
            models,
        )

    def each(self, critic: Any, view: Observation, actions: Array, index: Int[Array, ""]) -> Array:
        return critic.head(critic.body.step(view.observation, ())[0])

    def _require_opponents(self) -> None:
        F2A2OffPolicy._require_opponents(self)  # F2A2-SAC's critics need others
