"""Gains of a new policy while states are still visited as under the old one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from coterie.exact.evaluation import Evaluation
from coterie.exact.policies import checked, joint


def joint_objective(old: Evaluation, policies: Sequence[np.ndarray]) -> float:
    """`L^joint(pi) = sum_s rho_old(s) sum_a pi(a | s) A_old(s, a)`, DPO eq. (4)."""
    gains = (joint(checked(old.tables, policies)) * old.joint_advantage).sum(axis=1)
    return float(old.visits @ gains)


def individual_objective(old: Evaluation, agent: int, policy: Float[np.ndarray, "M A"]) -> float:
    """`L^i(pi^i) = sum_s rho_old(s) sum_{a^i} pi^i(a^i | s) A^i_old(s, a^i)`, DPO eq. (6).

    It is what the team gains to first order if agent `i` alone changes.
    """
    return float(old.visits @ (policy * old.advantage(agent)).sum(axis=1))
