"""Small environments that are hard for independent learners, known from the literature."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from coterie.bounds import AtMost
from coterie.envs.finite.tables import Tables
from coterie.envs.finite.tabular import TabularGame


@dataclass(frozen=True)
class Climbing(TabularGame):
    """Game of one step: the best reward is 11, but missing it costs 30 (Claus & Boutilier 1998).

    >>> Climbing().table.team_reward[0].reshape(3, 3).tolist()
    [[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]]
    """

    def tables(self) -> Tables:
        return one_shot([[11, -30, 0], [-30, 7, 6], [0, 0, 5]])


@dataclass(frozen=True)
class Penalty(TabularGame):
    """Game of one step: agree on one of two tens, or pay a penalty (Claus & Boutilier 1998).

    >>> Penalty(k=-100.0).table.team_reward[0].reshape(3, 3).tolist()
    [[10.0, 0.0, -100.0], [0.0, 2.0, 0.0], [-100.0, 0.0, 10.0]]
    """

    k: Annotated[float, AtMost(0, "try -100")] = -100.0
    """Reward of both agents for choosing different tens; at most 0."""

    def tables(self) -> Tables:
        return one_shot([[10, 0, self.k], [0, 2, 0], [self.k, 0, 10]])


@dataclass(frozen=True)
class TwoStep(TabularGame):
    """Agent 0 chooses the next game of both: 7 for sure, or one worth up to 8 (QMIX, section 5).

    The states are the choice, the safe environment, the environment worth 8, and the end.
    """

    def tables(self) -> Tables:
        transition, reward = np.zeros((4, 4, 4), np.float32), np.zeros((4, 4), np.float32)
        transition[0, :2, 1] = transition[0, 2:, 2] = 1.0  # agent 0's choice is the slow digit
        transition[1:, :, 3] = 1.0
        reward[1], reward[2] = 7.0, [0.0, 1.0, 1.0, 8.0]
        return Tables(transition, team(reward, 2), (2, 2), np.eye(4, dtype=np.float32)[0])


def one_shot(payoff: list[list[float]]) -> Tables:
    """Return the tables of a game of one step: agent 0 picks a row of payoffs, agent 1 a column."""
    table = np.array(payoff, np.float32)
    transition, reward = np.zeros((2, table.size, 2), np.float32), np.zeros((2, table.size))
    transition[:, :, 1], reward[0] = 1.0, table.reshape(-1)
    return Tables(transition, team(reward, 2), table.shape, np.eye(2, dtype=np.float32)[0])


def team(reward: np.ndarray, agents: int) -> np.ndarray:
    """Return one reward `[M, J]` for each of so many agents, `[M, J, N]`."""
    return np.broadcast_to(reward[..., None], (*reward.shape, agents))
