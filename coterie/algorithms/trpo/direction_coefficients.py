"""Exchange of log-ratios to first order, which costs the same for any number of samples.

Each new direction of an agent's span is told once. In every round an agent then tells how far it
goes along each. All that it knows of a neighbour are combinations of vectors whose products with
its own it knows, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from coterie.algorithms.trpo.consensus_admm import (
    RATIOS,
    ADMMCarry,
    ADMMState,
    LocalProblem,
    RatioExchange,
)
from coterie.network import Network, Payload, expand_mask
from coterie.rl.cg_subspace import KrylovSubspace, SubspaceStep, best
from coterie.types import LearnerSpec

STEPS = "steps"


class ToldDirections(NamedTuple):
    """Directions of an agent and its neighbours, as both ends of each link know them.

    vectors: `[K R, M N]`; 0 for what is not there. As in a span, they are not read between the
             finding of a direction and its writing.
    pulls:   `mean(r . r')` of each own direction and each of them.
    gains:   `mean(gain . r)` of the own directions.
    across:  which directions of both ends a link has brought across.
    """

    vectors: Float[Array, "KR MN"]
    pulls: Float[Array, "K KR"]
    gains: Float[Array, " K"]
    across: Bool[Array, "L K"]


@dataclass(frozen=True)
class DirectionCoefficients(RatioExchange, name="linear"):
    """Log-ratios to first order: of each direction once, then the coefficients of steps.

    With each of `K` directions come `R = 2 L` vectors: it as each of `L` neighbours was told, for a
    channel may have changed it, then each neighbour's as it was heard. Ties are of combinations,
    `[K, R]`. A direction that did not come across a link is not in what its ends tell each other:
    they do not agree on it, not in this update.
    """

    def payloads(
        self, rounds: int, directions: int, ratios: Callable[[LearnerSpec], int]
    ) -> tuple[Payload, ...]:
        steps = Payload(STEPS, messages=rounds, numbers=lambda spec: directions)
        return Payload(RATIOS, messages=directions, numbers=ratios), steps

    def start(
        self, problem: LocalProblem, span: KrylovSubspace, network: Network
    ) -> tuple[ToldDirections, ADMMCarry]:
        places, links = len(span.moves), len(network.neighbor)
        count = places * 2 * links
        vectors, pulls = jnp.zeros((count, problem.gain.size)), jnp.zeros((places, count))
        ties = ADMMState.fresh(links, (places, 2 * links))
        known = ToldDirections(vectors, pulls, jnp.zeros(places), jnp.zeros((links, places), bool))
        return known, ADMMCarry(SubspaceStep.none(span), ties, network)

    def add_directions(
        self,
        known: ToldDirections,
        problem: LocalProblem,
        span: KrylovSubspace,
        places: Int[Array, " P"],
        network: Network,
    ) -> tuple[ToldDirections, Network]:
        own, links = span.ratio[places], len(network.neighbor)
        both, mask, network = _spread(own, network)
        if problem.local.both is not None:
            links_of = both.swapaxes(1, 2).reshape(2, len(places), links, *problem.gain.shape)
            both = problem.common(links_of).reshape(2, len(places), links, -1).swapaxes(1, 2)
        new = jnp.moveaxis(both.reshape(-1, *own.shape), 0, 1).reshape(-1, problem.gain.size)
        weight = jnp.broadcast_to(problem.local.weight, problem.gain.shape).ravel()
        first, place = 2 * links * places[0], places[0]
        vectors = _put(known.vectors, new, first, 0)
        # The many vectors on the left: the other way round XLA takes ten times as long.
        pulls = _put(known.pulls, span.ratio @ (weight * new).T, first, 1)
        pulls = _put(pulls, (vectors @ (weight * own).T).T, place, 0)
        gains = span.gains(problem.local, problem.gain)
        across = _put(known.across, jnp.broadcast_to(mask[:, None], (links, len(places))), place, 1)
        return ToldDirections(vectors, pulls, gains, across), network

    def round(
        self,
        known: ToldDirections,
        problem: LocalProblem,
        span: KrylovSubspace,
        meeting: ADMMCarry,
    ) -> ADMMCarry:
        ties = meeting.ties
        pulled = known.pulls @ jnp.ravel(ties.pull(problem.penalty))
        step = best(span, known.gains + pulled, problem.region)
        heard, network = meeting.network.neighbors(step.share, STEPS)
        count = len(known.across)
        nothing, link = jnp.zeros((count, *ties.dual.shape)), jnp.arange(count)
        said = nothing.at[link, :, link].set(jnp.where(known.across, heard.sent, 0.0))
        values = jnp.where(known.across, heard.received, 0.0)
        values = nothing.at[link, :, count + link].set(values)
        heard = heard._replace(sent=said, received=values)
        return ADMMCarry(step, ties.after(heard, problem.penalty), network)

    def ratio(
        self, problem: LocalProblem, span: KrylovSubspace, step: SubspaceStep
    ) -> Float[Array, "T G N"]:
        return step.along(span.ratio).reshape(problem.gain.shape)

    def expand(
        self, known: ToldDirections, problem: LocalProblem, vector: Float[Array, "K R"]
    ) -> Float[Array, "T G N"]:
        return (jnp.ravel(vector) @ known.vectors).reshape(problem.gain.shape)


def _spread(
    own: Float[Array, "P MN"], network: Network
) -> tuple[Float[Array, "2 L P MN"], Bool[Array, " L"], Network]:
    """Exchange vectors: the own as each neighbour was told, theirs as heard, and on which links.

    They are told as often as it takes for all to hear them, all but surely.
    """

    def tell(carry: tuple[Network, Array, Array], _: None) -> tuple[tuple, None]:
        network, both, mask = carry
        heard, network = network.neighbors(own, RATIOS)
        new = jnp.stack([jnp.broadcast_to(heard.sent, heard.received.shape), heard.received])
        both = jnp.where(expand_mask(heard.arrived, heard.received), new, both)
        return (network, both, mask | heard.arrived), None

    links = len(network.neighbor)
    start = network, jnp.zeros((2, links, *own.shape)), jnp.zeros(links, bool)
    (network, both, mask), _ = jax.lax.scan(tell, start, None, network.rounds_to_deliver)
    return both, mask, network


def _put(array: Array, new: Array, first: Int[Array, ""], axis: int) -> Array:
    """Array with `new` written from index `first` on."""
    return jax.lax.dynamic_update_slice_in_dim(array, new, first, axis)
