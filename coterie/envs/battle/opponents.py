"""Enemies of a learning army: a script, chance, or the trained policies of a run."""

import abc
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32, Key, PyTree

from coterie.envs.battle.combat import ACTIONS
from coterie.envs.battle.field import BLOWS, EMPTY, MOVES, RADIUS, Field, Units, within

BY_DISTANCE = sorted(within(RADIUS).tolist(), key=lambda offset: np.hypot(*offset))[1:]
"""Offsets that a unit sees, the nearest first."""


class Front(NamedTuple):
    """Situation of the second army before a step.

    field: the ground.
    units: both armies.
    view:  what each unit of the second army sees.
    """

    field: Field
    units: Units
    view: Float[Array, "N 13 13 C"]


class Opponent(abc.ABC):
    """A rule by which the second army acts; what it remembers is a part of the environment's
    state."""

    @property
    def constants(self) -> PyTree:
        """Arrays that the rule reads and never changes."""
        return ()

    def start(self, constants: PyTree) -> PyTree:
        """Memory of the second army at the start of an episode."""
        return ()

    @abc.abstractmethod
    def act(
        self, constants: PyTree, front: Front, memory: PyTree, key: Key[Array, ""]
    ) -> tuple[Int32[Array, " N"], PyTree]:
        """Actions of the second army, and what it remembers."""


@dataclass(frozen=True)
class Random(Opponent):
    """Every action is equally likely."""

    def act(
        self, constants: PyTree, front: Front, memory: PyTree, key: Key[Array, ""]
    ) -> tuple[Int32[Array, " N"], PyTree]:
        half = len(front.units.cell) // 2
        return jax.random.randint(key, (half,), 0, ACTIONS, jnp.int32), memory


@dataclass(frozen=True)
class Script(Opponent):
    """Attack the weakest enemy that can be reached; else move as near as possible to the nearest
    one in sight, or, without any, to the middle of all that live."""

    def act(
        self, constants: PyTree, front: Front, memory: PyTree, key: Key[Array, ""]
    ) -> tuple[Int32[Array, " N"], PyTree]:
        field, units, _ = front
        ground, half = field.occupants(units), len(units.cell) // 2
        cells = units.cell[half:, None]
        attack, within_reach = _weakest(field, units, ground, cells)
        move = _approach(field, units, ground, cells)
        return jnp.where(within_reach, len(MOVES) + attack, move).astype(jnp.int32), memory


def _weakest(
    field: Field, units: Units, ground: Int32[Array, " C"], cells: Int[Array, "N 1"]
) -> tuple[Int[Array, " N"], Array]:
    """The attack on the weakest enemy within reach, and whether there is one."""
    there = ground[cells + field.offset(BLOWS)]
    enemy = (there >= 0) & (there < len(units.cell) // 2)
    health = jnp.where(enemy, units.health[there], jnp.inf)
    return jnp.argmin(health, axis=1), jnp.any(enemy, axis=1)


def _approach(
    field: Field, units: Units, ground: Int32[Array, " C"], cells: Int[Array, "N 1"]
) -> Int[Array, " N"]:
    """The move, to stay included, that ends nearest to the goal."""
    goal = _goal(field, units, ground, cells)
    free = (ground[cells + field.offset(MOVES)] == EMPTY) | np.all(MOVES == 0, axis=1)
    left = jnp.sum((goal[:, None] - MOVES) ** 2, axis=-1)
    return jnp.argmin(jnp.where(free, left, jnp.inf), axis=1)


def _goal(
    field: Field, units: Units, ground: Int32[Array, " C"], cells: Int[Array, "N 1"]
) -> Float[Array, "N 2"]:
    """The nearest enemy in sight, else the middle of the living ones, relative to each unit."""
    half, offsets = len(units.cell) // 2, np.array(BY_DISTANCE)
    there = ground[cells + field.offset(offsets)]
    seen = (there >= 0) & (there < half)
    nearest = jnp.asarray(offsets, jnp.float32)[jnp.argmax(seen, axis=1)]
    place = jnp.stack(field.place(units.cell), axis=-1).astype(jnp.float32)
    alive = units.alive[:half, None]
    middle = jnp.sum(place[:half] * alive, axis=0) / jnp.maximum(jnp.sum(alive), 1)
    return jnp.where(jnp.any(seen, axis=1, keepdims=True), nearest, middle - place[half:])
