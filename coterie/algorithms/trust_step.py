"""The best step within a bound on the divergence, by conjugate gradients."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from coterie.algorithms.first_order import Local, dot


class Step(NamedTuple):
    """A step being worked out; what is taken is `change / scale`.

    change:     of the parameters, `[D]`, and what it does to the outputs, `moved`.
    last:       the last improvement of both.
    multiplier: lambda, of the constraint on the divergence.
    scale:      by how much the change must be shortened.
    """

    change: Float[Array, " D"]
    moved: PyTree
    last: tuple[Float[Array, " D"], PyTree]
    multiplier: Float[Array, ""]
    scale: Float[Array, ""]


class Inside(NamedTuple):
    """The best step within a bound on the divergence, edge included.

    stiffness: what departures of the log ratios from 0 cost.
    """

    bound: float
    stiffness: Float[Array, ""]


class Scaled(NamedTuple):
    """The natural gradient, divided by what brings it to the edge or by `least`, if that is more.

    With `least = 0` it always goes to the edge.
    """

    bound: float
    least: Float[Array, ""] | float = 0.0


Region = Inside | Scaled


def start_step(local: Local) -> Step:
    """No step yet."""
    change = jnp.zeros_like(local.start)
    shapes = jax.eval_shape(local.push, change)
    moved = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return Step(change, moved, (change, moved), jnp.zeros(()), jnp.ones(()))


def solved(
    local: Local, step: Step, gain: Float[Array, "T G N"], region: Region, steps: int
) -> Step:
    """The step after so many improvements."""
    return jax.lax.fori_loop(0, steps, lambda _, step: improved(local, step, gain, region), step)


def improved(local: Local, step: Step, gain: Float[Array, "T G N"], region: Region) -> Step:
    """One step of conjugate gradients towards the best step for a gain.

    To be minimised over `x` is `-mean(gain . r) + stiffness / 2 mean(r . r)`, with `r = J x` as
    log ratios, subject to `1/2 x^T H x <= bound`. It takes one product with `J^T`, for the
    residual, and one with `J`, for what a move along it does: from there on all is known of the
    plane that the residual spans with the last improvement, and its best point is taken.
    """
    inside = isinstance(region, Inside)
    stiffness = region.stiffness if inside else 0.0
    raised = local.score(local.weight * gain)
    # Where nothing curbs the step but its stiffness, the best one need not be unique.
    least = jnp.maximum(0.01 * stiffness, 1e-6)
    curb = jnp.maximum(step.multiplier, least) if inside else 1.0

    def force(moved: PyTree) -> PyTree:
        """What a change of the outputs costs, as a gradient."""
        spread = local.score(local.weight * stiffness * local.ratio(moved))
        return jax.tree.map(lambda m, s: curb * m + s, local.metric(moved), spread)

    pulled = jax.tree.map(jnp.subtract, raised, force(step.moved))
    damping = curb * local.damping
    residual = local.pull(pulled) - damping * step.change
    residual /= jnp.maximum(jnp.linalg.norm(residual), 1e-30)
    moves = (residual, local.push(residual)), step.last
    forces = [force(push) for _, push in moves]

    def cost(a: int, b: int) -> Float[Array, ""]:
        return damping * (moves[a][0] @ moves[b][0]) + dot(forces[a], moves[b][1])

    slopes = [dot(pulled, push) - damping * (step.change @ move) for move, push in moves]
    x, y = _lowest(cost(0, 0), cost(0, 1), cost(1, 1), slopes[0], slopes[1])
    # What rounding leaves is no improvement: followed, it would lead astray.
    better = x * slopes[0] + y * slopes[1] > 1e-7 * jnp.abs(dot(raised, step.moved))
    x, y = jnp.where(better, x, 0.0), jnp.where(better, y, 0.0)
    last = jax.tree.map(lambda a, b: x * a + y * b, *moves)
    change, moved = jax.tree.map(jnp.add, (step.change, step.moved), last)
    over = jnp.sqrt(local.divergence(change, moved) / region.bound)
    if not inside:
        return Step(change, moved, last, step.multiplier, jnp.maximum(over, region.least))
    change, moved = jax.tree.map(lambda x: x / jnp.maximum(over, 1.0), (change, moved))
    arrived = (over > 1.0) & (step.multiplier <= least)
    balance = _balance(local, raised, moved, region)
    multiplier = jnp.where(arrived, balance, curb * jnp.clip(over, 0.5, 2.0))
    return Step(change, moved, last, multiplier, step.scale)


def _balance(local: Local, raised: PyTree, moved: PyTree, region: Inside) -> Float[Array, ""]:
    """The lambda that holds a step at the edge against what pulls it outwards."""
    cost = region.stiffness * jnp.sum(local.weight * local.ratio(moved) ** 2)
    return jnp.maximum(0.5 * (dot(raised, moved) - cost) / region.bound, 0.0)


def searched(
    start: Float[Array, " D"],
    change: Float[Array, " D"],
    judge: Callable[[Array], tuple[Array, Array]],
    largest: float,
    halvings: int,
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    """The parameters after the longest of `change`, half of it, ... that does good; and how long.

    judge:   the objective to be lowered and the divergence, given parameters.
    largest: divergence that is allowed, but for half of it that second order may be wrong by.

    If none is good, or nothing is finite, the old parameters stay and the share is 0.
    """
    before, _ = judge(start)

    def good(share: Array) -> Array:
        value, divergence = judge(start + share * change)
        return (value <= before) & (divergence <= 1.5 * largest)  # false for NaN

    def halve(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        share, _ = carry
        return share / 2, good(share / 2)

    least = 0.5**halvings
    share, found = jax.lax.while_loop(
        lambda carry: ~carry[1] & (carry[0] > least), halve, (jnp.ones(()), good(jnp.ones(())))
    )
    taken = jnp.where(found, share, 0.0)
    return jnp.where(found, start + share * change, start), taken


def _lowest(
    a: Float[Array, ""],
    b: Float[Array, ""],
    c: Float[Array, ""],
    u: Float[Array, ""],
    v: Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Where `1/2 (a x^2 + 2 b x y + c y^2) - u x - v y` is lowest; `y = 0` if `y` adds nothing."""
    a = jnp.maximum(a, 1e-30)
    rest = c - b * b / a
    y = jnp.where(rest > 1e-5 * c, (v - b / a * u) / jnp.where(rest > 0, rest, 1.0), 0.0)
    return (u - b * y) / a, y
