"""SMAC's masks, observations and global state, one unit and one number after the other."""

import math

import numpy as np

from coterie.envs.skirmish.units import UNITS


def units_of(there, units):
    """All units as dictionaries, allies first."""
    found = []
    for i, kind in enumerate((*there.allies, *there.enemies)):
        numbers = {name: float(getattr(units, name)[i]) for name in ("x", "y", "health", "shield")}
        rest = {"cooldown": float(units.cooldown[i]), "energy": float(units.energy[i])}
        found.append({"kind": kind, "unit": UNITS[kind], **numbers, **rest})
    return found


def far(one, other):
    """Distance of centres."""
    return math.hypot(other["x"] - one["x"], other["y"] - one["y"])


def mask(there, everybody, agent, actions):
    """Possible actions of an agent."""
    me, possible = everybody[agent], [False] * actions
    if me["health"] <= 0:
        return [True] + possible[1:]
    possible[1] = True
    (west, south), (east, north) = there.arena.low, there.arena.high
    for action, (dx, dy) in zip((2, 3, 4, 5), ((0, 1), (0, -1), (1, 0), (-1, 0)), strict=True):
        x, y = math.floor(me["x"] + dx), math.floor(me["y"] + dy)
        possible[action] = west <= x < east and south <= y < north
    allies, enemies = everybody[: len(there.allies)], everybody[len(there.allies) :]
    for number, other in enumerate(allies if me["unit"].heals else enemies):
        healer = me["unit"].heals and other["unit"].heals
        possible[6 + number] = other["health"] > 0 and far(me, other) <= 6 and not healer
    return possible


def bits(there, kind):
    """The kind of a unit as zeros and a one, if an army is mixed."""
    mixed = len(set(there.allies)) > 1 or len(set(there.enemies)) > 1
    kinds = sorted({*there.allies, *there.enemies}) if mixed else []
    return [float(kind == each) for each in kinds]


def points(army, unit):
    """Health and, if the army has any, shield, as shares."""
    shields = any(UNITS[kind].body.shield for kind in army)
    body = unit["unit"].body
    share = unit["shield"] / body.shield if body.shield else 0.0
    return [unit["health"] / body.health] + [share] * shields


def observation(there, everybody, agent, possible):
    """What an agent sees."""
    me, number = everybody[agent], len(there.allies)
    told = [float(flag) for flag in possible[2:6]] if me["health"] > 0 else [0.0] * 4
    others = [*range(number, len(everybody)), *(i for i in range(number) if i != agent)]
    for i in others:
        other, army = everybody[i], there.enemies if i >= number else there.allies
        first = float(possible[6 + i - number]) if i >= number else 1.0
        place = [far(me, other) / 9, (other["x"] - me["x"]) / 9, (other["y"] - me["y"]) / 9]
        row = [first, *place, *points(army, other), *bits(there, other["kind"])]
        seen = min(me["health"], other["health"]) > 0 and far(me, other) < 9
        told += row if seen else [0.0] * len(row)
    own = [*points(there.allies, me), *bits(there, me["kind"])]
    return np.array(told + (own if me["health"] > 0 else [0.0] * len(own)), np.float32)


def state(there, everybody, last, actions):
    """The global state."""
    told, number = [], len(there.allies)
    middle = [(a + b) / 2 for a, b in zip(there.arena.low, there.arena.high, strict=True)]
    for i, unit in enumerate(everybody):
        ready = unit["energy"] / 200 if unit["unit"].heals else None
        if ready is None:
            ready = max(unit["cooldown"], 0) * 16 / unit["unit"].cooldown_loops
        place = [(unit["x"] - middle[0]) / 32, (unit["y"] - middle[1]) / 32]
        health, *shield = points(there.allies if i < number else there.enemies, unit)
        between = [ready] if i < number else []
        row = [health, *between, *place, *shield, *bits(there, unit["kind"])]
        told += row if unit["health"] > 0 else [0.0] * len(row)
    for action in last:
        told += [float(action == each) for each in range(actions)]
    return np.array(told, np.float32)
