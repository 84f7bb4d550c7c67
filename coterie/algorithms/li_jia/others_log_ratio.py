"""How far the others' policies have moved since a step was played, without seeing them.

`c = sum over the others of log pi(a) / pi_then(a)` is `N x - beta`, with `beta` an agent's own log
ratio and `x` its estimate of everybody's mean (Li & Jia, eqs. 39 to 46). Two ways to estimate it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.network import Network

PAYLOAD = "log-ratios"


class LogRatioState(NamedTuple):
    """What an agent keeps with each stored step.

    own:  its log ratio beta when it last looked.
    mean: its estimate x of the mean of everybody's.
    """

    own: Float[Array, " B"]
    mean: Float[Array, " B"]


@dataclass(frozen=True)
class GossipEstimate:
    """For the drawn steps alone: `rounds` of gossip that begin at beta. Nothing is kept."""

    rounds: int

    def start(self, count: int) -> None:
        """What is kept with steps just played."""
        return None

    def others_log_ratio(
        self, drift: None, own: Float[Array, " B"], network: Network
    ) -> tuple[Float[Array, " B"], Network]:
        """`c` of drawn steps, given what was kept with them and the log ratios now."""
        mean, network = network.gossip(own, PAYLOAD, self.rounds)
        return network.size * mean - own, network

    def updated(
        self, drift: None, own: Float[Array, " M"], network: Network
    ) -> tuple[None, Network]:
        """What is kept with all steps, given the log ratios after learning."""
        return drift, network


@dataclass(frozen=True)
class TrackingEstimate:
    """For every stored step, as printed: a round of averages that follow moving policies.

    New steps start with beta = x = 0, and `x` takes up every change of beta, so that the sums of
    both over the agents stay equal if the weights are symmetric.
    """

    def start(self, count: int) -> LogRatioState:
        return LogRatioState(jnp.zeros(count), jnp.zeros(count))

    def others_log_ratio(
        self, drift: LogRatioState, own: Float[Array, " B"], network: Network
    ) -> tuple[Float[Array, " B"], Network]:
        return network.size * drift.mean - drift.own, network

    def updated(
        self, drift: LogRatioState, own: Float[Array, " M"], network: Network
    ) -> tuple[LogRatioState, Network]:
        mean, network = network.mix(drift.mean + own - drift.own, PAYLOAD)
        return LogRatioState(own, mean), network
