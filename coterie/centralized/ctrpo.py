"""Centralised trust-region policy optimisation: one learner that perceives and decides all."""

from dataclasses import dataclass

from coterie.algorithms.base.algorithm import AS_ONE, Information
from coterie.algorithms.trpo.itrpo import ITRPO


@dataclass(frozen=True)
class CTRPO(ITRPO):
    """TRPO of the joint policy (Schulman et al. 2015), MATRPO's baseline C-TRPO.

    One network on everybody's observations has a head for each agent's action; the region bounds
    the divergence of all heads together, and the team's mean reward is what is climbed.
    """

    @property
    def information(self) -> Information:
        return AS_ONE
