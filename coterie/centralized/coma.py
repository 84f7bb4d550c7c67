"""COMA: the reference point whose critic is told the team's reward by a centre."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import equinox as eqx
from jaxtyping import PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.f2a2.f2a2_coma import F2A2COMA
from coterie.algorithms.f2a2.primal_dual import DualState
from coterie.network import Network


@dataclass(frozen=True)
class COMA(F2A2COMA):
    """Counterfactual multi-agent policy gradients (Foerster et al. 2018).

    Policies stay each agent's own. All critics see the same and are paid the team's mean reward, so
    that there is nothing to agree on; critics and policies have an objective each.
    """

    objective: Literal["joint", "alternating"] = "alternating"
    """Actor and critic each for itself, or as one objective."""

    @property
    def information(self) -> Information:
        return replace(super().information, reward="team", central=True, payloads=())

    def require_agreement(self) -> None:
        """There is nothing to hold together: `penalty` and `dual_decay` mean nothing here."""

    def agree(
        self, models: Models, change: Any, pact: DualState, network: Network
    ) -> tuple[Models, DualState, Network]:
        return eqx.apply_updates(models, change), pact, network

    def shared(self, state: Any) -> dict[str, PyTree]:
        return {}
