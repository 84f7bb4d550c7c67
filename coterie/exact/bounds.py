"""The right-hand sides of DPO's inequalities, for any pair of joint policies."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from coterie.exact.constants import Constants, reward_range, shift, spans
from coterie.exact.distances import divergence, total_variation
from coterie.exact.evaluation import Evaluation
from coterie.exact.objectives import individual_objective, joint_objective
from coterie.exact.policies import checked, joint


def trpo_bound(old: Evaluation, policies: Sequence[np.ndarray]) -> float:
    """`L^joint(pi) - C max_s KL`, DPO eq. (3), a lower bound of `J(pi) - J(pi_old)`."""
    left = 1.0 - old.discount
    price = 4.0 * old.discount * reward_range(old.tables) / left**3
    step = divergence(old.joint, joint(checked(old.tables, policies))).max()
    return joint_objective(old, policies) - _times(price, step)


def lemma_bound(old: Evaluation, policies: Sequence[np.ndarray], agent: int) -> float:
    """`-M_tilde sqrt(sum_{j != i} D_j)`, Lemma 3.1, a lower bound of `L^joint(pi) - L^i(pi^i)`."""
    steps = [divergence(*pair).max() for pair in zip(old.policies, policies, strict=True)]
    price = 2.0 * reward_range(old.tables) / (1.0 - old.discount) ** 2
    return -_times(price, math.sqrt(sum(steps[:agent] + steps[agent + 1 :])))


def tight_lemma_bound(old: Evaluation, policies: Sequence[np.ndarray], agent: int) -> float:
    """Lemma 3.1 before it is loosened: `-sum_s rho(s) span_s A TV_s(pi_old^{-i}, pi^{-i})`."""
    others = [*policies]
    others[agent] = old.policies[agent]
    change = total_variation(old.joint, joint(checked(old.tables, others)))
    return -float(old.visits @ (spans(old) * change))


def surrogate(
    old: Evaluation, agent: int, policy: Float[np.ndarray, "M A"], constants: Constants
) -> float:
    """`weight L^i(pi^i) - root sqrt(D_i) - linear D_i`: agent `i` maximises it, DPO eq. (17)."""
    step = divergence(old.policies[agent], policy).max()
    gain = constants.weight * individual_objective(old, agent, policy)
    return float(gain - _times(constants.root, math.sqrt(step)) - _times(constants.linear, step))


def improvement_bound(
    old: Evaluation, policies: Sequence[np.ndarray], constants: Constants
) -> float:
    """The right-hand side of DPO's Theorem 3.2, a lower bound of `J(pi) - J(pi_old)`."""
    new = checked(old.tables, policies)
    return sum(surrogate(old, agent, policy, constants) for agent, policy in enumerate(new))


def tight_improvement_bound(old: Evaluation, policies: Sequence[np.ndarray]) -> float:
    """Theorem 3.2 before it is loosened: means of `L^i` and Lemma 3.1, `TV` instead of roots."""
    new = checked(old.tables, policies)
    change = total_variation(old.joint, joint(new)).max()
    terms = [
        individual_objective(old, agent, policy) + tight_lemma_bound(old, new, agent)
        for agent, policy in enumerate(new)
    ]
    return float(np.mean(terms) - shift(old) * change**2)


def _times(price: float, step: float) -> float:
    """Product of a price and a step; 0 for a price of 0, even if the step is infinite."""
    return price * step if price else 0.0
