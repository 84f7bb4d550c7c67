"""Constants of DPO's Theorem 3.2: those of the paper, and tighter ones of the game itself.

All of them belong to one inequality:

    J(pi) - J(pi_old) >= sum_i [ weight L^i(pi^i) - root sqrt(D_i) - linear D_i ],
    D_i = max_s KL(pi_old^i || pi^i).

The page "Finite games" derives the constants that are not in the paper.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from coterie.envs.finite.tables import Tables
from coterie.exact.dynamics import rows
from coterie.exact.evaluation import Evaluation


class Constants(NamedTuple):
    """Weights of an agent's own objective, of the root of its divergence, and of its divergence."""

    weight: float
    root: float
    linear: float


def paper_constants(old: Evaluation) -> Constants:
    """`1/N`, `M_hat` and `C` of DPO's Theorem 3.2.

    They need rewards in `[0, r_max]`. Adding a constant to every reward changes no advantage, so
    `r_max` is the distance from the lowest reward to the highest.

    With two agents or more the surrogate is then negative everywhere but at the old policy: the
    best step is none.
    """
    agents, left = old.agents, 1.0 - old.discount
    reach = reward_range(old.tables)
    root = math.sqrt((agents - 1) / agents) * 2.0 * reach / left**2
    return Constants(1.0 / agents, root, 4.0 * old.discount * reach / left**3)


def tightened_constants(old: Evaluation) -> Constants:
    """Theorem 3.2 with this very policy's advantages and visits instead of the worst ones.

    `2 r_max / (1 - gamma)^2` becomes `sum_s rho(s) span_s A / sqrt(2)`, `C` becomes `shift / 2`:
    both use `TV^2 <= KL / 2`. Still the best step is none with two agents or more, because
    `L^i <= sum_s rho(s) span_s A TV_s`.
    """
    agents = old.agents
    root = math.sqrt((agents - 1) / agents) * float(old.visits @ spans(old)) / math.sqrt(2.0)
    return Constants(1.0 / agents, root, shift(old) / 2.0)


def second_order_constants(old: Evaluation) -> Constants:
    """Constants without a root: to first order the team gains `sum_i L^i(pi^i)`, so agents disturb
    each other only to second order, and

        J(pi) - J(pi_old) >= sum_i [ L^i(pi^i) - c D_i ],
        c = (N - 1) / 2 sum_s rho(s) span_s A + shift / 2.

    Maximising this is DPO's eq. (17) with `M_hat = 0` and `C = c / N`: dividing by `N` moves no
    maximum.
    """
    crossing = (old.agents - 1) / 2.0 * float(old.visits @ spans(old))
    return Constants(1.0, 0.0, crossing + shift(old) / 2.0)


def reward_range(tables: Tables) -> float:
    """The distance from the lowest team reward to the highest."""
    return float(np.ptp(tables.team_reward))


def spans(old: Evaluation) -> Float[np.ndarray, "M"]:
    """`span_s A = max_a A(s, a) - min_a A(s, a)`, at most `r_max / (1 - gamma)`.

    A change of policy by `TV_s` moves `E[A]` by at most `TV_s span_s A`.
    """
    return np.ptp(old.joint_advantage, axis=1)


def shift(old: Evaluation) -> float:
    """The least `k` found with `|J(pi) - J(pi_old) - L^joint(pi)| <= k max_s TV_s^2`.

    TRPO's `k` is `2 gamma / (1 - gamma)^2 max_s span_s A`, for the worst case, in which other
    actions lead to states of their own and stay there. The transitions are known here: with
    `F(s, a, .) = P(. | s, a) (I - gamma P_old)^{-1}` and its mean `F(s, .)` under the old policy,
    `2 gamma / (1 - gamma) max_{s, a} sum_t |F(s, a, t) - F(s, t)| span_t A` holds as well.
    """
    span, left = spans(old), 1.0 - old.discount
    trpo = 2.0 * old.discount / left**2 * span.max()
    if trpo == 0.0:
        return 0.0
    future = np.linalg.inv(np.eye(old.tables.states) - old.discount * old.chain[0])
    usual, furthest = old.chain[0] @ future, 0.0
    for part, chunk in rows(old.tables):
        strays = abs(chunk @ future - usual[part, None]) @ span
        furthest = max(furthest, float(strays.max()))
    return float(min(trpo, 2.0 * old.discount / left * furthest))
