"""Base of the methods whose networks see normalized observations and rewards."""

import abc
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from jaxtyping import PyTree

from coterie.algorithms.base.algorithm import Algorithm, Information
from coterie.network import Payload

REWARD_SCALE = "reward-scale"
"""The payload by which a team divides its rewards alike."""


@dataclass(frozen=True)
class Normalizing(Algorithm):
    """A method that learns with the same settings whatever the units of an environment are.

    Observations and rewards reach its networks in deviations, by running moments that each agent
    forms of its own data (see `coterie.training.scales`). A method that puts its rewards beside
    others' declares `REWARD_SCALE`, by which all divide by the same.
    """

    normalize_observations: bool = True
    """Show networks what they see in deviations from its running mean, cut at 10."""
    normalize_rewards: bool = True
    """Divide rewards by the running deviation of discounted returns."""

    discount: ClassVar[Any]
    """gamma: a field of those who derive from this."""

    @abc.abstractmethod
    def in_reward_units(self, state: PyTree) -> list[PyTree]:
        """The parts of an agent's state that are in units of reward, to be rescaled along with it:
        heads of critics, stored rewards."""

    def scaled_alike(self, information: Information) -> Information:
        """A declaration with what is sent so that the team's private rewards have one scale."""
        alone = information.reward == "team" or not information.sends
        if alone or not self.normalize_rewards:
            return information
        told = Payload(REWARD_SCALE, numbers=lambda spec: 1)
        return replace(information, payloads=(*information.payloads, told))
