"""The state of a battle, orders, and constants."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from coterie.envs.skirmish.forces import Forces
from coterie.envs.skirmish.maps import Arena

TOUCH = 1e-3
"""Tolerance of a distance, which rounding may overstep."""

Number = Float[Array, " M"]


class Units(NamedTuple):
    """`M` units in a battle.

    x, y:     positions, in cells of the map.
    health, shield, energy: points left; a unit without health is dead.
    cooldown: seconds until it can attack again.
    windup:   seconds since it began to attack; 0 if it does not.
    calm:     seconds since it was last hurt.
    idle:     seconds that it has had no target.
    target:   number of the unit that it attacks or heals; -1 if none.
    prey:     number of the unit that it would choose for a target; -1 if none.
    hit:      number of the unit that it hit or healed last in this step; -1 if none.
    """

    x: Number
    y: Number
    health: Number
    shield: Number
    energy: Number
    cooldown: Number
    windup: Number
    calm: Number
    idle: Number
    target: Int[Array, " M"]
    prey: Int[Array, " M"]
    hit: Int[Array, " M"]

    @property
    def alive(self) -> Bool[Array, " M"]:
        """Mask of the living."""
        return self.health > 0


class Orders(NamedTuple):
    """Orders of each unit for a step.

    scripted: True if it chooses its targets itself; constant.
    target:   its target, if it is not; -1 if none.
    x, y:     where it goes without a target.
    near:     distance from there at which it stops; infinite if it stays where it is.
    """

    scripted: Bool[np.ndarray, " M"]
    target: Int[Array, " M"]
    x: Number
    y: Number
    near: Number


class Rules(NamedTuple):
    """Constants of a battle.

    forces:   what the units are.
    low, high: corners of where each unit's centre can be, `[2, M]`.
    reaction: seconds that a unit without a target needs to choose one.
    alarm:    distance within which it notices who attacks anybody.
    """

    forces: Forces
    low: Float[np.ndarray, "2 M"]
    high: Float[np.ndarray, "2 M"]
    reaction: float
    alarm: float


class Deeds(NamedTuple):
    """Deeds of each unit in a loop: it `hits` its target, it `heals` it, or neither."""

    hits: Bool[Array, " M"]
    heals: Bool[Array, " M"]


def rules(forces: Forces, arena: Arena, reaction: float = 0.0, alarm: float = 0.0) -> Rules:
    """The constants of a battle in an arena; units in the air cross its walls' edge."""
    edge = np.where(forces.flies, 0.0, forces.radius)
    low, high = (np.asarray(corner, np.float32)[:, None] for corner in (arena.low, arena.high))
    low, high = (np.asarray(end, np.float32) for end in (low + edge, high - edge))
    return Rules(forces, low, high, reaction, alarm)
