"""Discs in a plane: soft contacts, damping, and one explicit step of time.

The particle world of Lowe et al. (2017, "Multi-agent actor-critic for mixed cooperative-competitive
environments"): lengths in half arenas, time in seconds, masses near 1. Written for one copy of `M`
discs. Each two discs that can touch are one *pair*, and a constant incidence matrix leads from
discs to pairs and back: nothing is indexed, and batches of it run as plain vector arithmetic (seven
times faster than `[M, M]` tables).
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Order = Literal["new", "old"]
"""Which velocity moves a disc: the one before the forces act ("new": mpe2, PettingZoo from 1.23,
JaxMARL) or the one after ("old": the original particle world and the papers' forks of it)."""

DT = 0.1
DAMPING = 0.25
STIFFNESS = 100.0
MARGIN = 1e-3
TINY = 1e-24


class Bodies(NamedTuple):
    """Physical properties of the discs: one number for all, or an array `[M]` each.

    radius:    half the diameter, in half arenas.
    mass:      force over acceleration.
    collides:  True if it pushes, and is pushed by, other discs that collide.
    movable:   True if forces move it at all.
    max_speed: the speed it is slowed down to; infinite for no limit.
    by_mass:   True if a contact pushes each disc by the other's mass over its own, so that the
               acceleration goes with the inverse square of the mass (MAAC's fork of the particle
               world); otherwise it pushes both alike. One value for all.
    """

    radius: float | np.ndarray
    mass: float | np.ndarray = 1.0
    collides: bool | np.ndarray = True
    movable: bool | np.ndarray = True
    max_speed: float | np.ndarray = np.inf
    by_mass: bool = False


def pairs(number: int, bodies: Bodies) -> tuple[Float[np.ndarray, "P M"], Float[np.ndarray, " P"]]:
    """Each two of `number` discs that can touch: 1 and -1 at the two, and the sum of their radii.

    >>> incidence, reach = pairs(3, Bodies(radius=0.25, collides=np.array([True, False, True])))
    >>> incidence.tolist(), reach.tolist()
    ([[1.0, 0.0, -1.0]], [0.5])
    """
    collides = np.broadcast_to(bodies.collides, (number,))
    radius = np.broadcast_to(bodies.radius, (number,))
    first, second = np.triu_indices(number, 1)
    both = collides[first] & collides[second]
    first, second = first[both], second[both]
    discs = np.eye(number)
    return discs[first] - discs[second], radius[first] + radius[second]


def length(x: Float[Array, "*batch"], y: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Length of the vector `(x, y)`; never quite 0, so that one may divide by it."""
    return jnp.sqrt(jnp.maximum(x * x + y * y, TINY))


def touched(position: Float[Array, "M 2"], bodies: Bodies) -> Float[Array, " M"]:
    """Number of other discs that each disc overlaps (discs that just touch do not overlap)."""
    incidence, reach = pairs(len(position), bodies)
    gap = _times(incidence, position)
    overlap = (length(gap[:, 0], gap[:, 1]) < reach).astype(position.dtype)
    return _times(np.abs(incidence).T, overlap)


def contact_forces(position: Float[Array, "M 2"], bodies: Bodies) -> Float[Array, "M 2"]:
    """Contact forces between the discs: 100 per unit of overlap, softened over 1e-3.

    Discs at the very same place do not push each other: there is no direction to push in.
    """
    incidence, reach = pairs(len(position), bodies)
    gap = _times(incidence, position)
    distance = length(gap[:, 0], gap[:, 1])
    push = STIFFNESS * _softened(distance, reach) / distance
    return _times(_shares(incidence, bodies).T, push[:, None] * gap)


def advance(
    position: Float[Array, "M 2"],
    velocity: Float[Array, "M 2"],
    control: Float[Array, "M 2"],
    bodies: Bodies,
    order: Order,
) -> tuple[Float[Array, "M 2"], Float[Array, "M 2"]]:
    """`(position, velocity)` one tenth of a second later, under `control` and contact forces.

    In either order, the contacts are those of the places from which the discs set out.
    """
    force = control + contact_forces(position, bodies)
    pushed = (1 - DAMPING) * velocity + force * DT / _column(bodies.mass, force)
    pushed = _limited(pushed, bodies)
    moved = position + DT * (velocity if order == "new" else pushed)
    if np.all(bodies.movable):
        return moved, pushed
    free = _column(bodies.movable, force) > 0
    return jnp.where(free, moved, position), jnp.where(free, pushed, velocity)


def _shares(incidence: Float[np.ndarray, "P M"], bodies: Bodies) -> Float[np.ndarray, "P M"]:
    """Force on the first disc (above 0) and the second (below 0) of a pair that pushes with 1."""
    if not bodies.by_mass:
        return incidence
    mass = np.broadcast_to(bodies.mass, incidence.shape[1:])
    both = np.abs(incidence) @ mass
    return incidence * (both[:, None] - mass) / mass


def _softened(distance: Float[Array, " P"], reach: Float[np.ndarray, " P"]) -> Float[Array, " P"]:
    """Depth of each pair's overlap, and 0 where there is none, rounded off over `MARGIN`."""
    scaled = -(distance - reach) / MARGIN
    return MARGIN * (jnp.maximum(scaled, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(scaled))))


def _limited(velocity: Float[Array, "M 2"], bodies: Bodies) -> Float[Array, "M 2"]:
    if np.all(np.isinf(bodies.max_speed)):
        return velocity
    speed = length(velocity[:, 0], velocity[:, 1])[:, None]
    return velocity * jnp.minimum(1.0, _column(bodies.max_speed, velocity) / speed)


def _column(
    value: float | bool | np.ndarray, like: Float[Array, "M 2"]
) -> Float[np.ndarray, "M 1"] | float:
    """One number per disc, to multiply vectors by; a number for all stays one."""
    return np.asarray(value, like.dtype)[:, None] if np.ndim(value) else float(value)


def _times(
    matrix: Float[np.ndarray, "A B"], vectors: Float[Array, "B *xy"]
) -> Float[Array, "A *xy"]:
    """The product in full precision, also on accelerators that round factors by default."""
    return jnp.matmul(matrix.astype(vectors.dtype), vectors, precision=jax.lax.Precision.HIGHEST)
