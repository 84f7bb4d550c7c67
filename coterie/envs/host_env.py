"""Environments outside JAX in the same compiled training loop.

`step` leaves the compiled program through an ordered callback; whoever plays the copies (worker
processes, or a batch that steps itself) answers in NumPy arrays. Everything random in an
environment follows from the seeds it is reset with, and these follow from the keys: the same keys
give the same bits.
"""

import abc
import functools
import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Float, Key, PyTree

from coterie.encoding import MASK, ActionEncoding, Encoding, Numbers
from coterie.envs.game import Env, SingleEnv, Timestep, VectorEnv, episode_seeds
from coterie.envs.host.factory import RAISED, close, describe
from coterie.envs.host.layout import Layout, measure, record
from coterie.envs.host.sessions import ANSWERS, Players, Sessions, shapes
from coterie.envs.painted import PaintedEpisode
from coterie.errors import EnvError, require
from coterie.types import AgentSpec, Box, Discrete, Observation, Space

COPY = 20_000
"""Bytes that a copy of an environment takes at the very least."""


class HostEnv(Env):
    """An environment outside JAX, of which one copy can be had as a `ParallelEnv`."""

    @property
    @abc.abstractmethod
    def layout(self) -> Layout:
        """The sizes of the environment; it is built once to find them."""

    @abc.abstractmethod
    def build(self, **more: Any) -> Any:
        """A fresh `ParallelEnv` of one copy, in this process; `more` are arguments of its
        factory."""

    @abc.abstractmethod
    def hire(self, copies: int) -> Callable[[], Players]:
        """Return the function that starts whoever plays so many copies."""

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        layout = self.layout
        pairs = zip(layout.observations, map(space_of, layout.acted), strict=True)
        return tuple(AgentSpec(layout.image or size, action) for size, action in pairs)

    @property
    def encodings(self) -> tuple[tuple[Encoding, ActionEncoding], ...]:
        return tuple(zip(self.layout.seen, self.layout.acted, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        return self.layout.agents

    def vectorize(self, copies: int) -> "HostVector":
        require(copies >= 1, f"num_envs must be at least 1, not {copies}.")
        return HostVector(self.layout, copies, self.hire(copies))

    def single(self) -> SingleEnv:
        return PaintedEpisode(self.build(render_mode="rgb_array"), self.layout)

    def render(self, state: Any) -> np.ndarray:
        return state


def space_of(coding: ActionEncoding) -> Space:
    """Space of an agent's actions, as learners know them."""
    if isinstance(coding, Numbers):
        return Box(coding.size, coding.low, coding.high)
    return Discrete(coding.actions)


@functools.lru_cache(maxsize=64)
def layout_of(
    kind: Callable[[str, tuple[str, ...]], HostEnv], factory: str, env_kwargs: tuple[str, ...]
) -> Layout:
    """The layout of an environment of a kind, by its factory; one copy is built to measure it."""
    env = kind(factory, env_kwargs).build()
    try:
        return measure(env)
    except EnvError:
        raise
    except RAISED as error:
        raise EnvError(f"{factory} cannot be reset and stepped: {describe(error)}.") from error
    finally:
        close(env)


class HostVector(VectorEnv):
    """Copies of an environment outside JAX.

    layout: the sizes of the environment.
    hire:   starts whoever plays the copies.

    A state is a number that stands for a set of copies, so that one vector environment, and one
    compiled program, serves several seeds. Ordered callbacks cannot be batched: play seeds one
    after the other (`lax.map`, a loop), and on one device.
    """

    def __init__(self, layout: Layout, copies: int, hire: Callable[[], Players]):
        self.copies = copies
        self.info = layout.info
        self.sessions = Sessions(hire)
        self.shapes = shapes(record(layout), copies, jax.ShapeDtypeStruct)

    @property
    def resumable(self) -> bool:
        return False

    @property
    def failure(self) -> EnvError | None:
        return self.sessions.failure

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        results = (jax.ShapeDtypeStruct((), jnp.int32), self.shapes["next"])
        seeds = episode_seeds(key, self.copies)
        state, view = io_callback(self.sessions.start, results, seeds, ordered=True)
        return state, _view(view)

    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        told = (state, action.astype(self.shapes["action"].dtype), episode_seeds(key, self.copies))
        results = {name: self.shapes[name] for name in ANSWERS}
        given = io_callback(self.sessions.step, results, *told, ordered=True)
        flags = (given["reward"], given["terminated"], given["truncated"])
        info = {name: given["info"][..., k] for k, name in enumerate(self.info)}
        return state, Timestep(_view(given["view"]), *flags, info), _view(given["next"])

    def close(self, state: PyTree) -> None:
        io_callback(self.sessions.close, None, state, ordered=True)

    def reserve(self, states: int) -> None:
        self.sessions.alive = max(self.sessions.alive, states)

    def shutdown(self) -> None:
        self.sessions.shutdown()

    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "G S"]:
        """All observations side by side."""
        return view.observation.reshape(self.copies, -1)


def _view(fields: dict[str, Array]) -> Observation:
    return Observation(fields["observation"], fields.get(MASK), fields["present"])


def _unexpected(entry: logging.LogRecord) -> bool:
    """True if JAX should log an exception of a callback: an `EnvError` is reported by the loop."""
    return not (entry.exc_info and isinstance(entry.exc_info[1], EnvError))


logging.getLogger("jax._src.callback").addFilter(_unexpected)
