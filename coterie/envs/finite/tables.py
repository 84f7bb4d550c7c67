"""A finite game written out as tables, for exact mathematics."""

import math
from typing import NamedTuple

import numpy as np

from coterie.errors import EnvError, require

ROUNDING = 1e-5
"""How far from 1 the sum of probabilities may be."""


class Tables(NamedTuple):
    """Transition and reward tables of a finite game with `M` states and `J` joint actions.

    transition: `P(s' | s, a)`, `[M, J, M]`; rows sum to one.
    reward:     every agent's mean reward `R^i(s, a)`, `[M, J, N]`.
    actions:    each agent's number of actions, `(A_1, ..., A_N)`. Joint actions are numbered with
                the last agent's action running fastest, as `np.ravel_multi_index` does.
    start:      the probabilities of the first state, `[M]`.
    """

    transition: np.ndarray
    reward: np.ndarray
    actions: tuple[int, ...]
    start: np.ndarray

    @property
    def states(self) -> int:
        """Number of states `M`."""
        return self.transition.shape[0]

    @property
    def team_reward(self) -> np.ndarray:
        """The mean of the agents' rewards, `[M, J]`, float64."""
        return self.reward.mean(axis=-1, dtype=np.float64)

    def checked(self) -> "Tables":
        """Return these tables if they are valid; else raise an `EnvError` that names the fault."""
        self._check_shapes()
        self._check_probabilities()
        bad = np.argwhere(~np.isfinite(self.reward))
        where = ", ".join(map(str, bad[0])) if len(bad) else ""
        require(
            len(bad) == 0,
            f"the reward at (state, joint action, agent) ({where}) is not finite: look for a "
            "division by 0 or a missing entry.",
            EnvError,
        )
        return self

    def _check_shapes(self) -> None:
        shape, agents = self.transition.shape, len(self.actions)
        require(
            len(shape) == 3 and shape[0] == shape[2] and self.transition.size > 0,
            f"transition must be [states, joint actions, states], not {list(shape)}.",
            EnvError,
        )
        needed = math.prod(self.actions)
        require(
            shape[1] == needed,
            f"the table holds {shape[1]} joint actions, but {agents} agents with "
            f"{' x '.join(map(str, self.actions))} actions have {needed}: give it one for each.",
            EnvError,
        )
        wanted = [*shape[:2], agents]
        require(
            list(self.reward.shape) == wanted,
            f"reward must be [states, joint actions, agents], {wanted}, not "
            f"{list(self.reward.shape)}: a team's reward is given to each of its agents.",
            EnvError,
        )

    def _check_probabilities(self) -> None:
        states, lowest = self.states, min(np.min(self.transition), np.min(self.start, initial=1.0))
        require(
            bool(lowest >= 0.0),
            f"probabilities must be at least 0, not {lowest:.6g}: look for a sign or a missing "
            "entry.",
            EnvError,
        )
        sums = self.transition.sum(axis=-1, dtype=np.float64)
        state, action = np.unravel_index(np.argmax(abs(sums - 1.0)), sums.shape)
        require(
            bool(abs(sums[state, action] - 1.0) < ROUNDING),
            f"the probabilities of what follows state {state} under joint action {action} sum to "
            f"{sums[state, action]:.6g}, not 1: divide each row by its sum.",
            EnvError,
        )
        require(
            self.start.shape == (states,) and bool(abs(self.start.sum() - 1.0) < ROUNDING),
            f"start needs {states} probabilities that sum to 1, not {list(self.start.shape)} that "
            f"sum to {self.start.sum():.6g}.",
            EnvError,
        )
