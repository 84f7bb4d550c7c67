"""Multi-agent PPO: the reference point that is allowed to learn at a centre."""

from dataclasses import dataclass

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.ppo.ippo import IPPO


@dataclass(frozen=True)
class MAPPO(IPPO):
    """PPO with critics of the global state and the team's mean reward (Yu et al. 2021).

    Policies are each agent's own and act on its own observation; only learning is central. All
    critics see the same state and the same reward.
    """

    @property
    def information(self) -> Information:
        return Information(state=True, reward="team", central=True)
