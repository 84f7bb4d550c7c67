"""Battles of two armies on a grid, as in MAgent: many agents, each of which sees and is paid by
itself."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, Key, PyTree

from coterie.bounds import AtLeast, Between
from coterie.envs.battle.combat import ACTIONS, HIT, KILLED, NONE, Resolution, resolve
from coterie.envs.battle.field import RADIUS, SIDE, Field, Units
from coterie.envs.battle.frozen import opponent_of
from coterie.envs.battle.opponents import Front, Opponent
from coterie.envs.battle.picture import painted
from coterie.envs.battle.views import chart, look
from coterie.envs.game import AgentSpec, Discrete, JaxEnv, Observation, Timestep
from coterie.errors import require


class BattleState(NamedTuple):
    """The state of one episode.

    units:  both armies.
    action: every unit's last action; -1 at the start, `[M]`.
    reward: every unit's last reward, `[M]`.
    clock:  the number of steps played.
    key:    of what is drawn in this episode.
    memory: what the enemy remembers.
    """

    units: Units
    action: Int32[Array, " M"]
    reward: Float[Array, " M"]
    clock: Int[Array, ""]
    key: Key[Array, ""]
    memory: PyTree


@dataclass(frozen=True)
class Battle(JaxEnv):
    """Two armies fight on a grid: the battle of MAgent (Zheng et al. 2018), `battle_v4` of MAgent2.

    The first army learns. A unit has 10 points of health, strikes for 2, gets 0.1 back in each
    step, and is dead once it has less than 0. It moves up to 2 cells, over others as well, or
    attacks one of the 8 cells around it. In a step all attacks come first, from the first unit to
    the last or the reverse, by a fair coin; then the living recover; then units move in the order
    of their numbers.

    A unit perceives the cells within a distance of 6, as an image `[13, 13, 5]`: the walls, own
    units, their health (1 is full), enemy units, their health.

    Actions: the 13 moves row by row from (0, -2) to (0, 2), of which 6 is to stay, then the 8
    attacks row by row from (-1, -1) to (1, 1).

    The episode ends with an army. The dead are absent from then on.

    >>> [len(Battle(map_size=size).specs) for size in (20, 40, 80)]
    [12, 64, 256]
    """

    map_size: Annotated[
        int, Between(12, 500, hint="an army has 12 units on 20 cells a side, 256 on 80")
    ] = 20
    """Cells a side of the field. An army has 12, 64, 81, 121, 256 or 625 units on 20, 40, 45, 56,
    80 or 125."""

    opponent: str = "script"
    """The enemy: script, random, or the folder of a run of battle, whose policies it plays."""

    both_armies: bool = False
    """Both armies learn, as one team of twice the size: self-play."""

    resolution: Resolution = "sequential"
    """Whether units act one after the other, or all at once: they strike together, and only cells
    that were free before can be moved to, by one unit each."""

    minimap: bool = False
    """Show the density of both armies on the whole field, and the own place: 4 more channels."""

    last_action: bool = False
    """Show the own last action and reward: 22 more channels."""

    time_limit: Annotated[int, AtLeast(1, "try 550")] = 550
    """The number of steps after which an episode is cut off."""

    step_reward: float = -0.005
    """Paid in every step."""

    attack_penalty: float = -0.1
    """Paid for every attack, on whatever."""

    attack_opponent_reward: float = 0.2
    """Paid for a blow that an enemy survives."""

    kill_reward: float = 5.0
    """Paid for a blow that kills."""

    dead_penalty: float = -0.1
    """Paid for dying, in place of all else but the blows of that step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.map_size >= SIDE or not self.minimap,
            f"the minimap has {SIDE} squares a side, more than the {self.map_size} cells of the "
            f"map: raise --map-size to {SIDE}, or leave out --minimap.",
        )
        require(
            self.opponent == "script" or not self.both_armies,
            f"with --both-armies nobody is left to play as {self.opponent}: leave out --opponent.",
        )
        _ = self.enemy  # which exists

    @property
    def field(self) -> Field:
        """The ground."""
        return Field(self.map_size)

    @property
    def army(self) -> int:
        """Number of units of an army, `N`."""
        return len(self.field.armies[0])

    @property
    def size_options(self) -> tuple[str, ...]:
        return ("map_size",)

    @property
    def learners(self) -> slice:
        """The units that are agents."""
        return slice(0, 2 * self.army if self.both_armies else self.army)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a view."""
        return SIDE, SIDE, 5 + 4 * self.minimap + (ACTIONS + 1) * self.last_action

    @property
    def enemy(self) -> Opponent:
        """The rule of the second army, if it does not learn."""
        return opponent_of(self.opponent, self.army, self.shape)

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        plain = not (self.minimap or self.last_action)  # else densities and rewards are shown, too
        spec = AgentSpec(self.shape, Discrete(ACTIONS), quantization_step=0.01 if plain else 0.0)
        return (spec,) * self.learners.stop

    @property
    def constants(self) -> PyTree:
        return self.enemy.constants

    def reset(self, key: Key[Array, ""]) -> tuple[BattleState, Observation]:
        return self.reset_in(self.constants, key)

    def step(self, state: BattleState, action: Array) -> tuple[BattleState, Timestep]:
        return self.step_in(self.constants, state, action)

    def reset_in(self, constants: PyTree, key: Key[Array, ""]) -> tuple[BattleState, Observation]:
        units = self.field.start()
        last = jnp.full(len(units.cell), -1, jnp.int32), jnp.zeros(len(units.cell))
        memory = self.enemy.start(constants)
        state = BattleState(units, *last, jnp.int32(0), key, memory)
        return state, self.view(state)

    def step_in(
        self, constants: PyTree, state: BattleState, action: Array
    ) -> tuple[BattleState, Timestep]:
        coin, key = jax.random.split(jax.random.fold_in(state.key, state.clock))
        action, memory = self.joined(constants, state, action.astype(jnp.int32), key)
        numbers = jnp.arange(len(action))
        order = jnp.where(jax.random.bits(coin) % 2 == 0, numbers, numbers[::-1])
        units, outcome = resolve(self.field, state.units, action, order, self.resolution)
        reward = self.paid(state.units.alive, units.alive, outcome)
        state = BattleState(units, action, reward, state.clock + 1, state.key, memory)
        return state, self.told(state)

    def joined(
        self, constants: PyTree, state: BattleState, action: Int32[Array, " N"], key: Array
    ) -> tuple[Int32[Array, " M"], PyTree]:
        """Actions of both armies, and what the enemy remembers."""
        if self.both_armies:
            return action, state.memory
        front = Front(self.field, state.units, self.look(state, slice(self.army, None)))
        enemy, memory = self.enemy.act(constants, front, state.memory, key)
        return jnp.concatenate([action, enemy]), memory

    def paid(
        self, before: Bool[Array, " M"], after: Bool[Array, " M"], outcome: Int32[Array, " M"]
    ) -> Float[Array, " M"]:
        """Rewards of units that were alive before a step, and are after it or not."""
        blow = jnp.where(outcome == HIT, self.attack_opponent_reward, 0.0)
        attack = jnp.where(outcome == NONE, 0.0, self.attack_penalty)
        kill = jnp.where(outcome == KILLED, self.kill_reward, 0.0)
        alive = self.step_reward + (kill + attack) + blow
        return jnp.where(before, jnp.where(after, alive, self.dead_penalty + blow), 0.0)

    def told(self, state: BattleState) -> Timestep:
        """Result of the step that led to a state."""
        alive = state.units.alive
        left, right = jnp.split(alive, 2)
        ended = ~(jnp.any(left) & jnp.any(right))
        gone = ~alive[self.learners] | ended
        late = (state.clock >= self.time_limit) & ~gone
        info = {
            "alive": jnp.sum(left, dtype=jnp.float32),
            "enemies_alive": jnp.sum(right, dtype=jnp.float32),
            "won": (jnp.any(left) & ~jnp.any(right)).astype(jnp.float32),
        }
        return Timestep(self.view(state), state.reward[self.learners], gone, late, info)

    def view(self, state: BattleState) -> Observation:
        """Views of all agents, `[N, 13, 13, C]`; the dead see nothing."""
        seen = self.look(state, self.learners)
        return Observation(seen, alive=state.units.alive[self.learners])

    def look(self, state: BattleState, which: slice) -> Float[Array, "K 13 13 C"]:
        """Views of some units."""
        last = (state.action, state.reward) if self.last_action else None
        return look(self.field, state.units, which, self.minimap, last)

    def global_state(self, state: BattleState, view: Observation) -> Float[Array, " S"]:
        """The field cell by cell, `[map_size^2]`: the health of own units as a share, of enemies
        its negative; and the share of the time that has passed."""
        board = chart(self.field, state.units).reshape(self.field.stride, -1)
        inner = board[RADIUS:-RADIUS, RADIUS:-RADIUS].ravel()
        return jnp.append(jnp.where(inner > 2.0, 0.0, inner), state.clock / self.time_limit)

    def render(self, state: Any) -> np.ndarray:
        """A picture `[H, W, 3]`, see `painted`."""
        return painted(self.field, state.units)
