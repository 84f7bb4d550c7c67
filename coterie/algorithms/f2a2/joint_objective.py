"""Actor and critic as one objective: F2A2's eq. 4.4, by the gradients of Propositions 3 to 6.

The paper minimises costs, `alpha_1 J_actor + alpha_2 J_critic` with

    J_actor = E Q(o, a) over the policies' actions,  J_critic = E (Q(o, a) - y)^2 over stored ones,

in the parameters of both. Here are rewards to be maximised: with `Q = -Q_cost` and `y = -y_cost`,
`delta = Q - y` changes its sign and its square does not. A critic's gradient is given over `2
alpha_2` and a policy's over `alpha_1`, so that only two numbers are left:

    optimism = alpha_1 / alpha_2,  by which J_actor lifts the values of what the policy does;
    caution  = alpha_2 / alpha_1,  by which J_critic keeps policies from what surprises the critic.

As printed one is the other's inverse. Alternating actor and critic steps have neither.

`J_actor` of Propositions 3 and 6 subtracts the counterfactual baseline `B = sum_b pi(b) Q(b)`, and
is 0 whatever the parameters: the printed gradients are right only if `B` is held fixed. So are
targets, in both blocks, as in appendix D, and importance ratios.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Batch = Float[Array, " *B"]


def truncated(log_ratio: Batch, most: float = 1.0) -> Batch:
    """`min(epsilon, ratio)` of a ratio's logarithm (Remark 4), without a gradient.

    >>> truncated(jnp.log(jnp.array([0.5, 3.0]))).tolist()
    [0.5, 1.0]
    """
    return jax.lax.stop_gradient(jnp.exp(jnp.minimum(log_ratio, math.log(most))))


@dataclass(frozen=True)
class JointObjective:
    """The terms of the joint gradient, one number for each sample, `[B]` or of any shape.

    values: of an action by each of `K` critics, `[K, B]`; policies climb the first.
    target: y, which they are to learn, `[B]`.
    moved:  log pi - log pi_0 of the agent's own action: how far its policy has moved since, `[B]`.

    Terms that look at a temporal difference belong to actions that were really taken (`stored`),
    whose reward `y` holds. The propositions add an estimate of the same with actions drawn afresh
    (`fresh`) and the reward of the stored one.
    """

    actor_weight_in_critic: float = 0.0
    td_weight_in_actor: float = 0.0
    most: float = 1.0
    """epsilon: the largest importance ratio."""
    cut: float = math.inf
    """The most that squared differences count for in a score, where they are pure variance."""

    def critic_stored(self, values: Float[Array, "K *B"], target: Batch, moved: Batch) -> Batch:
        """A critic's loss: its gradient is the first expectation of Propositions 4 to 6.

        On-policy, where nothing has moved, it is all of Proposition 3's.
        """
        lifted = self.actor_weight_in_critic * truncated(moved, self.most) * values[0]
        return 0.5 * (_surprise(values, target) - lifted)

    def critic_fresh(self, values: Float[Array, "K *B"], target: Batch, moved: Batch) -> Batch:
        """The same for the second expectation."""
        back = truncated(-moved, self.most)
        return 0.5 * (back * _surprise(values, target) - self.actor_weight_in_critic * values[0])

    def pathwise_term(self, values: Float[Array, "K *B"], target: Batch, moved: Batch) -> Batch:
        """What a policy climbs through an action that is a function of it (Propositions 4, 5)."""
        back = truncated(-moved, self.most)
        return values[0] - self.td_weight_in_actor * back * _surprise(values, target)

    def score_term(
        self,
        log_prob: Batch,
        advantage: Batch,
        values: Float[Array, "K *B"],
        target: Batch,
        moved: Batch,
    ) -> Batch:
        """What a policy climbs by a fresh action's score (Propositions 3 and 6, but for line 1)."""
        surprise = truncated(-moved, self.most) * self._felt(values, target)
        return log_prob * jax.lax.stop_gradient(advantage - self.td_weight_in_actor * surprise)

    def stored_score_term(self, log_prob: Batch, advantage: Batch, moved: Batch) -> Batch:
        """Line 1 of Proposition 6: the advantage of a stored action."""
        return log_prob * jax.lax.stop_gradient(advantage) * truncated(moved, self.most)

    def stored_td_term(
        self, log_prob: Batch, values: Float[Array, "K *B"], target: Batch, moved: Batch
    ) -> Batch:
        """The surprise's part of `score_term`, of stored actions instead of fresh ones.

        `E_pi min(epsilon, pi_0 / pi) x = E_pi_0 min(epsilon pi / pi_0, 1) x`, with `pi_0` the
        distribution of what is stored: the same gradient, but `y` is of the action in question.
        """
        weight = truncated(moved + math.log(self.most))
        return -self.td_weight_in_actor * weight * log_prob * self._felt(values, target)

    def _felt(self, values: Float[Array, "K *B"], target: Batch) -> Batch:
        return jax.lax.stop_gradient(jnp.minimum(self.cut, _surprise(values, target)))


def _surprise(values: Float[Array, "K *B"], target: Batch) -> Batch:
    """The sum of the critics' squared temporal differences."""
    return jnp.sum((values - jax.lax.stop_gradient(target)) ** 2, axis=0)
