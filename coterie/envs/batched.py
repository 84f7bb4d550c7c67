"""Environments written in NumPy or C, whose copies are stepped together as one batch of arrays.

`step` leaves the compiled program through a pure callback. States are arrays that travel through
the program as any others do: a checkpoint continues in mid-episode, seeds are played side by side,
and the same keys give the same bits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from coterie.envs.checks import batch
from coterie.envs.checks.batch import any_actions, begun, played
from coterie.envs.checks.checks import Checks
from coterie.envs.game import Env, SingleEnv, Timestep, VectorEnv, episode_seeds, own_streams
from coterie.envs.packing import Packing, Words
from coterie.envs.timestep import PureBatch
from coterie.errors import EnvError, require
from coterie.types import Observation


@dataclass(frozen=True)
class NumpyEnv(Env, PureBatch):
    """An environment that plays any number of copies at once, by pure functions of NumPy arrays.

    Arrays have the copies in front and the agents behind them, `[G, N, ...]`. A state is any tree
    of arrays `[G, ...]`, and all that a step may depend on: nothing is kept in the object. All
    agents share shapes, as in a `JaxEnv`. A copy that is over is begun anew from outside.

    >>> from coterie.envs import AgentSpec, Box
    >>> class Walk(NumpyEnv):
    ...     "Two agents on a line, paid for being far from 0; cut off after 9 steps."
    ...     specs = (AgentSpec(1, Box(1)),) * 2
    ...
    ...     def reset(self, seeds):
    ...         start = np.array([np.random.default_rng(s).normal(size=(2, 1)) for s in seeds])
    ...         return {"x": start, "t": np.zeros(len(seeds), int)}, Observation(start)
    ...
    ...     def step(self, state, action):
    ...         x, t = state["x"] + action, state["t"] + 1
    ...         never, cut = np.zeros(x.shape[:2], bool), np.repeat(t[:, None] >= 9, 2, 1)
    ...         return {"x": x, "t": t}, Timestep(Observation(x), abs(x[..., 0]), never, cut, {})
    >>> Walk().vectorize(4).reset(jax.random.key(0))[1].observation.shape
    (4, 2, 1)
    """

    def global_state(self, view: Observation) -> Float[Array, "G S"]:
        """The state of the world, of JAX arrays: all observations side by side, unless an
        environment knows better."""
        return view.observation.reshape(len(view.observation), -1)

    def vectorize(self, copies: int) -> VectorEnv:
        require(copies >= 1, f"num_envs must be at least 1, not {copies}.")
        return NumpyVector(self, copies)

    def single(self) -> SingleEnv:
        return NumpyEpisode(self)

    def checks(self) -> Checks:
        return batch.checks(self)


class NumpyVector(VectorEnv):
    """Copies of a `NumpyEnv`, in a compiled program; a state is the words of all its arrays."""

    def __init__(self, env: NumpyEnv, copies: int):
        self.env = env
        self.copies = copies
        self._failure: EnvError | None = None
        state, view = begun(env, np.zeros(1, np.uint32))
        action = any_actions(env, view, np.random.default_rng(0))
        _, timestep = played(env, state, action)
        self._state, self._view = Packing.of(state), Packing.of(view)
        self._told = Packing.of(timestep)
        self._given = Packing.of((np.zeros(1, np.uint32), action))

    @property
    def failure(self) -> EnvError | None:
        return self._failure

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        seeds = episode_seeds(key, self.copies)[:, None]
        words = self._call(self._begin, self._state.width + self._view.width, seeds)
        state, view = jnp.split(words, [self._state.width], axis=1)
        return state, self._view.read(view)

    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        seeds, kind = episode_seeds(key, self.copies)[:, None], self._given.leaves[1].dtype
        acted = jax.lax.bitcast_convert_type(action.astype(kind), jnp.uint32)
        given = jnp.concatenate([seeds, acted.reshape(self.copies, -1), state], axis=1)
        ends = np.cumsum([self._state.width, self._told.width, self._view.width]).tolist()
        words = self._call(self._play, ends[-1], given)
        state, told, view = jnp.split(words, ends[:2], axis=1)
        return state, self._told.read(told), self._view.read(view)

    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "G S"]:
        return self.env.global_state(view)

    def _call(self, play: Callable[[Words], Words], width: int, given: Array) -> Array:
        """Call back `play`; the batched seeds of a run make one batch of copies."""

        def called(given: Any) -> Any:
            words = np.asarray(given)
            made = self._noted(play, words.reshape(-1, words.shape[-1]))
            return made.reshape(*words.shape[:-1], width)

        wanted = jax.ShapeDtypeStruct((self.copies, width), jnp.uint32)
        return jax.pure_callback(called, wanted, given, vmap_method="broadcast_all")

    def _noted(self, play: Callable[[Words], Words], given: Words) -> Words:
        """Keep an error for the code that catches JAX's version of it."""
        self._failure = None
        try:
            return play(given)
        except EnvError as error:
            self._failure = error
            raise

    def _begin(self, seeds: Words) -> Words:
        state, view = begun(self.env, seeds[:, 0])
        words = np.empty((len(seeds), self._state.width + self._view.width), np.uint32)
        self._state.pack(state, words[:, : self._state.width], self._name("reset"))
        self._view.pack(view, words[:, self._state.width :], self._name("reset"))
        return words

    def _play(self, given: Words) -> Words:
        ready, kept = self._given.width, self._state.width
        told_by = kept + self._told.width
        seeds, action = self._given.unpack(given[:, :ready])
        state, told = played(self.env, self._state.unpack(given[:, ready:]), action)
        words = np.empty((len(given), told_by + self._view.width), np.uint32)
        self._state.pack(state, words[:, :kept], self._name("step"))
        self._told.pack(told, words[:, kept:told_by], self._name("step"))
        self._view.pack(told.view, words[:, told_by:], self._name("step"))
        over = (told.terminated | told.truncated).all(axis=1)
        if over.any():
            fresh = self._begin(seeds[over, None])
            words[over, :kept], words[over, told_by:] = fresh[:, :kept], fresh[:, kept:]
        return words

    def _name(self, what: str) -> str:
        return f"{what} of {type(self.env).__name__}"


class NumpyEpisode(SingleEnv):
    """One copy of a `NumpyEnv` that is played once, outside any compiled program."""

    def __init__(self, env: NumpyEnv):
        self.env = env

    @property
    def traced(self) -> bool:
        return False

    def reset(self, key: Key[Array, ""]) -> tuple[Any, Observation]:
        """Begin the episode of a seed: that of a key `jax.random.key(seed)`."""
        state, view = begun(self.env, np.asarray(jax.random.key_data(key))[-1:])
        return state, jax.tree.map(jnp.asarray, view)

    def step(
        self, state: Any, action: Array, key: Key[Array, ""]
    ) -> tuple[Any, Timestep, Observation]:
        state, timestep = played(self.env, state, np.asarray(action))
        timestep = jax.tree.map(jnp.asarray, timestep)
        return state, timestep, timestep.view

    def global_state(self, state: Any, view: Observation) -> Float[Array, "1 S"]:
        return self.env.global_state(view)

    def agent_keys(self, number: int, agents: int) -> Iterator[Key[Array, " N"]]:
        return own_streams(number, agents)
