"""Estimates of the others' log-ratios since a step was played, without seeing their policies.

`c = sum over the others of log pi(a) / pi_then(a)` is `N x - beta`, with `beta` an agent's own log
ratio and `x` its estimate of everybody's mean (Li & Jia, eqs. 39 to 46). Two ways to estimate it.
"""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.algorithms.base.off_policy import ExperienceReplay
from coterie.bounds import AtLeast
from coterie.internal.parts import Part
from coterie.network import Network, Payload

PAYLOAD = "log-ratios"


class LogRatioState(NamedTuple):
    """State of an estimate, kept with each stored step.

    own:  its log ratio beta when it last looked.
    mean: its estimate x of the mean of everybody's.
    """

    own: Float[Array, " B"]
    mean: Float[Array, " B"]


class LogRatioEstimate(Part, abc.ABC):
    """Estimator of the others' log-ratios."""

    @abc.abstractmethod
    def payload(self, replay: ExperienceReplay) -> Payload:
        """Payload that it sends, with such a memory."""

    @abc.abstractmethod
    def start(self, count: int) -> Any:
        """Values kept with so many steps just played."""

    @abc.abstractmethod
    def others_log_ratio(
        self, drift: Any, own: Float[Array, " B"], network: Network
    ) -> tuple[Float[Array, " B"], Network]:
        """`c` of drawn steps, given what was kept with them and the log ratios now."""

    @abc.abstractmethod
    def updated(self, drift: Any, own: Float[Array, " M"], network: Network) -> tuple[Any, Network]:
        """Values kept with all steps, given the log ratios after learning."""


@dataclass(frozen=True)
class GossipEstimate(LogRatioEstimate, name="gossip"):
    """Estimate for the drawn steps alone, by rounds of gossip that begin at beta."""

    rounds: Annotated[int, AtLeast(1)] = 5
    """Rounds of averages for each minibatch."""

    def payload(self, replay: ExperienceReplay) -> Payload:
        rounds, batch = self.rounds * replay.updates_per_rollout, replay.batch_size
        return Payload(PAYLOAD, messages=rounds, numbers=lambda spec: batch)

    def start(self, count: int) -> None:
        return None

    def others_log_ratio(
        self, drift: None, own: Float[Array, " B"], network: Network
    ) -> tuple[Float[Array, " B"], Network]:
        mean, network = network.gossip(own, PAYLOAD, self.rounds)
        return network.size * mean - own, network

    def updated(
        self, drift: None, own: Float[Array, " M"], network: Network
    ) -> tuple[None, Network]:
        return drift, network


@dataclass(frozen=True)
class TrackingEstimate(LogRatioEstimate, name="tracking"):
    """Estimate for every stored step, as printed: averages that follow the moving policies.

    New steps start with beta = x = 0, and `x` takes up every change of beta, so that the sums of
    both over the agents stay equal if the weights are symmetric.
    """

    def payload(self, replay: ExperienceReplay) -> Payload:
        return Payload(PAYLOAD, numbers=lambda spec: replay.buffer_size)

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
