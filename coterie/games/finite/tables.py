"""A finite game written out as tables, for exact mathematics."""

import math
from typing import NamedTuple

import numpy as np

from coterie.errors import GameError, require


class Tables(NamedTuple):
    """Everything there is to know of a finite game with `M` states and `J` joint actions.

    transition: `P(s' | s, a)`, `[M, J, M]`; rows sum to one.
    reward:     every agent's mean reward `R^i(s, a)`, `[M, J, N]`.
    actions:    how many actions each agent has, `(A_1, ..., A_N)`. Joint actions are numbered with
                the last agent's action running fastest, as `np.ravel_multi_index` does.
    start:      the probabilities of the first state, `[M]`.
    """

    transition: np.ndarray
    reward: np.ndarray
    actions: tuple[int, ...]
    start: np.ndarray

    @property
    def states(self) -> int:
        """M."""
        return self.transition.shape[0]

    @property
    def team_reward(self) -> np.ndarray:
        """The mean of the agents' rewards, `[M, J]`, float64."""
        return self.reward.mean(axis=-1, dtype=np.float64)

    def checked(self) -> "Tables":
        """The same tables; `GameError` says what is wrong with them in one sentence."""
        states, joint = self.transition.shape[:2]
        require(
            joint == math.prod(self.actions),
            f"{joint} joint actions cannot be {' x '.join(map(str, self.actions))} of the agents'.",
            GameError,
        )
        lowest = np.min(self.transition)
        require(
            bool(lowest >= 0.0),
            f"transition probabilities must be at least 0, not {lowest}.",
            GameError,
        )
        sums = self.transition.sum(axis=-1, dtype=np.float64)
        state, action = np.unravel_index(np.argmax(abs(sums - 1.0)), sums.shape)
        require(
            bool(abs(sums[state, action] - 1.0) < 1e-5),
            f"transition probabilities from state {state} under joint action {action} sum to "
            f"{sums[state, action]:.6g}, not 1: divide each row by its sum.",
            GameError,
        )
        require(
            self.start.shape == (states,) and bool(abs(self.start.sum() - 1.0) < 1e-5),
            f"start needs {states} probabilities that sum to 1.",
            GameError,
        )
        bad = np.argwhere(~np.isfinite(self.reward))
        require(
            len(bad) == 0,
            f"the reward at (state, joint action, agent) {tuple(map(int, bad[0])) if len(bad) else ()} "
            "is not finite.",
            GameError,
        )
        return self
