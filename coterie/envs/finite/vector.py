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
from coterie.envs.game import Observation, Timestep, VectorEnv


class World(NamedTuple):
    """Tables that all copies of an environment share and never change.

    marks:  the thresholds of every state and joint action, `M J` rows of `M`.
    reward: the mean rewards, `[M J, N]`, or `[M J, 1]` if every agent is always paid the same.
    """

    marks: Marks
    reward: Float[Array, "R C"]


class Places(NamedTuple):
    """States of the copies: the numbers of their states and the steps they have played, `[G]`."""

    number: Int[Array, " G"]
    clock: Int[Array, " G"]


class FiniteCopies(VectorEnv):
    """Copies of a finite game. Played from tables (the `world`), or with rows drawn on demand.

    Either way the same key leads to the same states.
    """

    def __init__(self, env: FiniteRules, copies: int, world: World | tuple[()] | None = None):
        self.env = env
        self.copies = copies
        self._world = world

    @property
    def constants(self) -> World | tuple[()]:
        return world_of(self.env) if self._world is None else self._world

    def with_constants(self, world: World | tuple[()]) -> "FiniteCopies":
        return FiniteCopies(self.env, self.copies, world)

    def reset(self, key: Key[Array, ""]) -> tuple[Places, Observation]:
        number = self._first(chances(key, (self.copies,)))
        return Places(number, jnp.zeros_like(number)), self.env.view(number)

    def step(
        self, state: Places, action: Array, key: Key[Array, ""]
    ) -> tuple[Places, Timestep, Observation]:
        env = self.env
        fate, start, *luck = chances(key, (2 + env.dice, self.copies))
        joint = env.number_of(action)
        number = self._next(state.number, joint, fate)
        reward = self._paid(state.number, joint) + env.luck(luck)
        clock = state.clock + 1
        late, ended = clock >= env.limit, self._is_final(number)
        over = late | ended
        flags = jnp.broadcast_to(jnp.stack([ended, late])[..., None], (2, *reward.shape))
        timestep = Timestep(env.view(number), reward, flags[0], flags[1], {}, self._one_hot(number))
        after = Places(jnp.where(over, self._first(start), number), jnp.where(over, 0, clock))
        return after, timestep, env.view(after.number)

    def global_state(self, state: Places, view: Observation) -> Float[Array, "G M"]:
        return self._one_hot(state.number)

    def _one_hot(self, number: Int[Array, " G"]) -> Float[Array, "G M"]:
        return jax.nn.one_hot(number, self.env.states)

    def _next(
        self, number: Int[Array, " G"], joint: Int[Array, " G"], chance: Int[Array, " G"]
    ) -> Int[Array, " G"]:
        if world := self.constants:
            row = number * self.env.joint + joint
            return looked_up(world.marks, row, chance)
        return jax.vmap(drawn)(jax.vmap(self.env.row)(number, joint), chance)

    def _paid(self, number: Int[Array, " G"], joint: Int[Array, " G"]) -> Float[Array, "G N"]:
        if world := self.constants:
            paid = world.reward.at[number * self.env.joint + joint].get(mode="promise_in_bounds")
        else:
            paid = jax.vmap(self.env.pay)(number, joint)
        return jnp.broadcast_to(paid, (self.copies, len(self.env.sizes)))

    def _first(self, chance: Int[Array, " G"]) -> Int[Array, " G"]:
        """First states, drawn unless there is only one."""
        start = self.env.start.astype(np.float32)
        if np.count_nonzero(start) == 1:
            return jnp.full(self.copies, np.argmax(start), jnp.int32)
        marks = cut(padded(thresholds(start[None])), len(start))
        return looked_up(marks, jnp.zeros(self.copies, jnp.int32), chance)

    def _is_final(self, number: Int[Array, " G"]) -> Array:
        final = self.env.final
        return jnp.asarray(final)[number] if final.any() else jnp.zeros_like(number, bool)


@functools.lru_cache(maxsize=4)
def world_of(env: FiniteRules) -> World | tuple[()]:
    """The tables that all copies of equal environments share; nothing if rows are drawn on
    demand."""
    if env.on_demand:
        return ()
    states, joint = env.states, env.joint

    def row(state: np.ndarray, action: np.ndarray) -> np.ndarray:
        return padded(thresholds(env.rows(state, action)))

    with jax.ensure_compile_time_eval():
        marks = filled(row, states, joint, math.prod(blocks(states)), np.int32)
        reward = filled(env.pays, states, joint, env.columns, np.float32)
        return World(cut(marks, states), jnp.asarray(reward))
