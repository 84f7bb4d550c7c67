"""What an environment is: spaces, views, steps, and a way to play many copies at once.

An environment is a frozen value whose fields are its options. Arrays that belong to agents are
stacked on a leading agent axis `N`; rewards are private, one per agent; an episode that *ends*
(`terminated`) and one that is merely *cut off* (`truncated`) are kept apart, because a learner must
look beyond the second but not beyond the first.
"""

import abc
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.bounds import require_bounds
from coterie.errors import EnvError, require
from coterie.types import AgentSpec as AgentSpec
from coterie.types import Box as Box
from coterie.types import Discrete as Discrete
from coterie.types import Observation as Observation
from coterie.types import Space as Space


class Timestep(NamedTuple):
    """What a step of the environment leads to, before any reset.

    view:       the views after the step (the final ones where an episode is over), `[..., N, ...]`.
    reward:     each agent's private reward, `[..., N]`.
    terminated: the episode has ended for this agent; nothing follows, `[..., N]`.
    truncated:  the episode is cut off for this agent; more would have followed, `[..., N]`.
    info:       named extra numbers for logs, each `[...]` or `[..., N]`.
    state:      the global state after the step, `[..., S]`; `None` if the views are all there is.
    """

    view: Observation
    reward: Float[Array, "*batch N"]
    terminated: Bool[Array, "*batch N"]
    truncated: Bool[Array, "*batch N"]
    info: dict[str, Array]
    state: Float[Array, "*batch S"] | None = None

    @property
    def over(self) -> Bool[Array, "*batch"]:
        """The episode is done for every agent."""
        return jnp.all(self.terminated | self.truncated, axis=-1)


class Scene(NamedTuple):
    """Discs to draw: positions `[M, 2]`, radii `[M]`, and a label for each disc ("agent", ...).

    All scenes of an environment have the same discs; one that is not there for now has radius 0.
    """

    positions: np.ndarray
    radii: np.ndarray
    kinds: tuple[str, ...]


class VectorEnv(abc.ABC):
    """Several copies of an environment, stepped together; an episode that is over restarts at
    once."""

    copies: int

    @abc.abstractmethod
    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        """Start all copies; `(state, view)` with views `[G, N, ...]`."""

    @abc.abstractmethod
    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        """Play the joint action `[G, N, ...]` (in the environment's own units).

        Returns the state, what the step led to (`Timestep`, with final views) and the views to act
        on next, which belong to a fresh episode wherever the last one is over.
        """

    @abc.abstractmethod
    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "G S"]:
        """The state of the world, for algorithms that declare it."""

    @property
    def constants(self) -> PyTree:
        """Arrays that the environments never change, such as tables; no part of a state or
        checkpoint."""
        return ()

    def with_constants(self, world: PyTree) -> "VectorEnv":
        """These environments in that `world`, which a compiled program takes as an argument."""
        return self

    def close(self, state: PyTree) -> None:  # noqa: B027 (most environments have nothing to do)
        """Let go of what `state` holds outside JAX; traced or not. It cannot be stepped again."""

    @property
    def failure(self) -> EnvError | None:
        """Why the environment failed inside a compiled program, which can only say that it did."""
        return None

    @property
    def traced(self) -> bool:
        """Whether `step` can be a part of a compiled program."""
        return True

    @property
    def resumable(self) -> bool:
        """Whether `state` holds everything, so that a checkpoint can continue in mid-episode."""
        return True


@dataclass(frozen=True)
class Env(abc.ABC):
    """A world that a team plays in. A frozen value: its fields are its options.

    What bounds they declare (`coterie.bounds`) is checked when a value is made: a `__post_init__`
    of one's own calls `super().__post_init__()`.
    """

    def __post_init__(self) -> None:
        require_bounds(self)

    @property
    @abc.abstractmethod
    def specs(self) -> tuple[AgentSpec, ...]:
        """One `AgentSpec` per agent."""

    @abc.abstractmethod
    def vectorize(self, copies: int) -> VectorEnv:
        """`copies` of this environment, stepped together."""

    def for_seed(self, seed: int) -> "Env":
        """The environment that the repetition with this seed plays: this one, unless it is drawn
        anew."""
        return self

    @property
    def members(self) -> tuple[tuple[AgentSpec, ...], ...]:
        """Who stands behind each agent: itself, unless one decides in the place of several."""
        return tuple((spec,) for spec in self.specs)

    @property
    def names(self) -> tuple[str, ...]:
        """The agents' names, for logs and files; never used to decide anything."""
        return tuple(f"agent-{i}" for i in range(len(self.specs)))


@dataclass(frozen=True)
class JaxEnv(Env):
    """An environment written in JAX: pure functions of one copy, batched from outside.

    All agents of a `JaxEnv` share observation and action shapes (`Observation.observation` is `[N,
    F]`); smaller ones are padded with zeros, and `specs` says what is real.
    """

    @abc.abstractmethod
    def reset(self, key: Key[Array, ""]) -> tuple[Any, Observation]:
        """A fresh episode: `(state, view)` with views `[N, ...]`."""

    @abc.abstractmethod
    def step(self, state: Any, action: Array) -> tuple[Any, Timestep]:
        """Play the joint action (`[N]` integers or `[N, A]` numbers in the environment's units)."""

    def global_state(self, state: Any, view: Observation) -> Float[Array, " S"]:
        """The world's state `[S]`: all observations side by side, unless an environment knows
        better."""
        return view.observation.reshape(-1)

    def scene(self, state: Any) -> Scene:
        """What to draw; environments without a picture raise `EnvError`."""
        raise EnvError(f"{type(self).__name__} has no picture: give it a `scene(state)` method.")

    def vectorize(self, copies: int) -> VectorEnv:
        require(copies >= 1, f"num_envs must be at least 1, not {copies}.")
        return Vectorized(self, copies)


class Vectorized(VectorEnv):
    """Copies of a `JaxEnv`, batched by `vmap`."""

    def __init__(self, env: JaxEnv, copies: int):
        self.env = env
        self.copies = copies

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        return jax.vmap(self.env.reset)(jax.random.split(key, self.copies))

    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        state, timestep = jax.vmap(self.env.step)(state, action)
        timestep = timestep._replace(state=self.global_state(state, timestep.view))
        over = timestep.over

        def restart(now: PyTree) -> PyTree:
            fresh = self.reset(key)
            return jax.tree.map(lambda new, old: jnp.where(_like(over, new), new, old), fresh, now)

        # Episodes mostly end together, so the fresh ones are drawn only when one is needed.
        state, view = jax.lax.cond(jnp.any(over), restart, lambda now: now, (state, timestep.view))
        return state, timestep, view

    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "G S"]:
        return jax.vmap(self.env.global_state)(state, view)


def _like(flag: Bool[Array, " G"], array: Array) -> Bool[Array, " G *ones"]:
    return flag.reshape(flag.shape + (1,) * (array.ndim - 1))
