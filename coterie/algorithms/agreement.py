"""How MATRPO's agents come to the same log ratios: what they tell, and what they make of it.

Every agent looks for its step in a span of few directions, which grows while it meets others (see
`trust_step`). It tells either its log ratios, `N M` numbers in every round; or, to first order,
those of each new direction once, and in every round how far it goes along each. What it then knows
of others are combinations of vectors whose products with its own it knows, too: a round costs the
same in any team and with any number of samples.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from coterie.algorithms.admm import Ties
from coterie.algorithms.first_order import Local
from coterie.algorithms.trust_step import Region, Span, Step, best, widened
from coterie.network import Network

RATIOS = "log-ratios"


class Problem(NamedTuple):
    """What an agent's step is to be best for, by itself.

    gain:    what raising each log ratio brings, `[T, G, N]`.
    penalty: beta, of departures from a midpoint.
    """

    local: Local
    gain: Float[Array, "T G N"]
    region: Region
    penalty: float


class Meeting(NamedTuple):
    """Where an agreement stands: the step that was last told, the ties and the network."""

    step: Step
    ties: Ties
    network: Network


class Vectors(NamedTuple):
    """Log ratios are told as the stepped policy has them, all of them in every round."""

    @staticmethod
    def fresh(problem: Problem, span: Span, network: Network) -> tuple["Vectors", Meeting]:
        """Nobody has met yet."""
        ties = Ties.fresh(len(network.neighbour), problem.gain.shape)
        return Vectors(), Meeting(Step.none(span), ties, network)

    def whole(self, problem: Problem, vector: Float[Array, "T G N"]) -> Float[Array, "T G N"]:
        """A vector that the ties are of, as log ratios."""
        return vector

    def told(
        self, problem: Problem, span: Span, places: Int[Array, " P"], network: Network
    ) -> tuple["Vectors", Network]:
        """After the span was widened in these places."""
        return self, network

    def met(self, problem: Problem, span: Span, meeting: Meeting) -> Meeting:
        """After a round."""
        local = problem.local
        pull = problem.gain + meeting.ties.pull(problem.penalty)
        step = best(span, span.gains(local, pull), problem.region)
        ratio = local.at(local.start + step.along(span.moves))[0]
        heard, network = meeting.network.neighbours(ratio, RATIOS)
        return Meeting(step, meeting.ties.after(heard, problem.penalty), network)


OWN, SAID, HEARD = 0, 1, 2


class Coordinates(NamedTuple):
    """Log ratios to first order: of each direction once, then how far steps go along each.

    With each of `K` own directions come `R - 1` more vectors: the same as it was said, which a
    channel may have changed, and each neighbour's as it was heard. Ties are of combinations, `[K,
    R]`. A direction that was lost on its way is as if it led nowhere, for both ends of that link.

    ratio:  the vectors, `[K R, M N]`; 0 for what is not there yet. Written and read as in a span.
    gram:   `mean(r . r')` of any two.
    gains:  `mean(gain . r)` of the own ones.
    known:  which directions of both ends a link has brought across, `[K, R - 2]`.
    """

    ratio: Float[Array, "KR MN"]
    gram: Float[Array, "KR KR"]
    gains: Float[Array, " K"]
    known: Bool[Array, "K R-2"]

    @staticmethod
    def fresh(problem: Problem, span: Span, network: Network) -> tuple["Coordinates", Meeting]:
        """Nobody knows anything yet."""
        places, links = len(span.moves), len(network.neighbour)
        rows = HEARD + links
        ratio = jnp.zeros((places * rows, problem.gain.size))
        gram = jnp.zeros((places * rows, places * rows))
        known = jnp.zeros((places, links), bool)
        meeting = Meeting(Step.none(span), Ties.fresh(links, (places, rows)), network)
        return Coordinates(ratio, gram, jnp.zeros(places), known), meeting

    def whole(self, problem: Problem, vector: Float[Array, "K R"]) -> Float[Array, "T G N"]:
        """A vector that the ties are of, as log ratios."""
        return (jnp.ravel(vector) @ self.ratio).reshape(problem.gain.shape)

    def told(
        self, problem: Problem, span: Span, places: Int[Array, " P"], network: Network
    ) -> tuple["Coordinates", Network]:
        """After the directions in these places were told, for as long as links take turns."""
        if not len(places):
            return self, network
        own = span.ratio[places]
        links = len(network.neighbour)

        def tell(carry: tuple[Network, Array, Array], _: None) -> tuple[tuple, Array]:
            network, values, mask = carry
            heard, network = network.neighbours(own, RATIOS)
            values = jnp.where(heard.like(values), heard.values, values)
            return (network, values, mask | heard.mask), heard.said

        nothing = network, jnp.zeros((links, *own.shape)), jnp.zeros(links, bool)
        (network, values, mask), said = jax.lax.scan(tell, nothing, None, network.turns)
        new = jnp.concatenate([own[None], said[-1:], values])
        new = jnp.moveaxis(new, 0, 1).reshape(-1, problem.gain.size)
        first = places[0] * (HEARD + links)
        ratio = _put(self.ratio, new, first, 0)
        weight = jnp.broadcast_to(problem.local.weight, problem.gain.shape)
        products = ratio @ (jnp.ravel(weight) * new).T
        return Coordinates(
            ratio,
            _put(_put(self.gram, products, first, 1), products.T, first, 0),
            span.gains(problem.local, problem.gain),
            _put(self.known, jnp.broadcast_to(mask, (len(places), links)), places[0], 0),
        ), network

    def met(self, problem: Problem, span: Span, meeting: Meeting) -> Meeting:
        """After a round."""
        ties = meeting.ties
        pulls = (self.gram @ jnp.ravel(ties.pull(problem.penalty))).reshape(ties.pressure.shape)
        step = best(span, self.gains + pulls[:, OWN], problem.region)
        heard, network = meeting.network.neighbours(step.share, RATIOS)
        nowhere = jnp.zeros((self.known.shape[1], *ties.pressure.shape))
        links = jnp.arange(len(nowhere))
        said = nowhere.at[:, :, SAID].set(jnp.where(self.known.T, heard.said, 0.0))
        values = jnp.where(self.known.T, heard.values, 0.0)
        values = nowhere.at[links, :, HEARD + links].set(values)
        heard = heard._replace(said=said, values=values)
        return Meeting(step, ties.after(heard, problem.penalty, self._square(problem)), network)

    def _square(self, problem: Problem) -> Callable[[Array], Float[Array, ""]]:
        """The mean square of a vector's log ratios, over samples and heads."""

        def square(vector: Float[Array, "K R"]) -> Float[Array, ""]:
            flat = jnp.ravel(vector)
            return jnp.maximum(flat @ self.gram @ flat, 0.0) / problem.gain.shape[-1]

        return square


def _put(array: Array, new: Array, first: Int[Array, ""], axis: int) -> Array:
    """The array with what is new from this place on."""
    return jax.lax.dynamic_update_slice_in_dim(array, new, first, axis)


Agreement = tuple[Span, Vectors | Coordinates, Meeting]


def agreed(
    problem: Problem,
    way: type[Vectors] | type[Coordinates],
    directions: int,
    rounds: int,
    network: Network,
) -> tuple[Float[Array, " D"], Ties, Network]:
    """The change of the parameters, and the ties of log ratios, after so many rounds.

    Every so many of them the span of steps is widened, until it has these directions; in the last
    fifth it stays as it is, for what is new has yet to be agreed on.
    """

    def wider(so_far: Agreement, places: Array) -> Agreement:
        span, known, (step, ties, network) = so_far
        pull = problem.gain + known.whole(problem, ties.pull(problem.penalty))
        span = widened(problem.local, span, pull, problem.region, places)
        known, network = known.told(problem, span, places, network)
        return span, known, Meeting(step, ties, network)

    def met(so_far: Agreement, rounds: int) -> Agreement:
        span, known, meeting = so_far

        def once(meeting: Meeting, _: None) -> tuple[Meeting, None]:
            return known.met(problem, span, meeting), None

        return span, known, jax.lax.scan(once, meeting, None, length=rounds)[0]

    def part(so_far: Agreement, places: Array) -> tuple[Agreement, None]:
        return met(wider(so_far, places), each), None

    span = Span.empty(problem.local, directions)
    places = jnp.arange(len(span.moves))
    parts = min(len(places), rounds)
    each = max(4 * rounds // 5 // parts, 1)
    early = len(places) % parts
    known, meeting = way.fresh(problem, span, network)
    so_far = wider((span, known, meeting), places[:early])
    so_far, _ = jax.lax.scan(part, so_far, places[early:].reshape(parts, -1))
    span, known, (step, ties, network) = met(so_far, rounds - parts * each)
    whole = functools.partial(known.whole, problem)
    ties = ties._replace(pressure=whole(ties.pressure), midpoint=jax.vmap(whole)(ties.midpoint))
    return step.along(span.moves), ties, network
