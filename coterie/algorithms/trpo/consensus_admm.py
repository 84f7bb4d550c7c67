"""Consensus of MATRPO's agents on log-ratios by ADMM: their messages, and their updates.

Every agent looks for its step in a span of few directions, which grows while it meets others (see
`cg_subspace`). In every round it tells its log-ratios, `N M` numbers; or, to first order, the
coefficients of its step (see `direction_coefficients`).
"""

import abc
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from coterie.internal.parts import Part
from coterie.network import Inbox, Network, Payload, expand_mask
from coterie.rl.cg_subspace import KrylovSubspace, Region, SubspaceStep, best, extend
from coterie.rl.linearized_policy import LinearizedPolicy
from coterie.types import LearnerSpec

RATIOS = "log-ratios"


class LocalProblem(NamedTuple):
    """Local problem of an agent without neighbours: the best step for its gain in a region.

    local:   its policy to first order.
    gain:    what raising each log ratio brings, `[T, G, N]`.
    region:  where the step has to stay, and what departures from 0 cost in it.
    penalty: beta, of departures from a midpoint.
    """

    local: LinearizedPolicy
    gain: Float[Array, "T G N"]
    region: Region
    penalty: float

    def common(self, vectors: Float[Array, "*L T G N"]) -> Float[Array, "*K T G N"]:
        """Vectors as each link ties them: 0 where one of its ends is not in the environment."""
        both = self.local.both
        return vectors if both is None else jnp.where(both, vectors, 0.0)


class ADMMState(NamedTuple):
    """State of the links of an agent, to agree on a vector `[...]` with each neighbor.

    Two ends of a link want `r = r'`. With `z = C m` and `y = C u`, `C` being 1 at one end and -1 at
    the other, the signs cancel from Wei & Ozdaglar's updates: after a meeting both ends hold the
    same midpoint `m = (r + r') / 2`, and `u` has moved by `beta (r - r') / 2` at the one and by its
    negative at the other. So nothing but `r` needs to be said, and whoever was not heard changes
    nothing.

    dual:     the sum of its multipliers `u`, `[...]`.
    edge_average: with each neighbour, `[K, ...]`; 0 before they first meet.
    """

    dual: Array
    edge_average: Array

    @staticmethod
    def fresh(places: int, shape: tuple[int, ...]) -> "ADMMState":
        """Initial state: the dual variables and the averages are 0."""
        return ADMMState(jnp.zeros(shape), jnp.zeros((places, *shape)))

    def pull(self, penalty: float) -> Array:
        """Negative gradient of the dual and penalty terms at the vector 0."""
        return penalty * jnp.sum(self.edge_average, axis=0) - self.dual

    def after(self, heard: Inbox, penalty: float) -> "ADMMState":
        """State after an exchange with those that were heard; `penalty` is beta."""
        met = expand_mask(heard.arrived, self.edge_average)
        half = jnp.where(met, 0.5 * (heard.sent - heard.received), 0.0)
        return ADMMState(
            self.dual + penalty * jnp.sum(half, axis=0),
            jnp.where(met, heard.sent - half, self.edge_average),
        )


class ADMMCarry(NamedTuple):
    """State of the rounds: the step last sent, the links' state (`ties`), and the network."""

    step: SubspaceStep
    ties: ADMMState
    network: Network


class RatioExchange(Part, abc.ABC):
    """Way of telling neighbours about log-ratios: the messages, and the vectors that ties hold.

    known: what an agent knows from messages about directions; `()` if they are not told.
    """

    @abc.abstractmethod
    def payloads(
        self, rounds: int, directions: int, ratios: Callable[[LearnerSpec], int]
    ) -> tuple[Payload, ...]:
        """Declaration of the messages of an update; `ratios` is the number of all log-ratios."""

    @abc.abstractmethod
    def start(
        self, problem: LocalProblem, span: KrylovSubspace, network: Network
    ) -> tuple[PyTree, ADMMCarry]:
        """Initial `known` and state of the rounds, before any message."""

    def add_directions(
        self,
        known: PyTree,
        problem: LocalProblem,
        span: KrylovSubspace,
        places: Int[Array, " P"],
        network: Network,
    ) -> tuple[PyTree, Network]:
        """What is known after the span was widened in these consecutive places."""
        return known, network

    @abc.abstractmethod
    def round(
        self, known: PyTree, problem: LocalProblem, span: KrylovSubspace, meeting: ADMMCarry
    ) -> ADMMCarry:
        """Run one round: improve the step, exchange messages, update the ties."""

    @abc.abstractmethod
    def ratio(
        self, problem: LocalProblem, span: KrylovSubspace, step: SubspaceStep
    ) -> Float[Array, "T G N"]:
        """The log-ratios of a step."""

    @abc.abstractmethod
    def expand(self, known: PyTree, problem: LocalProblem, vector: Array) -> Float[Array, "T G N"]:
        """Log-ratios of a vector of the ties."""


@dataclass(frozen=True)
class FullRatios(RatioExchange, name="exact"):
    """All log-ratios in every round, as the stepped policy has them."""

    def payloads(
        self, rounds: int, directions: int, ratios: Callable[[LearnerSpec], int]
    ) -> tuple[Payload, ...]:
        return (Payload(RATIOS, messages=rounds, numbers=ratios),)

    def start(
        self, problem: LocalProblem, span: KrylovSubspace, network: Network
    ) -> tuple[tuple[()], ADMMCarry]:
        ties = ADMMState.fresh(len(network.neighbor), problem.gain.shape)
        return (), ADMMCarry(SubspaceStep.none(span), ties, network)

    def round(
        self, known: tuple[()], problem: LocalProblem, span: KrylovSubspace, meeting: ADMMCarry
    ) -> ADMMCarry:
        pull = problem.gain + meeting.ties.pull(problem.penalty)
        step = best(span, span.gains(problem.local, pull), problem.region)
        ratio = self.ratio(problem, span, step)
        heard, network = meeting.network.neighbors(ratio, RATIOS)
        said, values = problem.common(heard.sent), problem.common(heard.received)
        heard = heard._replace(sent=said, received=values)
        return ADMMCarry(step, meeting.ties.after(heard, problem.penalty), network)

    def ratio(
        self, problem: LocalProblem, span: KrylovSubspace, step: SubspaceStep
    ) -> Float[Array, "T G N"]:
        local = problem.local
        ratio = local.at(local.start + step.along(span.moves))[0]
        return jnp.where(jnp.isfinite(jnp.sum(ratio)), ratio, 0.0)

    def expand(
        self, known: tuple[()], problem: LocalProblem, vector: Float[Array, "T G N"]
    ) -> Float[Array, "T G N"]:
        return vector


class ADMMResult(NamedTuple):
    """Result of the rounds of ADMM.

    change: of the parameters.
    ratio:  the log ratios that go with it, as they would be told.
    ties:   to the neighbours, of log ratios.
    """

    change: Float[Array, " D"]
    ratio: Float[Array, "T G N"]
    ties: ADMMState
    network: Network


SoFar = tuple[KrylovSubspace, PyTree, ADMMCarry]


def solve_admm(
    problem: LocalProblem, exchange: RatioExchange, directions: int, rounds: int, network: Network
) -> ADMMResult:
    """Run so many rounds of ADMM.

    The span of steps is widened at regular intervals, until it has so many directions; in the last
    fifth of the rounds it stays as it is, so that agents can still agree on the last direction.
    Where there are fewer rounds than directions, several are added at once, up to the last round.
    """

    def wider(so_far: SoFar, places: Array) -> SoFar:
        span, known, (step, ties, network) = so_far
        pull = problem.gain + exchange.expand(known, problem, ties.pull(problem.penalty))
        span = extend(problem.local, span, pull, problem.region, places)
        known, network = exchange.add_directions(known, problem, span, places, network)
        return span, known, ADMMCarry(step, ties, network)

    def met(so_far: SoFar, rounds: int) -> SoFar:
        span, known, meeting = so_far

        def once(meeting: ADMMCarry, _: None) -> tuple[ADMMCarry, None]:
            return exchange.round(known, problem, span, meeting), None

        return span, known, jax.lax.scan(once, meeting, None, length=rounds)[0]

    def part(so_far: SoFar, places: Array) -> tuple[SoFar, None]:
        return met(wider(so_far, places), each), None

    span = KrylovSubspace.empty(problem.local, directions)
    places = jnp.arange(len(span.moves))
    parts = min(len(places), rounds)
    each = max(4 * rounds // 5 // parts, 1)
    early = len(places) % parts
    known, meeting = exchange.start(problem, span, network)
    so_far = span, known, meeting
    if early:
        so_far = wider(so_far, places[:early])
    so_far, _ = jax.lax.scan(part, so_far, places[early:].reshape(parts, -1))
    span, known, (step, ties, network) = met(so_far, rounds - parts * each)
    expand = functools.partial(exchange.expand, known, problem)
    ties = ADMMState(expand(ties.dual), jax.vmap(expand)(ties.edge_average))
    return ADMMResult(step.along(span.moves), exchange.ratio(problem, span, step), ties, network)
