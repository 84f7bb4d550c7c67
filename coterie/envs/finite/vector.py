"""Many copies of a finite game, played fast: one draw and a few reads for each step."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from coterie.envs.finite.draw import (
    Marks,
    blocks,
    chances,
    cut,
    drawn,
    looked_up,
    padded,
    thresholds,
)
from coterie.envs.finite.rules import FiniteRules
from coterie.envs.finite.write import filled
from coterie.envs.game import Timestep, VectorGame, View


class World(NamedTuple):
    """What all copies of a game share and never change.

    marks:  the thresholds of every state and joint action, `M J` rows of `M`.
    reward: the mean rewards, `[M J, N]`, or `[M J, 1]` if everybody is always paid the same.
    """

    marks: Marks
    reward: Float[Array, "R C"]


class Places(NamedTuple):
    """Where the copies are: the numbers of their states and the steps they have played, `[G]`."""

    number: Int[Array, " G"]
    clock: Int[Array, " G"]


class FiniteCopies(VectorGame):
    """Copies of a finite game. Played from tables (the `world`), or with rows drawn on demand.

    Either way the same key leads to the same states.
    """

    def __init__(self, game: FiniteRules, copies: int, world: World | tuple[()] | None = None):
        self.game = game
        self.copies = copies
        self._world = world

    @property
    def world(self) -> World | tuple[()]:
        return world_of(self.game) if self._world is None else self._world

    def within(self, world: World | tuple[()]) -> "FiniteCopies":
        return FiniteCopies(self.game, self.copies, world)

    def reset(self, key: Key[Array, ""]) -> tuple[Places, View]:
        number = self._first(chances(key, (self.copies,)))
        return Places(number, jnp.zeros_like(number)), self.game.view(number)

    def step(
        self, state: Places, action: Array, key: Key[Array, ""]
    ) -> tuple[Places, Timestep, View]:
        game = self.game
        fate, start, *luck = chances(key, (2 + game.dice, self.copies))
        joint = game.number_of(action)
        number = self._next(state.number, joint, fate)
        reward = self._paid(state.number, joint) + game.luck(luck)
        clock = state.clock + 1
        late, ended = clock >= game.limit, self._is_final(number)
        over = late | ended
        flags = jnp.broadcast_to(jnp.stack([ended, late])[..., None], (2, *reward.shape))
        timestep = Timestep(
            game.view(number), reward, flags[0], flags[1], {}, self._one_hot(number)
        )
        after = Places(jnp.where(over, self._first(start), number), jnp.where(over, 0, clock))
        return after, timestep, game.view(after.number)

    def global_state(self, state: Places, view: View) -> Float[Array, "G M"]:
        return self._one_hot(state.number)

    def _one_hot(self, number: Int[Array, " G"]) -> Float[Array, "G M"]:
        return jax.nn.one_hot(number, self.game.states)

    def _next(
        self, number: Int[Array, " G"], joint: Int[Array, " G"], chance: Int[Array, " G"]
    ) -> Int[Array, " G"]:
        if world := self.world:
            row = number * self.game.joint + joint
            return looked_up(world.marks, row, chance)
        return jax.vmap(drawn)(jax.vmap(self.game.row)(number, joint), chance)

    def _paid(self, number: Int[Array, " G"], joint: Int[Array, " G"]) -> Float[Array, "G N"]:
        if world := self.world:
            paid = world.reward.at[number * self.game.joint + joint].get(mode="promise_in_bounds")
        else:
            paid = jax.vmap(self.game.pay)(number, joint)
        return jnp.broadcast_to(paid, (self.copies, len(self.game.sizes)))

    def _first(self, chance: Int[Array, " G"]) -> Int[Array, " G"]:
        """First states, drawn unless there is only one."""
        start = self.game.start.astype(np.float32)
        if np.count_nonzero(start) == 1:
            return jnp.full(self.copies, np.argmax(start), jnp.int32)
        marks = cut(padded(thresholds(start[None])), len(start))
        return looked_up(marks, jnp.zeros(self.copies, jnp.int32), chance)

    def _is_final(self, number: Int[Array, " G"]) -> Array:
        final = self.game.final
        return jnp.asarray(final)[number] if final.any() else jnp.zeros_like(number, bool)


@functools.lru_cache(maxsize=4)
def world_of(game: FiniteRules) -> World | tuple[()]:
    """The tables that all copies of equal games share; nothing if rows are drawn on demand."""
    if game.on_demand:
        return ()
    states, joint = game.states, game.joint

    def row(state: np.ndarray, action: np.ndarray) -> np.ndarray:
        return padded(thresholds(game.rows(state, action)))

    with jax.ensure_compile_time_eval():
        marks = filled(row, states, joint, math.prod(blocks(states)), np.int32)
        reward = filled(game.pays, states, joint, game.columns, np.float32)
        return World(cut(marks, states), jnp.asarray(reward))
