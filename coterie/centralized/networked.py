"""What networked actor-critics are measured against: one critic that hears all rewards."""

from dataclasses import dataclass, replace

from jaxtyping import PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.networked.base import CriticMessage
from coterie.algorithms.networked.networked_ac import NetworkedAC
from coterie.network import Network


@dataclass(frozen=True)
class CentralAC(NetworkedAC):
    """Networked actor-critic whose critics are told the team's mean reward by a centre.

    Policies stay each agent's own. Nothing is averaged, for all critics are told the same; so Adam
    keeps all its moments, where a networked critic sends one for each array.
    """

    @property
    def information(self) -> Information:
        return replace(super().information, reward="team", central=True, payloads=())

    def shared(self, state: PyTree) -> dict[str, PyTree]:
        return {}

    def agree(self, mine: CriticMessage, network: Network) -> tuple[CriticMessage, Network]:
        return mine._replace(scales=None), network
