"""F2A2-COMA: policies that learn by counterfactual advantages."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.algorithms.f2a2.on_policy import Critics, F2A2OnPolicy, PolicyBatch
from coterie.rl.distributions import probabilities


@dataclass(frozen=True)
class F2A2COMA(F2A2OnPolicy):
    """Counterfactual policy gradients with critics by consensus (Proposition 3).

        critics:  (Q(o, a) - y)^2 and (V(o) - y)^2
        policy:   log pi(a_i | o_i) (Q(o, a) - B),  B = sum_b pi(b | o_i) Q(o, (b, a_-i))

    to be maximised. `B` is held fixed: as `E(Q - B) = 0` for any policy, nothing would be left of
    the objective if it were not. It needs the own policy alone, others' actions being what they
    were.
    """

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "discrete"

    def actor_objective(self, critics: Critics, case: PolicyBatch) -> Float[Array, "T G"]:
        advantage = self.advantage(critics, case)
        return self.objective.stored_score_term(case.log_prob, advantage, case.moved)

    def advantage(self, critics: Critics, case: PolicyBatch) -> Float[Array, "T G"]:
        """Counterfactual advantage `Q - B` of the action that was taken."""

        def instead(action: Float[Array, " W"]) -> Float[Array, "T G"]:
            actions = case.actions.at[..., case.index, :].set(action)
            return self.values(critics, case.view, actions, case.index)[0]

        each = jax.vmap(instead, out_axes=-1)(jnp.eye(case.actions.shape[-1]))
        did, chances = case.actions[..., case.index, :], probabilities(case.choices)
        return jnp.sum((did - chances) * each, axis=-1)
