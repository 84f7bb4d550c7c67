"""Resolution of a step: blows, recovery, moves, each exactly one after the other or all at once."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from coterie.envs.battle.field import (
    BLOWS,
    DAMAGE,
    EMPTY,
    HEALTH,
    MOVES,
    RECOVERY,
    Field,
    Units,
)

Resolution = Literal["sequential", "simultaneous"]
ACTIONS = len(MOVES) + len(BLOWS)
"""Moves come first, then attacks."""
NONE, MISSED, HIT, KILLED = range(4)
"""Outcomes of a unit's attack; one that has not attacked has `NONE`."""


def targets(field: Field, units: Units, action: Int[Array, " M"]) -> Int32[Array, " M"]:
    """The enemy that each attack is aimed at; -1 for none, and -2 for no attack of a living
    unit."""
    cells = units.cell + jnp.asarray(field.offset(BLOWS))[jnp.maximum(action - len(MOVES), 0)]
    there = field.occupants(units)[cells]
    half = len(units.cell) // 2
    other = (there >= half) != (jnp.arange(2 * half) >= half)
    aimed = jnp.where((there >= 0) & other, there, -1)
    return jnp.where((action >= len(MOVES)) & units.alive, aimed, -2)


def strike_in_turn(
    target: Int32[Array, " M"], health: Float[Array, " M"], order: Int[Array, " M"]
) -> tuple[Float[Array, " M"], Int32[Array, " M"]]:
    """Health and outcomes after attacks in an order: who is killed before its turn does not strike,
    and who is aimed at and dead already is missed."""
    last = len(target)

    def turn(carry: tuple[Array, Array], unit: Array) -> tuple[tuple[Array, Array], None]:
        health, outcome = carry
        aim = target[unit]
        able = (aim != -2) & (health[unit] >= 0.0)
        left = health[aim] - DAMAGE
        hit = able & (aim >= 0) & (health[aim] >= 0.0)
        health = health.at[jnp.where(hit, aim, last)].set(left, mode="drop")
        done = jnp.where(hit, jnp.where(left < 0.0, KILLED, HIT), jnp.where(able, MISSED, NONE))
        return (health, outcome.at[unit].set(done.astype(jnp.int32))), None

    start = health, jnp.zeros(last, jnp.int32)
    return jax.lax.scan(turn, start, order)[0]


def strike_at_once(
    field: Field, units: Units, action: Int[Array, " M"]
) -> tuple[Float[Array, " M"], Int32[Array, " M"]]:
    """Health and outcomes after attacks that all fall at once: everybody strikes. Those on one unit
    count in the order of their numbers as attacks, and the rest of them miss once it is dead."""
    target, number = targets(field, units, action), jnp.maximum(action - len(MOVES), 0)
    count, unit = len(action), jnp.where(target >= 0, target, len(action))
    strikes = jnp.zeros((count, len(BLOWS)), bool).at[unit, number].set(True, mode="drop")
    before = units.health[:, None] - DAMAGE * (jnp.cumsum(strikes, axis=1) - strikes)
    lands = strikes & (before >= 0.0)
    done = jnp.where(lands, jnp.where(before < DAMAGE, KILLED, HIT), MISSED)
    outcome = jnp.where(target == -2, NONE, jnp.where(target == -1, MISSED, done[target, number]))
    return units.health - DAMAGE * jnp.sum(lands, axis=1), outcome.astype(jnp.int32)


def recover(health: Float[Array, " M"]) -> Float[Array, " M"]:
    """Health after the recovery of the living."""
    return jnp.where(health >= 0.0, jnp.minimum(HEALTH, health + RECOVERY), health)


def _destinations(field: Field, units: Units, action: Int[Array, " M"]) -> Int32[Array, " M"]:
    """The cells that units move to; their own, if they stay, attack or are dead."""
    moves = units.alive & (action < len(MOVES))
    offset = jnp.asarray(field.offset(MOVES))[jnp.minimum(action, len(MOVES) - 1)]
    return units.cell + jnp.where(moves, offset, 0)


def move_in_turn(field: Field, units: Units, action: Int[Array, " M"]) -> Int32[Array, " M"]:
    """Cells after moves in the order of the units' numbers; a cell that is left is free for those
    who come later. What lies between is jumped over."""
    goals, numbers = _destinations(field, units, action), jnp.arange(len(action))

    def turn(ground: Array, now: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        unit, cell, goal = now
        free = (ground[goal] == EMPTY) & (goal != cell)  # the dead stay, on a cell that is free
        both = jnp.where(free, jnp.stack([cell, goal]), field.cells)
        change = jnp.stack([jnp.int32(EMPTY), unit])
        ground = ground.at[both].set(change, mode="drop")
        return ground, jnp.where(free, goal, cell)

    return jax.lax.scan(turn, field.occupants(units), (numbers, units.cell, goals))[1]


def move_at_once(
    field: Field, units: Units, action: Int[Array, " M"], order: Int[Array, " M"]
) -> Int32[Array, " M"]:
    """Cells after moves all at once, to cells that were free before; of several units that want one
    the first in the order has it."""
    goals, count = _destinations(field, units, action), len(action)
    free = (field.occupants(units)[goals] == EMPTY) & (goals != units.cell)
    rank = jnp.zeros(count, jnp.int32).at[order].set(jnp.arange(count, dtype=jnp.int32))
    claims = jnp.full(field.cells, count, jnp.int32).at[goals].min(jnp.where(free, rank, count))
    return jnp.where(free & (claims[goals] == rank), goals, units.cell)


def resolve(
    field: Field,
    units: Units,
    action: Int[Array, " M"],
    order: Int[Array, " M"],
    resolution: Resolution = "sequential",
) -> tuple[Units, Int32[Array, " M"]]:
    """Both armies after a step, and the outcomes of their attacks: attacks come first, then the
    living recover, then they move.

    order: the units in the order of their attacks, a permutation; at once, of their claims.
    """
    if resolution == "sequential":
        aimed = targets(field, units, action)
        health, outcome = strike_in_turn(aimed, units.health, order)
    else:
        health, outcome = strike_at_once(field, units, action)
    units = Units(units.cell, recover(health))
    if resolution == "sequential":
        cell = move_in_turn(field, units, action)
    else:
        cell = move_at_once(field, units, action, order)
    return units._replace(cell=cell), outcome
