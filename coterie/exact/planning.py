"""Optimal values and policies of a team, joint policies included."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from coterie.envs.finite.tables import Tables
from coterie.exact.dynamics import backup, chosen, discounted
from coterie.exact.evaluation import check_discount
from coterie.exact.policies import Policies

ROUNDING = 1e-12
"""An action is better only if its value is higher by more than this share of the largest value."""


class Optimum(NamedTuple):
    """The optimal value `V*(s)` `[M]`, policies that attain it, and how far `value` may be off.

    A best joint policy needs no chance, so it is a product policy: every agent's best action, as an
    array `[M, A_i]` of zeros and ones. `error` bounds `|value - V*|` in every state.
    """

    value: Float[np.ndarray, "M"]
    policies: Policies
    error: float


def optimum(tables: Tables, discount: float) -> Optimum:
    """Joint policy iteration (Howard): evaluate exactly, improve every state, until none improves.

    The residual of Bellman's optimality equation divided by `1 - gamma` bounds the error. One sweep
    over the tables per round, and rarely more than ten rounds.

    >>> climbing = np.array([[11, -30, 0, -30, 7, 6, 0, 0, 5]])
    >>> game = Tables(np.ones((1, 9, 1)), climbing[..., None], (3, 3), np.ones(1))
    >>> best = optimum(game, 0.0)
    >>> best.value, best.policies[1]
    (array([11.]), array([[1., 0., 0.]]))
    """
    check_discount(discount)
    states = np.arange(tables.states)
    actions = tables.team_reward.argmax(axis=1)
    while True:
        value = discounted(*chosen(tables, actions), discount)
        critic = backup(tables, discount, value)
        gain = critic.max(axis=1) - critic[states, actions]
        better = gain > ROUNDING * abs(critic).max()
        if not better.any():
            residual = abs(critic.max(axis=1) - value).max()
            return Optimum(value, _spread(tables, actions), float(residual / (1.0 - discount)))
        actions = np.where(better, critic.argmax(axis=1), actions)


def _spread(tables: Tables, actions: np.ndarray) -> Policies:
    each = np.unravel_index(actions, tables.actions)
    return tuple(np.eye(count)[own] for own, count in zip(each, tables.actions, strict=True))
