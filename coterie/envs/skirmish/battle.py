"""One step of a battle: eight loops of StarCraft's clock, in each of which all units act."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from coterie.envs.skirmish.forces import LOOP, Forces
from coterie.envs.skirmish.meeting import Met, meet
from coterie.envs.skirmish.state import TOUCH, Deeds, Number, Orders, Rules, Units

LOOPS = 8
"""Loops in a step."""

SHIELD_DELAY, SHIELD_RATE = 10.0, 2.0
"""Seconds without damage after which a shield regains its points, and points per second."""


def fight(rules: Rules, units: Units, orders: Orders) -> Units:
    """The units a step later."""
    begin = units._replace(
        target=jnp.where(orders.scripted, units.target, orders.target),
        hit=jnp.full_like(units.hit, -1),
    )
    return jax.lax.fori_loop(0, LOOPS, lambda _, now: _loop(rules, now, orders), begin)


def _loop(rules: Rules, units: Units, orders: Orders) -> Units:
    units, aims = _choose(rules, units, orders)
    units, deeds = _act(rules, units, orders, aims)
    met = meet(rules, units, deeds)
    return _suffer(rules, units, deeds, met)


def _choose(rules: Rules, units: Units, orders: Orders) -> tuple[Units, Bool[Array, " M"]]:
    """Targets: of the scripted, kept while they are in reach, else the one they would choose."""
    forces = rules.forces
    lives, needs = _lives(units, units.target), True
    if forces.has_healers:
        whom = jnp.maximum(units.target, 0)
        needs = ~forces.heals | (units.health[whom] < jnp.asarray(forces.health)[whom])
    useful = lives & needs
    idle = jnp.where(useful, 0.0, units.idle + LOOP)
    held = useful & (_left(forces, units) <= TOUCH)
    ready = useful | (idle > rules.reaction)
    chosen = jnp.where(_lives(units, units.prey) & ready & ~held, units.prey, units.target)
    target = jnp.where(orders.scripted, chosen, units.target)
    aims = _lives(units, target)
    return units._replace(target=jnp.where(aims, target, -1), idle=idle), aims


def _lives(units: Units, target: Int[Array, " M"]) -> Bool[Array, " M"]:
    """True if a target is one, and lives."""
    return (target >= 0) & (units.health[jnp.maximum(target, 0)] > 0)


def _left(forces: Forces, units: Units) -> Number:
    """Distance that is left until the target is in reach."""
    whom = jnp.maximum(units.target, 0)
    dx, dy = units.x[whom] - units.x, units.y[whom] - units.y
    return jnp.sqrt(dx * dx + dy * dy) - _reach(forces, whom)


def _reach(forces: Forces, whom: Int[Array, " M"]) -> Number:
    """Distance of centres from which each unit reaches another one."""
    reach = jnp.asarray(forces.range + forces.radius)
    return reach + jnp.asarray(forces.radius)[whom]


def _act(
    rules: Rules, units: Units, orders: Orders, aims: Bool[Array, " M"]
) -> tuple[Units, Deeds]:
    """Walk towards the target, or to where the orders say; attack or heal what is in reach."""
    forces, whom = rules.forces, jnp.maximum(units.target, 0)
    dx = jnp.where(aims, units.x[whom], orders.x) - units.x
    dy = jnp.where(aims, units.y[whom], orders.y) - units.y
    distance = jnp.sqrt(dx * dx + dy * dy)
    left = distance - jnp.where(aims, _reach(forces, whom), orders.near)
    stride = jnp.where(units.alive, jnp.clip(left, 0.0, forces.step), 0.0)
    pace = stride / jnp.maximum(distance, TOUCH)
    near = aims & (left <= TOUCH) & units.alive
    units, hits = _attack(forces, units, near & ~forces.heals)
    units, heals = _heal(forces, units, near & forces.heals)
    return units._replace(x=units.x + pace * dx, y=units.y + pace * dy), Deeds(hits, heals)


def _attack(
    forces: Forces, units: Units, near: Bool[Array, " M"]
) -> tuple[Units, Bool[Array, " M"]]:
    """Begin attacks, or go on with them; an attack lands once its damage point has passed.

    What a loop is longer than the rest of a cooldown counts for the next one, so that periods hold
    on average.
    """
    ready = near & (units.cooldown <= 0.0)
    windup = jnp.where(ready, units.windup + LOOP, 0.0)
    hits = ready & (windup > forces.damage_point)
    waited = jnp.where(units.cooldown > 0.0, units.cooldown - LOOP, units.cooldown)
    cooldown = jnp.where(hits, units.cooldown + forces.period - windup, waited)
    return units._replace(windup=jnp.where(hits, 0.0, windup), cooldown=cooldown), hits


def _heal(forces: Forces, units: Units, near: Bool[Array, " M"]) -> tuple[Units, Bool[Array, " M"]]:
    """Spend energy on who is hurt; it is regained all the time."""
    if not forces.has_healers:
        return units, near
    whom = jnp.maximum(units.target, 0)
    hurt = units.health[whom] < jnp.asarray(forces.health)[whom]
    heals = near & hurt & (units.energy >= forces.cost)
    energy = units.energy + forces.charge * units.alive - forces.cost * heals
    return units._replace(energy=jnp.minimum(energy, forces.most_energy)), heals


def _suffer(rules: Rules, units: Units, deeds: Deeds, met: Met) -> Units:
    """Move by what pushes, heal, and take damage: the shield first, then health, less armour."""
    forces, alive = rules.forces, units.alive
    beyond = jnp.maximum(met.damage - units.shield, 0.0)
    blows = jnp.ceil(beyond * met.blows / jnp.maximum(met.damage, TOUCH) - TOUCH)
    wound = jnp.maximum(beyond - forces.armor * blows, 0.5 * blows)
    health = jnp.where(alive, units.health + met.healed + forces.regeneration, 0.0)
    health = jnp.maximum(jnp.minimum(health, forces.health) - wound, 0.0)
    if np.any(forces.dies):
        health = jnp.where(deeds.hits & forces.dies, 0.0, health)
    calm = jnp.where(met.damage > 0, 0.0, units.calm + LOOP)
    regained = jnp.where(calm > SHIELD_DELAY, SHIELD_RATE * LOOP, 0.0)
    shield = jnp.clip(units.shield - met.damage + regained, 0.0, forces.shield)
    done = deeds.hits | deeds.heals
    return units._replace(
        x=jnp.clip(units.x + alive * met.push_x, rules.low[0], rules.high[0]),
        y=jnp.clip(units.y + alive * met.push_y, rules.low[1], rules.high[1]),
        health=health,
        shield=jnp.where(health > 0, shield, 0.0),
        calm=calm,
        prey=met.prey,
        hit=jnp.where(done, units.target, units.hit),
    )
