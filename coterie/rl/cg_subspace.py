"""The best step within a bound on the divergence, in a span of few directions.

To be minimised over `x` is `-mean(gain . r) + stiffness / 2 mean(r . r)`, with `r` the log ratios
to first order, subject to `1/2 x^T H x <= bound`. Each step of conjugate gradients adds a direction
to the span, at the price of one product with `J^T` (what is left to gain) and one with `J` (what a
move along it does). Within the span all is known, and the best step costs next to nothing: so the
gain may change as often as it likes, as it does with every message of a neighbour.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from coterie.rl.linearized_policy import LinearizedPolicy


class KrylovSubspace(NamedTuple):
    """Directions that a step is made of: `K` places, of which those to come hold zeros.

    moves:  the directions, orthonormal, `[K, D]`.
    moved:  what each does to the outputs, `[K, Q]`, and `ratio`, to the log ratios, `[K, M N]`.
            They are flat and not read between the finding of a direction and its writing, or XLA
            copies all of them.
    conjugate: combinations of them, one a column, with `x^T (H + damping) y` 1 or 0: each is a
            direction without its share of those before it; 0 where that leaves nothing.
    spread: `mean(r . r')` for any two directions, over what is held (see `LinearizedPolicy`).
    axes:   combinations of the conjugate ones that are also diagonal in the spread, `bent`.
    """

    moves: Float[Array, "K D"]
    moved: Float[Array, "K Q"]
    ratio: Float[Array, "K MN"]
    conjugate: Float[Array, "K K"]
    spread: Float[Array, "K K"]
    axes: Float[Array, "K K"]
    bent: Float[Array, " K"]

    @staticmethod
    def empty(local: LinearizedPolicy, places: int) -> "KrylovSubspace":
        """Empty span; it has no more places than there are parameters."""
        places = min(places, local.start.size)
        moved = jax.eval_shape(local.jvp, local.start)
        ratio = jax.eval_shape(local.ratio, moved)
        moves, moved, ratio = (jnp.zeros((places, x.size)) for x in (local.start, moved, ratio))
        square = jnp.zeros((places, places))
        return KrylovSubspace(moves, moved, ratio, square, square, square, square[0])

    def gains(self, local: LinearizedPolicy, gain: Float[Array, "T G N"]) -> Float[Array, " K"]:
        """`mean(gain . r)` of each direction."""
        return self.ratio @ jnp.ravel(local.weight * gain)


class SubspaceStep(NamedTuple):
    """A step within a span: how far along each direction, `[K]`.

    multiplier: lambda, of the constraint on the divergence.
    """

    share: Float[Array, " K"]
    multiplier: Float[Array, ""]

    @staticmethod
    def none(span: KrylovSubspace) -> "SubspaceStep":
        """Step of length 0."""
        return SubspaceStep(jnp.zeros(len(span.moves)), jnp.zeros(()))

    def along(self, each: Float[Array, "K X"]) -> Float[Array, " X"]:
        """The step, given the directions, or what it does, given what each of them does."""
        return self.share @ each


class ConstrainedStep(NamedTuple):
    """The best step within a bound on the divergence, edge included.

    stiffness: what departures of the log ratios from 0 cost.
    """

    max_kl: float
    stiffness: Float[Array, ""]


class BoundaryStep(NamedTuple):
    """The natural gradient, divided by what brings it to the edge or by `least`, if that is more.

    With `least = 0` it always goes to the edge.
    """

    max_kl: float
    least: Float[Array, ""] | float = 0.0


Region = ConstrainedStep | BoundaryStep


def natural_gradient_step(
    local: LinearizedPolicy, gain: Float[Array, "T G N"], region: Region, steps: int
) -> Float[Array, " D"]:
    """The change of the parameters after so many steps of conjugate gradients."""
    span = KrylovSubspace.empty(local, steps)
    span = extend(local, span, gain, region, jnp.arange(len(span.moves)))
    return best(span, span.gains(local, gain), region).along(span.moves)


def best(span: KrylovSubspace, gains: Float[Array, " K"], region: Region) -> SubspaceStep:
    """The best step in the span, given `mean(gain . r)` of each direction."""
    pulled = span.axes.T @ gains
    edge = jnp.sqrt(2.0 * region.max_kl)
    if isinstance(region, BoundaryStep):
        least = jnp.maximum(region.least, 1e-30)
        multiplier, bent = jnp.maximum(jnp.linalg.norm(pulled) / edge, least), 0.0
    else:
        bent = region.stiffness * span.bent
        multiplier = _multiplier(pulled, bent, edge, 0.01 * region.stiffness)
    share = span.axes @ (pulled / (multiplier + bent))
    # A step that is not finite must not be told: it would spread from neighbour to neighbour.
    return SubspaceStep(jnp.where(_sound(share), share, 0.0), multiplier)


def extend(
    local: LinearizedPolicy,
    span: KrylovSubspace,
    gain: Float[Array, "T G N"],
    region: Region,
    places: Int[Array, " _"],
) -> KrylovSubspace:
    """Add directions to the span, in these places: the gradient that its best step leaves.

    If the gain stays the same, the best steps are those of conjugate gradients.
    """

    def more(span: KrylovSubspace, place: Array) -> tuple[KrylovSubspace, None]:
        step = best(span, span.gains(local, gain), region)
        left = _left(local, span, step, gain, region)
        return _with(local, span, _outside(span.moves, left), place), None

    return jax.lax.scan(more, span, places)[0]


def _with(
    local: LinearizedPolicy, span: KrylovSubspace, move: Float[Array, " D"], place: Int[Array, ""]
) -> KrylovSubspace:
    """Add a direction to the span."""
    moved = local.jvp(move)
    ratio = local.ratio(moved)
    sound = _sound(moved) & _sound(ratio)
    move, moved, ratio = (jnp.where(sound, x, 0.0) for x in (move, moved, ratio))
    moves = span.moves.at[place].set(move)
    all_moved, ratios = span.moved.at[place].set(moved), span.ratio.at[place].set(jnp.ravel(ratio))
    shared = all_moved @ local.metric(moved) + local.damping * (moves @ move)
    whole = shared[place]
    shared = span.conjugate.T @ shared  # in which the new direction has no part yet
    own = whole - shared @ shared
    # What rounding leaves is no direction: followed, it would lead astray.
    length = jnp.where(own > 1e-6 * whole, jnp.sqrt(own), jnp.inf)
    column = (-(span.conjugate @ shared)).at[place].set(1.0) / length
    conjugate = span.conjugate.at[:, place].set(column)
    products = ratios @ jnp.ravel(local.weight * local.held(ratio))
    spread = span.spread.at[place].set(products).at[:, place].set(products)
    bent, turned = _eigen(conjugate.T @ spread @ conjugate)
    return KrylovSubspace(
        moves, all_moved, ratios, conjugate, spread, conjugate @ turned, jnp.maximum(bent, 0.0)
    )


def _sound(array: Array) -> Bool[Array, ""]:
    """True if the array is finite, which a sum tells in one pass."""
    return jnp.isfinite(jnp.sum(array))


def _eigen(square: Float[Array, "K K"]) -> tuple[Float[Array, " K"], Float[Array, "K K"]]:
    """Eigenvalues and vectors, for one agent after another.

    Batches of them wait for threads, and where two seeds run at once they do so for ever.
    """

    def eigen(x: Float[Array, "K K"]) -> tuple[Array, Array]:
        return tuple(jnp.linalg.eigh(x))

    waits = jax.default_backend() == "cpu"
    return (jax.custom_batching.sequential_vmap(eigen) if waits else eigen)(square)


def _left(
    local: LinearizedPolicy,
    span: KrylovSubspace,
    step: SubspaceStep,
    gain: Float[Array, "T G N"],
    region: Region,
) -> Float[Array, " D"]:
    """Minus the gradient of the Lagrangian where a step leads to."""
    stiffness = region.stiffness if isinstance(region, ConstrainedStep) else 0.0
    departure = stiffness * local.held(step.along(span.ratio).reshape(gain.shape))
    raised = local.score(local.weight * (gain - departure))
    curbed = local.metric(step.along(span.moved))
    left = local.vjp(raised - step.multiplier * curbed)
    return left - step.multiplier * local.damping * step.along(span.moves)


def _outside(moves: Float[Array, "K D"], left: Float[Array, " D"]) -> Float[Array, " D"]:
    """The direction of what is left outside the span of others; 0 if nothing but rounding is."""
    new = left / jnp.maximum(jnp.linalg.norm(left), 1e-30)
    for _ in range(2):  # once is not enough where most of it is inside
        new = new - (moves @ new) @ moves
    length = jnp.linalg.norm(new)
    return jnp.where(length > 1e-3, new / jnp.maximum(length, 1e-3), 0.0)


def _multiplier(
    pulled: Float[Array, " K"],
    bent: Float[Array, " K"],
    edge: Float[Array, ""],
    least: Float[Array, ""],
) -> Float[Array, ""]:
    """The lambda for which `pulled / (lambda + bent)` is as long as the edge is far, or `least`.

    One over the length is all but linear in lambda, and concave: from the left Newton's method
    comes to it from one side (Conn, Gould & Toint 2000, section 7.3).
    """
    least = jnp.maximum(least, 1e-6)

    def nearer(multiplier: Array, _: None) -> tuple[Array, None]:
        bend = multiplier + bent
        square = jnp.sum((pulled / bend) ** 2)
        slope = jnp.maximum(jnp.sum(pulled**2 / bend**3), 1e-30)
        further = square / slope * (jnp.sqrt(square) / edge - 1.0)
        return jnp.maximum(multiplier + further, least), None

    return jax.lax.scan(nearer, least, None, length=10)[0]


def line_search(
    start: Float[Array, " D"],
    change: Float[Array, " D"],
    judge: Callable[[Array], tuple[Array, Array]],
    max_kl: float,
    line_search_steps: int,
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    """The parameters after the longest of `change`, half of it, ... that does good; and how long.

    judge:   the objective to be lowered and the divergence, given parameters.
    largest: divergence that is allowed, but for half of it that second order may be wrong by.

    If none is good, nothing is finite, or there is no change, the old parameters stay and the share
    is 0.
    """
    before, _ = judge(start)

    def good(share: Array) -> Array:
        value, divergence = judge(start + share * change)
        return (value <= before) & (divergence <= 1.5 * max_kl)  # false for NaN

    def halve(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        share, _ = carry
        return share / 2, good(share / 2)

    least = 0.5**line_search_steps
    share, found = jax.lax.while_loop(
        lambda carry: ~carry[1] & (carry[0] > least), halve, (jnp.ones(()), good(jnp.ones(())))
    )
    return _taken(start, change, share, found)


def full_step(
    start: Float[Array, " D"],
    change: Float[Array, " D"],
    judge: Callable[[Array], tuple[Array, Array]],
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    """The parameters after the whole change, if all is finite there; and whether it was taken."""
    value, divergence = judge(start + change)
    return _taken(start, change, jnp.ones(()), jnp.isfinite(value + divergence))


def _taken(
    start: Float[Array, " D"],
    change: Float[Array, " D"],
    share: Float[Array, ""],
    good: Bool[Array, ""],
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    """The parameters after a share of a change, if that is good and if there is one."""
    good = good & jnp.any(change != 0.0)
    return jnp.where(good, start + share * change, start), jnp.where(good, share, 0.0)
