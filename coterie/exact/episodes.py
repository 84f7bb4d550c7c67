"""Highest return of a team in an episode of so many steps, undiscounted."""

import numpy as np

from coterie.envs.finite.tables import Tables
from coterie.errors import require
from coterie.exact.dynamics import backup


def best_return(tables: Tables, steps: int) -> float:
    """The highest mean return of an episode that is cut off after `steps`: backward induction.

    The team may act as one and may know the time; its reward is the mean of the agents'.

    >>> climbing = np.array([[11, -30, 0, -30, 7, 6, 0, 0, 5]])
    >>> game = Tables(np.ones((1, 9, 1)), climbing[..., None], (3, 3), np.ones(1))
    >>> best_return(game, 2)
    22.0
    """
    require(steps >= 1, f"steps must be at least 1, not {steps}.")
    value = np.zeros(tables.states)
    for _ in range(steps):
        value = backup(tables, 1.0, value).max(axis=1)
    return float(tables.start @ value)
