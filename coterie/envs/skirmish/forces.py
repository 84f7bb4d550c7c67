"""Constants of a battle: what each unit is, and what it can do to each other one."""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from coterie.envs.skirmish.maps import Army
from coterie.envs.skirmish.units import UNITS, Healing, Unit, Weapon

LOOP = 1 / 16
"""Seconds of one loop of the game."""

SCAN = 5.0
"""Distance, from edge to edge, at which a unit notices enemies that its weapon does not reach."""

Each = Float[np.ndarray, " M"]
Flag = Bool[np.ndarray, " M"]
Pair = Float[np.ndarray, "M M"]


class Forces(NamedTuple):
    """Constants of `M` units, the allies before the enemies.

    Of each unit: its figures (`coterie.envs.skirmish.units`), and

    ally, heals, dies: whether it is an ally, heals, ends by its attack.
    step:     cells that it moves in a loop.
    energy:   energy at the start, and at most; `heal`, `cost`, `charge`: points of health it heals,
              energy that takes, and energy it regains, in a loop.

    Of each pair, `[M, M]`, the unit in the row to that in the column:

    damage:   points of all blows of an attack.
    target:   1 if the one in the column can have the one in the row for its target.
    apart:    distance below which they push each other; 0 if they never do.
    give:     share of the overlap by which the one in the column gives way.
    notice:   distance up to which the one in the column notices the one in the row.
    """

    ally: Flag
    health: Each
    shield: Each
    armor: Each
    radius: Each
    step: Each
    range: Each
    period: Each
    damage_point: Each
    blows: Each
    splash_along: Each
    splash_across: Each
    dies: Flag
    heals: Flag
    energy: Each
    most_energy: Each
    heal: Each
    cost: Each
    charge: Each
    regeneration: Each
    flies: Flag
    cooldown: Each
    damage: Pair
    target: Pair
    apart: Pair
    give: Pair
    notice: Pair

    @property
    def has_splash(self) -> bool:
        """True if an attack can hit more than its target."""
        return bool(np.any(self.splash_across))

    @property
    def has_healers(self) -> bool:
        """True if there is a unit that heals."""
        return bool(np.any(self.heals))


@functools.lru_cache(maxsize=64)
def forces(allies: Army, enemies: Army) -> Forces:
    """The constants of two armies."""
    units = [UNITS[kind] for kind in (*allies, *enemies)]
    ally = np.arange(len(units)) < len(allies)
    return Forces(ally, *_bodies(units), *_pairs(units, ally))


def _bodies(units: list[Unit]) -> tuple[np.ndarray, ...]:
    bodies = [unit.body for unit in units]
    weapons = [u.skill if isinstance(u.skill, Weapon) else Weapon(0, 1) for u in units]
    none = Healing(rate=0, cost=0, start=0, most=0, regeneration=0)
    healing = [u.skill if isinstance(u.skill, Healing) else none for u in units]
    columns = (
        [b.health for b in bodies],
        [b.shield for b in bodies],
        [b.armor for b in bodies],
        [b.radius for b in bodies],
        [b.speed * LOOP for b in bodies],
        [u.skill.range for u in units],
        [w.period for w in weapons],
        [w.damage_point for w in weapons],
        [w.blows for w in weapons],
        [w.splash[0] for w in weapons],
        [w.splash[1] for w in weapons],
        np.array([w.dies for w in weapons]),
        np.array([u.heals for u in units]),
        [h.start for h in healing],
        [h.most for h in healing],
        [h.rate * LOOP for h in healing],
        [h.cost * LOOP for h in healing],
        [h.regeneration * LOOP for h in healing],
        [b.regeneration * LOOP for b in bodies],
        np.array([b.flies for b in bodies]),
        [u.cooldown_loops * LOOP for u in units],
    )
    arrays = (np.asarray(column) for column in columns)
    return tuple(a if a.dtype == bool else a.astype(np.float32) for a in arrays)


def _pairs(units: list[Unit], ally: Flag) -> tuple[np.ndarray, ...]:
    def table(value: object) -> Pair:
        entries = [[value(one, other) for other in units] for one in units]  # type: ignore
        return np.array(entries, np.float32)

    same_side = ally[:, None] == ally
    heals = np.array([unit.heals for unit in units])
    target = table(Unit.can_target) * (same_side == heals[:, None])
    moves = np.array([unit.body.speed > 0 for unit in units])
    give = np.where(moves, np.where(moves[:, None], 0.5, 1.0), 0.0).astype(np.float32)
    notice = np.where(heals, np.inf, table(_notices).T).astype(np.float32)
    blows = table(lambda one, other: getattr(one.skill, "blows", 0) * one.damage_to(other))
    itself = np.eye(len(units), dtype=np.float32)
    return blows, target.T * (1 - itself), table(_apart) * (1 - itself), give, notice


def _apart(one: Unit, other: Unit) -> float:
    if one.body.layer != other.body.layer:
        return 0.0
    return sum(b.radius if b.separation is None else b.separation for b in (one.body, other.body))


def _notices(one: Unit, other: Unit) -> float:
    return max(SCAN, one.skill.range) + one.body.radius + other.body.radius
