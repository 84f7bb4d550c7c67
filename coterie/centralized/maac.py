"""MAAC: the reference point whose critics attend to the others, by weights that all have."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import equinox as eqx

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.f2a2.f2a2_sac import F2A2SAC
from coterie.algorithms.f2a2.primal_dual import DualState
from coterie.network import Network


@dataclass(frozen=True)
class MAAC(F2A2SAC):
    """Multi-actor-attention-critic (Iqbal & Sha 2019): soft actor-critic with a centre.

    F2A2-SAC without what makes it decentralised: there is one set of attention weights, which
    steps along the mean of all agents' gradients, and everybody is told what the others' policies
    would do. Actor and critic alternate. Rewards are each agent's own, neither scaled (a
    temperature of 0.01 is a scale of 100) nor standardised; attention is not regularised.
    """

    objective: Literal["joint", "alternating"] = "alternating"
    """Actor and critic each for itself, or as one objective."""
    opponent_actions: Literal["estimates", "policies", "none"] = "policies"
    """What the others would do: what their policies say."""

    @property
    def information(self) -> Information:
        return replace(super().information, central=True)

    def aggregate_gradient(self, gradient: Any, network: Network) -> tuple[Any, Network]:
        return self._averaged(gradient, network)

    def require_agreement(self) -> None:
        """There is nothing to hold together: `penalty` and `dual_decay` mean nothing here."""

    def agree(
        self, models: Models, change: Any, pact: DualState, network: Network
    ) -> tuple[Models, DualState, Network]:
        """The weights start out as different draws; from the first round on they are the same."""
        models, network = self._averaged(eqx.apply_updates(models, change), network)
        return models, pact, network

    def _averaged(self, models: Models, network: Network) -> tuple[Models, Network]:
        shared, mine = self.parts(models)
        mean, network = network.mix(shared, self.payload)
        return eqx.combine(mean, mine), network
