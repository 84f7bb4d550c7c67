"""Rules of a finite game: numbered states, and the effect of each joint action in each of them."""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.bounds import AtLeast
from coterie.envs.finite.draw import ONE, blocks, chances, drawn
from coterie.envs.finite.tables import Tables
from coterie.envs.finite.write import PIECE, filled
from coterie.envs.game import AgentSpec, Discrete, JaxEnv, Observation, Scene, Timestep
from coterie.errors import EnvError
from coterie.internal.memory import available, require_room

LARGEST = 2**30
"""Largest size in bytes of tables that training plays from; beyond, it draws rows on demand."""


class FiniteState(NamedTuple):
    """State of one episode: the number of the state, the steps played, and the key of its draws."""

    number: Int[Array, ""]
    clock: Int[Array, ""]
    key: Key[Array, ""]


@dataclass(frozen=True)
class FiniteRules(JaxEnv):
    """An environment of `M` states, numbered from 0, and `J` joint actions, numbered as in
    `Tables`.

    `P(s' | s, a)` is `row(s, a)` and `R^i(s, a)` is `pay(s, a)`; both are pure functions in JAX, so
    that an environment can be played without any table. Every agent perceives the number of the
    state.
    An episode ends on arrival in a `final` state, and is cut off after `time_limit` steps.
    """

    time_limit: Annotated[int | None, AtLeast(1, "try 100")] = field(default=None, kw_only=True)
    """The number of steps after which an episode is cut off; by default, the number of states."""

    shared: ClassVar[bool] = True
    """True if every agent is always paid the same."""

    @property
    @abc.abstractmethod
    def states(self) -> int:
        """Number of states `M`."""

    @property
    @abc.abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Number of actions of each agent, `(A_1, ..., A_N)`."""

    @abc.abstractmethod
    def row(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " M"]:
        """The probabilities of the next state."""

    @abc.abstractmethod
    def pay(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " N"]:
        """Every agent's mean reward."""

    @property
    def noise(self) -> float:
        """Largest distance of a reward from its mean: uniform noise, drawn for every agent anew."""
        return 0.0

    @property
    def start(self) -> Float[np.ndarray, " M"]:
        """The probabilities of the first state: the state 0, unless an environment says
        otherwise."""
        return np.eye(1, self.states)[0]

    @property
    def final(self) -> Bool[np.ndarray, " M"]:
        """The states in which the environment is over: nothing is paid there, and nobody leaves."""
        return np.zeros(self.states, bool)

    @property
    def joint(self) -> int:
        """Number of joint actions `J`."""
        return math.prod(self.sizes)

    @property
    def columns(self) -> int:
        """Number of columns of a table of the rewards."""
        return 1 if self.shared else len(self.sizes)

    @property
    def limit(self) -> int:
        """Number of steps after which an episode is cut off."""
        return self.states if self.time_limit is None else self.time_limit

    @property
    def on_demand(self) -> bool:
        """True if training draws each row when it needs it: tables are too large, or lack room.

        Every device has a table of its own, and there is one more while they are handed out.
        """
        count, length = blocks(self.states)
        size = 4 * self.states * self.joint * (count * (length + 1) + self.columns)
        return size > LARGEST or size * (jax.local_device_count() + 1) > available()

    def tables(self) -> Tables:
        """The whole environment in float32, for exact mathematics: one copy, made in place.

        `EnvError` if it would not fit the memory that is available.
        """
        states, joint, paid = self.states, self.joint, self.columns
        require_room(
            4 * states * joint * (states + paid) + 16 * PIECE,
            f"the tables of {states} states and {joint:,} joint actions",
            "use fewer states, agents or actions; training does without tables",
            EnvError,
        )
        rows = filled(self.rows, states, joint, states, np.float32)
        pays = filled(self.pays, states, joint, paid, np.float32).reshape(states, joint, paid)
        reward = np.broadcast_to(pays, (states, joint, len(self.sizes)))
        return Tables(rows.reshape(states, joint, states), reward, self.sizes, self.start)

    def rows(
        self, states: Int[np.ndarray, " K"], joints: Int[np.ndarray, " K"]
    ) -> Float[np.ndarray, "K M"]:
        """`row` for many at once, outside JAX."""
        return np.asarray(_rows(self, states, joints))

    def pays(
        self, states: Int[np.ndarray, " K"], joints: Int[np.ndarray, " K"]
    ) -> Float[np.ndarray, "K C"]:
        """`pay` for many at once, outside JAX, with one column if everybody is paid the same."""
        return np.asarray(_pays(self, states, joints))[:, : self.columns]

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return tuple(AgentSpec(1, Discrete(size), states=self.states) for size in self.sizes)

    def reset(self, key: Key[Array, ""]) -> tuple[FiniteState, Observation]:
        key, here = jax.random.split(key)
        number = drawn(jnp.asarray(self.start, jnp.float32), chances(here))
        return FiniteState(number, jnp.int32(0), key), self.view(number)

    def step(self, state: FiniteState, action: Array) -> tuple[FiniteState, Timestep]:
        key, here = jax.random.split(state.key)
        fate, *luck = chances(here, (1 + self.dice,))
        joint = self.number_of(action)
        number = drawn(self.row(state.number, joint), fate)
        reward = self.pay(state.number, joint) + self.luck(luck)
        after = FiniteState(number, state.clock + 1, key)
        ended = jnp.broadcast_to(jnp.asarray(self.final)[number], reward.shape)
        late = jnp.broadcast_to(after.clock >= self.limit, reward.shape)
        return after, Timestep(self.view(number), reward, ended, late, {})

    def number_of(self, action: Int[Array, "*batch N"]) -> Int[Array, " *batch"]:
        """The number of a joint action; the last agent's action runs fastest."""
        weights = np.cumprod((1, *self.sizes[:0:-1]))[::-1].astype(np.int32)
        return jnp.sum(action * weights, axis=-1, dtype=jnp.int32)

    @property
    def dice(self) -> int:
        """Number of random numbers that the rewards of a step need."""
        return 0 if self.noise == 0.0 else len(self.sizes)

    def luck(self, dice: Sequence[Int[Array, " *copies"]]) -> Float[Array, "*copies #N"]:
        """Compute the difference of rewards from their means, given `dice` random numbers."""
        if not self.dice:
            return jnp.zeros(1)
        thrown = jnp.stack(dice, axis=-1).astype(jnp.float32)
        return self.noise * (2.0 * thrown / ONE - 1.0)

    def view(self, number: Int[Array, " *batch"]) -> Observation:
        """Return every agent's observation: the number of the state, and a mask of its actions."""
        shape, most = (*number.shape, len(self.sizes)), max(self.sizes)
        seen = jnp.broadcast_to(number[..., None, None], (*shape, 1)).astype(jnp.float32)
        able = np.arange(most) < np.array(self.sizes)[:, None]
        return Observation(seen, None if able.all() else jnp.broadcast_to(able, (*shape, most)))

    def global_state(self, state: FiniteState, view: Observation) -> Float[Array, " M"]:
        """The state as a vector of zeros and a one, `[M]`."""
        return jax.nn.one_hot(state.number, self.states)

    def scene(self, state: FiniteState) -> Scene:
        raise EnvError(
            f"{type(self).__name__} has no picture, for its states are only numbers: "
            "`coterie plot` shows what was learned."
        )


@partial(jax.jit, static_argnums=0)
def _rows(env: FiniteRules, states: Array, joints: Array) -> Array:
    return jax.vmap(env.row)(states, joints)


@partial(jax.jit, static_argnums=0)
def _pays(env: FiniteRules, states: Array, joints: Array) -> Array:
    return jax.vmap(env.pay)(states, joints)
