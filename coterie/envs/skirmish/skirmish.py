"""StarCraft's unit micromanagement: a team of units against an army that follows a script."""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.bounds import AtLeast
from coterie.envs.game import AgentSpec, Discrete, JaxEnv, Observation, Timestep
from coterie.envs.skirmish.battle import fight
from coterie.envs.skirmish.deployment import beaten, deployed, orders
from coterie.envs.skirmish.forces import Forces, forces
from coterie.envs.skirmish.maps import Map, army_of, map_of, require_room
from coterie.envs.skirmish.picture import paint
from coterie.envs.skirmish.sight import Layout, eyes, global_state, layout, masks, observe
from coterie.envs.skirmish.state import Rules, Units, rules
from coterie.errors import require

KILL, WIN, TOTAL = 10.0, 200.0, 20.0
"""Points of a kill and of a win, beside those of damage; and what they are scaled to."""
LOSS = 0.5
"""Weight of own losses, where they count."""


class Battle(NamedTuple):
    """The state of one episode.

    units: the allies, then the enemies.
    last:  the last action of each ally, `[N]`; -1 at the start.
    clock: the number of steps played.
    """

    units: Units
    last: Int[Array, " N"]
    clock: Int[Array, ""]


class Field(NamedTuple):
    """Constants of an environment."""

    map: Map
    rules: Rules
    layout: Layout

    @property
    def forces(self) -> Forces:
        """Constants of the units."""
        return self.rules.forces


@dataclass(frozen=True)
class Skirmish(JaxEnv):
    """Each agent commands a unit of StarCraft II against an army that the environment commands.

    The interface is that of the StarCraft Multi-Agent Challenge (SMAC, Samvelyan et al. 2019): its
    maps, actions, masks, observations, global state and reward. The figures of the units are
    StarCraft's; the simulation and the script are our own, so win rates are not SMAC's.

    Actions: 0 no-op (the dead's only one), 1 stop, 2 to 5 a move north, south, east and west, and
    6 + j an attack on enemy `j`; a medivac heals ally `j`. A step is half a second of the game. All
    agents are paid

        20 (damage + 10 kills + 200 [won]) / (10 E + 200 + points of all enemies)

    An army without a unit that fights has lost. A battle is cut off after the map's limit.

    >>> [Skirmish(name).specs[0].size for name in ("3m", "2s3z", "MMM2", "27m_vs_30m")]
    [30, 80, 176, 285]
    """

    map: str = "2s3z"
    """Map of SMAC: 3m, 8m, 25m, 5m_vs_6m, 8m_vs_9m, 10m_vs_11m, 27m_vs_30m, MMM, MMM2, 2s3z, 3s5z,
    3s5z_vs_3s6z, 1c3s5z, 3s_vs_3z, 3s_vs_4z, 3s_vs_5z, 2m_vs_1z, 2s_vs_1sc, 6h_vs_8z,
    bane_vs_bane."""

    allies: tuple[str, ...] = ()
    """Units of the agents, in place of the map's: marine=8 medivac=1."""

    enemies: tuple[str, ...] = ()
    """Units of the enemy, in place of the map's."""

    size: tuple[float, float] | None = None
    """Width and height of the ground, in place of the map's."""

    time_limit: Annotated[int | None, AtLeast(1)] = None
    """Steps after which a battle is cut off; the map's if None."""

    reward: Literal["positive", "damage", "signed"] = "positive"
    """Kind of reward: SMAC's, without its sign in a step in which shields regain more than is
    lost; the same with its sign (F2A2); or less half of the own losses (SMAC with
    reward_only_positive=False)."""

    paid: tuple[int, ...] | None = None
    """Agents that are paid; all if None. MATRPO pays the first alone: 0."""

    leave: bool = False
    """The dead leave the battle, and are not paid for what follows; else they wait for its end and
    are paid, as in SMAC."""

    last_action: bool = False
    """Agents see the last actions of allies in sight."""

    reaction: Annotated[float, AtLeast(0)] = 0.0
    """Seconds that a unit of the enemy without a target needs to choose one: a weaker enemy."""

    alarm: Annotated[float, AtLeast(0)] = 9.0
    """Distance within which an attack on anybody calls a unit of the enemy for help; without it the
    enemy can be drawn out one by one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        there = self.battlefield
        require_room(there.arena, there.allies, there.enemies)
        number = len(there.allies)
        require(
            self.paid is None or all(0 <= agent < number for agent in self.paid),
            f"paid must be agents from 0 to {number - 1}, not {self.paid}: try 0.",
        )

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        layout = _field(self).layout
        return (AgentSpec(layout.sizes[0], Discrete(layout.actions)),) * layout.allies

    @property
    def names(self) -> tuple[str, ...]:
        allies = self.battlefield.allies
        return tuple(f"{kind}-{allies[:i].count(kind)}" for i, kind in enumerate(allies))

    @property
    def fps(self) -> float:
        """Steps per second in a moving picture: about three times the game's speed."""
        return 6.0

    def reset(self, key: Key[Array, ""]) -> tuple[Battle, Observation]:
        there = _field(self)
        units = deployed(there.rules, there.map, key)
        last = jnp.full(there.layout.allies, -1, jnp.int32)
        battle = Battle(units, last, jnp.int32(0))
        return battle, self.view(battle)

    def step(self, state: Battle, action: Int[Array, " N"]) -> tuple[Battle, Timestep]:
        there, action = _field(self), action.astype(jnp.int32)
        number = there.layout.allies
        given = orders(there.forces, there.map.arena, state.units, action)
        units = fight(there.rules, state.units, given)
        last = jnp.where(state.units.alive[:number], action, 0)
        after = Battle(units, last, state.clock + 1)
        lost, won = beaten(there.forces, units)
        dead = ~units.alive
        gone = (lost | won) | (dead[:number] & self.leave)
        info = {
            "won": (won & ~lost).astype(jnp.float32),
            "dead_allies": jnp.sum(dead[:number], dtype=jnp.float32),
            "dead_enemies": jnp.sum(dead[number:], dtype=jnp.float32),
        }
        reward = self.pay(state.units, units, won & ~lost)
        late = ~gone & (after.clock >= self.limit)
        return after, Timestep(self.view(after), reward, gone, late, info)

    @property
    def battlefield(self) -> Map:
        """The map, with armies and a size of the user's own."""
        return _map(self)

    @property
    def limit(self) -> int:
        """Steps after which a battle is cut off."""
        return self.time_limit or self.battlefield.time_limit

    def pay(self, before: Units, after: Units, won: Bool[Array, ""]) -> Float[Array, " N"]:
        """Each agent's reward for a step."""
        there = _field(self)
        number, constants = there.layout.allies, there.forces
        lost = (before.health + before.shield) - (after.health + after.shield)
        lost += KILL * (before.alive & ~after.alive)
        theirs, ours = jnp.sum(lost[number:]), jnp.sum(lost[:number])
        points = jnp.abs(theirs) if self.reward == "positive" else theirs
        points = points - LOSS * ours if self.reward == "signed" else points
        most = np.sum((constants.health + constants.shield + KILL)[number:]) + WIN
        each = (points + WIN * won) * np.float32(TOTAL / most)
        paid = range(number) if self.paid is None else self.paid
        return each * np.isin(np.arange(number), paid)

    def view(self, state: Battle) -> Observation:
        """Observations, masks, and who lives."""
        there = _field(self)
        units, number = state.units, there.layout.allies
        seen = eyes(units, number)
        possible = masks(there.layout, there.forces, there.map.arena, units, seen)
        shown = observe(there.layout, there.forces, units, seen, possible, state.last)
        return Observation(shown, possible, units.alive[:number] if self.leave else None)

    def global_state(self, state: Battle, view: Observation) -> Float[Array, " S"]:
        """The units and the last actions, as SMAC has them."""
        there = _field(self)
        parts = there.layout, there.forces, there.map.arena
        return global_state(*parts, state.units, state.last)

    def scene(self, state: Battle) -> np.ndarray:
        """Discs with bars of health and shield, shots, and beams that heal."""
        there = _field(self)
        return paint(there.forces, there.map.arena, state.units)


@functools.lru_cache(maxsize=64)
def _map(env: Skirmish) -> Map:
    """The map with the user's own armies and size."""
    there = map_of(env.map)
    allies = army_of(env.allies, "allies") if env.allies else there.allies
    enemies = army_of(env.enemies, "enemies") if env.enemies else there.enemies
    arena = there.arena.resized(*env.size) if env.size else there.arena
    return Map(allies, enemies, there.time_limit, arena)


@functools.lru_cache(maxsize=64)
def _field(env: Skirmish) -> Field:
    there = _map(env)
    constants = forces(there.allies, there.enemies)
    law = rules(constants, there.arena, env.reaction, env.alarm)
    return Field(there, law, layout(there.allies, there.enemies, env.last_action))
