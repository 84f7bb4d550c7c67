"""Actor and critic as one objective: F2A2's eq. 4.4, by the gradients of Propositions 3 to 6.

The paper minimises costs, `alpha_1 J_actor + alpha_2 J_critic` with

    J_actor = E Q(o, a) over the policies' actions,  J_critic = E (Q(o, a) - y)^2 over stored ones,

in the parameters of both. Here are rewards to be maximised: with `Q = -Q_cost` and `y = -y_cost`,
`delta = Q - y` changes its sign and its square does not. A critic's gradient is given over `2
alpha_2` and a policy's over `alpha_1`, so that only two numbers are left:

    actor_weight_in_critic = alpha_1 / alpha_2:  J_actor lifts the values of what policies do;
    td_weight_in_actor = alpha_2 / alpha_1:  J_critic keeps policies from what surprises critics.

As printed one is the other's inverse. Alternating actor and critic steps have neither.

`J_actor` of Propositions 3 and 6 subtracts the counterfactual baseline `B = sum_b pi(b) Q(b)`, and
is 0 whatever the parameters: the printed gradients are right only if `B` is held fixed. So are
targets, in both blocks, as in appendix D, and importance ratios.
"""

import abc
import math
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.bounds import Above, AtLeast
from coterie.internal.parts import Part

Batch = Float[Array, " *B"]


def truncated(log_ratio: Batch, most: float = 1.0) -> Batch:
    """`min(epsilon, ratio)` of a ratio's logarithm (Remark 4), without a gradient.

    >>> truncated(jnp.log(jnp.array([0.5, 3.0]))).tolist()
    [0.5, 1.0]
    """
    return jax.lax.stop_gradient(jnp.exp(jnp.minimum(log_ratio, math.log(most))))


class Objective(Part, abc.ABC):
    """The terms of the joint gradient, one number for each sample, `[B]` or of any shape.

    values: of an action by each of `K` critics, `[K, B]`; policies climb the first.
    target: y, which they are to learn, `[B]`.
    moved:  log pi - log pi_0 of the agent's own action: how far its policy has moved since, `[B]`.

    Terms that look at a temporal difference belong to actions that were really taken (`stored`),
    whose reward `y` holds. The propositions add an estimate of the same with actions drawn afresh
    (`fresh`) and the reward of the stored one.
    """

    @property
    @abc.abstractmethod
    def actor_weight_in_critic(self) -> float:
        """alpha_1 / alpha_2."""

    @property
    @abc.abstractmethod
    def td_weight_in_actor(self) -> float:
        """alpha_2 / alpha_1."""

    @property
    @abc.abstractmethod
    def max_ratio(self) -> float:
        """epsilon: the largest importance ratio."""

    @property
    @abc.abstractmethod
    def max_td(self) -> float:
        """The most that squared differences count for in a score, where they are pure variance."""

    def critic_stored(self, values: Float[Array, "K *B"], target: Batch, moved: Batch) -> Batch:
        """A critic's loss: its gradient is the first expectation of Propositions 4 to 6.

        On-policy, where nothing has moved, it is all of Proposition 3's.
        """
        lifted = self.actor_weight_in_critic * truncated(moved, self.max_ratio) * values[0]
        return 0.5 * (_surprise(values, target) - lifted)

    def critic_fresh(self, values: Float[Array, "K *B"], target: Batch, moved: Batch) -> Batch:
        """Critic's loss whose gradient is the second expectation, with fresh actions."""
        back = truncated(-moved, self.max_ratio)
        return 0.5 * (back * _surprise(values, target) - self.actor_weight_in_critic * values[0])

    def pathwise_term(self, values: Float[Array, "K *B"], target: Batch, moved: Batch) -> Batch:
        """Pathwise term of the policy's objective (Propositions 4 and 5)."""
        back = truncated(-moved, self.max_ratio)
        return values[0] - self.td_weight_in_actor * back * _surprise(values, target)

    def score_term(
        self,
        log_prob: Batch,
        advantage: Batch,
        values: Float[Array, "K *B"],
        target: Batch,
        moved: Batch,
    ) -> Batch:
        """Score-function term of the policy's objective (Propositions 3 and 6, but for line 1)."""
        surprise = truncated(-moved, self.max_ratio) * self._felt(values, target)
        return log_prob * jax.lax.stop_gradient(advantage - self.td_weight_in_actor * surprise)

    def stored_score_term(self, log_prob: Batch, advantage: Batch, moved: Batch) -> Batch:
        """Line 1 of Proposition 6: the advantage of a stored action."""
        return log_prob * jax.lax.stop_gradient(advantage) * truncated(moved, self.max_ratio)

    def stored_td_term(
        self, log_prob: Batch, values: Float[Array, "K *B"], target: Batch, moved: Batch
    ) -> Batch:
        """The surprise's part of `score_term`, of stored actions instead of fresh ones.

        `E_pi min(epsilon, pi_0 / pi) x = E_pi_0 min(epsilon pi / pi_0, 1) x`, with `pi_0` the
        distribution of what is stored: the same gradient, but `y` is of the action in question.
        """
        weight = truncated(moved + math.log(self.max_ratio))
        return -self.td_weight_in_actor * weight * log_prob * self._felt(values, target)

    def _felt(self, values: Float[Array, "K *B"], target: Batch) -> Batch:
        return jax.lax.stop_gradient(jnp.minimum(self.max_td, _surprise(values, target)))


@dataclass(frozen=True)
class JointObjective(Objective, name="joint"):
    """Actor and critic as one objective (4.4)."""

    actor_weight_in_critic: Annotated[float, AtLeast(0)] = 0.01  # type: ignore[assignment]
    """alpha_1 / alpha_2 in the critic's block: the joint objective lifts values by half of it."""
    td_weight_in_actor: Annotated[float, AtLeast(0)] = 0.1  # type: ignore[assignment]
    """alpha_2 / alpha_1 in the policy's: how much it avoids what surprises the critic."""
    max_ratio: Annotated[float, AtLeast(1)] = 1.0  # type: ignore[assignment]
    """epsilon: the largest importance ratio."""
    max_td: Annotated[float, Above(0, infinite=True)] = 1.0  # type: ignore[assignment]
    """The most that a squared temporal difference counts for in a score."""


@dataclass(frozen=True)
class AlternatingObjective(Objective, name="alternating"):
    """Actor and critic each for itself, both at once: the ablation of the joint objective."""

    @property
    def actor_weight_in_critic(self) -> float:
        return 0.0

    @property
    def td_weight_in_actor(self) -> float:
        return 0.0

    @property
    def max_ratio(self) -> float:
        return 1.0

    @property
    def max_td(self) -> float:
        return math.inf


def _surprise(values: Float[Array, "K *B"], target: Batch) -> Batch:
    """The sum of the critics' squared temporal differences."""
    return jnp.sum((values - jax.lax.stop_gradient(target)) ** 2, axis=0)
