"""Discs in a plane: soft contacts, damping, and one explicit step of time.

The particle world of Lowe et al. (2017, "Multi-agent actor-critic for mixed cooperative-competitive
environments"), units as there: lengths in half arenas, time in seconds, masses near 1. Written for
one copy of `M` discs; all pairs at once, with no indexing, so that it stays fast when batched.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Order = Literal["new", "old"]
"""Which velocity moves a disc: the one before the forces act ("new": mpe2, PettingZoo from 1.23,
JaxMARL) or after ("old": the original particle world and the papers' forks of it)."""

DT = 0.1
DAMPING = 0.25
STIFFNESS = 100.0
MARGIN = 1e-3
TINY = 1e-24


class Bodies(NamedTuple):
    """What the discs are made of: one number for all, or an array `[M]` each.

    radius:    half the diameter, in half arenas.
    mass:      force over acceleration.
    collides:  whether it pushes, and is pushed by, other discs that collide.
    movable:   whether forces move it at all.
    max_speed: the speed above which it is slowed down; infinite for no limit.
    """

    radius: float | np.ndarray
    mass: float | np.ndarray = 1.0
    collides: bool | np.ndarray = True
    movable: bool | np.ndarray = True
    max_speed: float | np.ndarray = np.inf


def separations(
    a: Float[Array, "A 2"], b: Float[Array, "B 2"]
) -> tuple[Float[Array, "A B"], Float[Array, "A B"], Float[Array, "A B"]]:
    """`(x, y, distance)` of `a[i] - b[j]`; the distance is never quite 0, so one may divide by it."""
    x = a[:, None, 0] - b[None, :, 0]
    y = a[:, None, 1] - b[None, :, 1]
    return x, y, jnp.sqrt(jnp.maximum(x * x + y * y, TINY))


def reach(radius: float | np.ndarray, number: int) -> Float[np.ndarray, "M M"]:
    """The distance at which each two of `number` discs touch."""
    each = np.broadcast_to(radius, (number,))
    return np.add.outer(each, each)


def contact_forces(position: Float[Array, "M 2"], bodies: Bodies) -> Float[Array, "M 2"]:
    """How the discs push each other apart: 100 per unit of overlap, softened over 1e-3.

    Discs at the very same place do not push each other: there is no direction to push in.
    """
    number = position.shape[0]
    x, y, distance = separations(position, position)
    overlap = MARGIN * jnp.logaddexp(0.0, (reach(bodies.radius, number) - distance) / MARGIN)
    push = STIFFNESS * overlap / distance
    if not np.all(bodies.collides):
        collides = np.broadcast_to(bodies.collides, (number,))
        push = push * np.logical_and.outer(collides, collides)
    return jnp.stack([jnp.sum(push * x, axis=1), jnp.sum(push * y, axis=1)], axis=-1)


def advance(
    position: Float[Array, "M 2"],
    velocity: Float[Array, "M 2"],
    control: Float[Array, "M 2"],
    bodies: Bodies,
    order: Order,
) -> tuple[Float[Array, "M 2"], Float[Array, "M 2"]]:
    """`(position, velocity)` one tenth of a second later, under `control` and contact forces.

    Contacts are felt where the discs are before they move, in either order.
    """
    force = control + contact_forces(position, bodies)
    faster = (1 - DAMPING) * velocity + force * DT / _column(bodies.mass)
    faster = _limited(faster, bodies.max_speed)
    moved = position + DT * (velocity if order == "new" else faster)
    if np.all(bodies.movable):
        return moved, faster
    movable = _column(bodies.movable)
    return jnp.where(movable, moved, position), jnp.where(movable, faster, velocity)


def _limited(velocity: Float[Array, "M 2"], max_speed: float | np.ndarray) -> Float[Array, "M 2"]:
    if np.all(np.isinf(max_speed)):
        return velocity
    speed = jnp.sqrt(jnp.sum(velocity**2, axis=-1, keepdims=True))
    return velocity * jnp.minimum(1.0, _column(max_speed) / jnp.maximum(speed, TINY))


def _column(value: float | bool | np.ndarray) -> float | bool | np.ndarray:
    return np.asarray(value)[:, None] if np.ndim(value) else value
