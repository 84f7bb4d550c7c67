"""Armies at the start of a battle, the orders of a step, and who is beaten."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.envs.particle.observations import nearest_first
from coterie.envs.skirmish.forces import Forces
from coterie.envs.skirmish.maps import Arena, Army, Map
from coterie.envs.skirmish.sight import FIRST_MOVE, FIRST_TARGET, MOVES
from coterie.envs.skirmish.state import Orders, Rules, Units
from coterie.envs.skirmish.units import UNITS

ARRIVED = 1.0
"""A unit stops when it is as close to its rally point."""

MOVE = 2.0
"""Distance of a move that is ordered; a step ends before that."""

GOLDEN = math.pi * (3.0 - math.sqrt(5.0))
"""Angle from one seed of a sunflower to the next."""

POINTS = ("health", "shield", "energy")

LOOSE = 1.3
"""Area of an army at the start, over that of squares around its bodies."""


def deployed(rules: Rules, there: Map, key: Key[Array, ""]) -> Units:
    """Both armies at their places, fresh, in an order that the key draws."""
    number = len(there.allies)
    drawn = jax.random.uniform(key, (number + len(there.enemies) + 2,))  # one draw compiles soonest
    allies = _placed(there.allies, there.arena.allies, drawn[: number + 1])
    enemies = _placed(there.enemies, there.arena.enemies, drawn[number + 1 :])
    x, y = jnp.clip(jnp.concatenate([allies, enemies]).T, rules.low, rules.high)
    zero, none = jnp.zeros_like(x), jnp.full(len(x), -1, jnp.int32)
    fresh = {name: jnp.asarray(getattr(rules.forces, name)) for name in POINTS}
    times = dict.fromkeys(("cooldown", "windup", "calm", "idle"), zero)
    return Units(x, y, **fresh, **times, target=none, prey=none, hit=none)


def _placed(
    army: Army, middle: tuple[float, float], drawn: Float[Array, " D"]
) -> Float[Array, "K 2"]:
    """Places of an army: the seeds of a sunflower, turned at random and dealt at random; units of
    one kind stand from west to east. Ranks are counted: a sort takes long to compile."""
    number = len(army)
    area = sum((2 * UNITS[kind].body.radius) ** 2 for kind in army) / number
    seed = np.arange(number) + 0.5
    radius = np.sqrt(LOOSE * area * seed / math.pi).astype(np.float32)
    angle = jnp.asarray(GOLDEN * seed, jnp.float32) + 2 * math.pi * drawn[0]
    points = jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=1)
    dealt = points[nearest_first(drawn[None, 1:])[0]]
    kind = np.searchsorted(sorted(set(army)), army)
    eastward = nearest_first((dealt[:, 0] + 1e3 * kind)[None])[0]
    return dealt[eastward] + np.asarray(middle, np.float32)


def orders(forces: Forces, arena: Arena, units: Units, action: Int[Array, " N"]) -> Orders:
    """The joint action as orders; the enemy marches to where the allies began, and waits there.

    An attack that the unit's weapon cannot make is no order.
    """
    number, total = len(action), len(forces.ally)
    move = action[:, None] == np.arange(FIRST_MOVE, FIRST_TARGET)
    way = MOVE * move.astype(jnp.float32) @ MOVES
    rally = np.broadcast_to(np.asarray(arena.allies, np.float32), (total - number, 2))
    here = jnp.stack([units.x[:number], units.y[:number]], axis=1)
    x, y = jnp.concatenate([here + way, rally]).T
    near = jnp.where(jnp.any(move, axis=1), 0.0, jnp.inf)
    return Orders(
        ~forces.ally,
        jnp.concatenate([_targets(forces, action), jnp.full(total - number, -1, jnp.int32)]),
        x,
        y,
        jnp.concatenate([near, np.full(total - number, ARRIVED, np.float32)]),
    )


def script(forces: Forces, arena: Arena) -> Orders:
    """Orders by which both armies follow the enemy's script, each to where the other began."""
    rally = np.where(forces.ally[:, None], arena.enemies, arena.allies).astype(np.float32)
    everybody = np.ones_like(forces.ally)
    none = jnp.full(len(everybody), -1, jnp.int32)
    near = jnp.full(len(everybody), ARRIVED)
    return Orders(everybody, none, jnp.asarray(rally[:, 0]), jnp.asarray(rally[:, 1]), near)


def _targets(forces: Forces, action: Int[Array, " N"]) -> Int[Array, " N"]:
    """Numbers of the units that the agents attack or heal; -1 if none, or if they cannot."""
    number = len(action)
    first = np.where(forces.heals[:number], 0, number).astype(np.int32)
    target = action - FIRST_TARGET + first
    table = forces.target[:, :number].T > 0
    able = jnp.any(table & (target[:, None] == np.arange(len(forces.ally))), axis=1)
    return jnp.where((action >= FIRST_TARGET) & able, target, -1)


def beaten(forces: Forces, units: Units) -> tuple[Bool[Array, ""], Bool[Array, ""]]:
    """Test if the allies, and if the enemies, have no unit left that fights."""
    fights = units.alive & ~forces.heals
    return ~jnp.any(fights & forces.ally), ~jnp.any(fights & ~forces.ally)
