"""Observations, masks and global state of a battle, in SMAC's features and in its order."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from coterie.envs.skirmish.forces import Forces
from coterie.envs.skirmish.maps import Arena, Army
from coterie.envs.skirmish.state import Units
from coterie.envs.skirmish.units import UNITS

SIGHT, SHOT = 9.0, 6.0
"""Distances of centres up to which any agent sees, and may order an attack."""

MOVES = np.array([[0, 1], [0, -1], [1, 0], [-1, 0]], np.float32)
"""Directions of the actions 2 to 5: north, south, east and west."""

STOP, FIRST_MOVE, FIRST_TARGET = 1, 2, 6
"""Numbers of actions; 0 is for the dead."""

MAP = 32.0
"""Width and height of a map, by which positions in the global state are divided."""


class Layout(NamedTuple):
    """Features of a battle that there are.

    allies, enemies: numbers of units.
    targets:         number of targets; a healer's are allies.
    kinds:           each unit's kind as zeros and a one, `[M, K]`; `K` is 0 if each army is of one.
    ally_shields, enemy_shields: whether units of this army have shields.
    last_action:     whether agents see the last actions of allies.
    """

    allies: int
    enemies: int
    targets: int
    kinds: Float[np.ndarray, "M K"]
    ally_shields: bool
    enemy_shields: bool
    last_action: bool

    @property
    def actions(self) -> int:
        """Number of actions."""
        return FIRST_TARGET + self.targets

    @property
    def sizes(self) -> tuple[int, int]:
        """Lengths of an observation and of the global state.

        >>> layout(("marine",) * 3, ("marine",) * 3, False).sizes
        (30, 48)
        """
        kinds = self.kinds.shape[1]
        enemy, ally = 5 + self.enemy_shields + kinds, 5 + self.ally_shields + kinds
        seen = ally + self.actions * self.last_action
        own = 4 + 1 + self.ally_shields + kinds
        observation = own + self.enemies * enemy + (self.allies - 1) * seen
        state = self.allies * (ally - 1 + self.actions) + self.enemies * (enemy - 2)
        return observation, state


def layout(allies: Army, enemies: Army, last_action: bool) -> Layout:
    """The features of a battle between two armies."""
    units = (*allies, *enemies)
    mixed = len(set(allies)) > 1 or len(set(enemies)) > 1
    kinds = sorted(set(units)) if mixed else []
    table = np.array([[unit == kind for kind in kinds] for unit in units], np.float32)
    healed = len(allies) if any(UNITS[kind].heals for kind in allies) else 0
    targets = max(len(enemies), healed)
    ours, theirs = (any(UNITS[kind].body.shield for kind in army) for army in (allies, enemies))
    return Layout(len(allies), len(enemies), targets, table, ours, theirs, last_action)


class Eyes(NamedTuple):
    """Every unit as the allies see it, `[N, M]` each.

    x, y:    where it is, relative to the eye.
    far:     its distance.
    visible: it lives and is seen; so does the eye.
    reached: it may be the target of an order.
    """

    x: Float[Array, "N M"]
    y: Float[Array, "N M"]
    far: Float[Array, "N M"]
    visible: Bool[Array, "N M"]
    reached: Bool[Array, "N M"]


def eyes(units: Units, allies: int) -> Eyes:
    """Views of the allies on all units."""
    alive = units.alive
    x, y = units.x - units.x[:allies, None], units.y - units.y[:allies, None]
    far = jnp.sqrt(x * x + y * y)
    there = alive & alive[:allies, None]
    return Eyes(x, y, far, there & (far < SIGHT), there & (far <= SHOT))


def masks(
    layout: Layout, forces: Forces, arena: Arena, units: Units, seen: Eyes
) -> Bool[Array, "N A"]:
    """Possible actions: no-op for the dead alone; moves that do not lead into walls; targets."""
    number = layout.allies
    alive = units.alive[:number, None]
    place = jnp.stack([units.x[:number], units.y[:number]], axis=1)[:, None] + MOVES
    low, high = (np.asarray(corner, np.float32) for corner in (arena.low, arena.high))
    free = jnp.all((place >= low) & (place < high), axis=-1)
    targets = _wide(seen.reached[:, number:], layout.targets)
    heals = forces.heals[:number]
    if np.any(heals):
        friends = _wide(seen.reached[:, :number] & ~heals, layout.targets)
        targets = jnp.where(heals[:, None], friends, targets)
    return jnp.concatenate([~alive, alive, free & alive, targets], axis=1)


def _wide(mask: Bool[Array, "N K"], width: int) -> Bool[Array, "N W"]:
    return jnp.pad(mask, ((0, 0), (0, width - mask.shape[1])))


def observe(
    layout: Layout,
    forces: Forces,
    units: Units,
    seen: Eyes,
    possible: Bool[Array, "N A"],
    last: Int[Array, " N"],
) -> Float[Array, "N F"]:
    """Observations `[N, F]`: moves that are possible, enemies, other allies, oneself.

    An enemy in sight: it can be attacked (of healers: the ally of its number can be healed), its
    distance and relative position in ranges of sight, health, shield, kind. An ally: it is seen,
    and the same, and its last action. Oneself: health, shield, kind.
    """
    number = layout.allies
    health, shield = _shares(forces, units)
    targets = possible[:, FIRST_TARGET : FIRST_TARGET + layout.enemies]
    enemies = _features(layout, seen, health, shield, targets, slice(number, None))
    friends = seen.visible[:, :number]
    allies = _features(layout, seen, health, shield, friends, slice(0, number))
    if layout.last_action:
        action = _one_hot(last, layout.actions) * seen.visible[:, :number, None]
        allies = jnp.concatenate([allies, action], axis=-1)
    own = [health[:number, None], shield[:number, None]][: 1 + layout.ally_shields]
    mine = jnp.concatenate([*own, layout.kinds[:number]], axis=1) * units.alive[:number, None]
    moves = possible[:, FIRST_MOVE:FIRST_TARGET]
    parts = (moves, enemies, _without_self(allies), mine)
    return jnp.concatenate([part.reshape(number, -1) for part in parts], axis=1, dtype=jnp.float32)


def _features(
    layout: Layout,
    seen: Eyes,
    health: Float[Array, " M"],
    shield: Float[Array, " M"],
    first: Bool[Array, "N K"],
    who: slice,
) -> Float[Array, "N K F"]:
    """Features of the units `who`, zero where they are not seen."""
    shields = layout.ally_shields if who.start == 0 else layout.enemy_shields
    places = [part[:, who] / SIGHT for part in (seen.far, seen.x, seen.y)]
    shape = places[0].shape
    points = [jnp.broadcast_to(part[who], shape) for part in (health, shield)[: 1 + shields]]
    kinds = [jnp.broadcast_to(kind, shape) for kind in layout.kinds[who].T]
    told = jnp.stack([first.astype(jnp.float32), *places, *points, *kinds], axis=-1)
    return jnp.where(seen.visible[:, who, None], told, 0.0)


def _shares(forces: Forces, units: Units) -> tuple[Float[Array, " M"], Float[Array, " M"]]:
    """Health and shield of each unit, as shares of what it has at the start."""
    return units.health / forces.health, units.shield / np.maximum(forces.shield, 1.0)


def _without_self(each: Float[Array, "N N F"]) -> Float[Array, "N N-1 F"]:
    """Row `i` without its entry `i`: in a flattened square the diagonal comes every `N + 1`."""
    number, _, width = each.shape
    after_first = each.reshape(number * number, width)[1:]
    whole = after_first.reshape(number - 1, number + 1, width) if number > 1 else after_first
    return whole[:, :-1].reshape(number, number - 1, width)


def _one_hot(number: Int[Array, " N"], size: int) -> Float[Array, "N size"]:
    return (number[:, None] == np.arange(size)).astype(jnp.float32)


def global_state(
    layout: Layout, forces: Forces, arena: Arena, units: Units, last: Int[Array, " N"]
) -> Float[Array, " S"]:
    """The state `[S]`: allies, enemies, and the allies' last actions.

    An ally: health, cooldown (a healer's energy), position relative to the middle of the map,
    shield, kind. An enemy: the same without the cooldown. The dead are zeros.
    """
    number = layout.allies
    health, shield = _shares(forces, units)
    loops = np.maximum(forces.cooldown, 1e-6)
    busy = jnp.maximum(units.cooldown, 0.0) / loops
    ready = jnp.where(forces.heals, units.energy / np.maximum(forces.most_energy, 1.0), busy)
    middle = [(a + b) / 2 for a, b in zip(arena.low, arena.high, strict=True)]
    x, y = (units.x - middle[0]) / MAP, (units.y - middle[1]) / MAP
    kinds = list(layout.kinds.T)
    shields = [shield] * layout.ally_shields, [shield] * layout.enemy_shields
    allies = jnp.stack([health, ready, x, y, *shields[0], *kinds], axis=-1)[:number]
    enemies = jnp.stack([health, x, y, *shields[1], *kinds], axis=-1)[number:]
    alive = units.alive[:, None]
    parts = (
        allies * alive[:number],
        enemies * alive[number:],
        _one_hot(last, layout.actions) * (last >= 0)[:, None],
    )
    return jnp.concatenate([part.reshape(-1) for part in parts])
