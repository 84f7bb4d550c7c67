"""Time steps of an environment, scenes for pictures, and the interface of pure environments."""

import abc
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, UInt32

from coterie.types import AgentSpec, Observation


class Timestep(NamedTuple):
    """Result of a step of the environment, before any reset.

    view:       the views after the step (the final ones where an episode is over), `[..., N, ...]`.
    reward:     each agent's private reward, `[..., N]`.
    terminated: the episode has ended for this agent; nothing follows, `[..., N]`.
    truncated:  the episode is cut off for this agent; more would have followed, `[..., N]`.
    info:       named extra numbers for logs, each `[...]` or `[..., N]`.
    state:      the global state after the step, `[..., S]`; `None` if the views are all there is.
    ended:      whether the episode is done for every agent, `[...]`, where some of them play in
                another process; `None` if all are here.
    """

    view: Observation
    reward: Float[Array, "*batch N"]
    terminated: Bool[Array, "*batch N"]
    truncated: Bool[Array, "*batch N"]
    info: dict[str, Array]
    state: Float[Array, "*batch S"] | None = None
    ended: Bool[Array, "*batch"] | None = None

    @property
    def over(self) -> Bool[Array, "*batch"]:
        """True if the episode is done for every agent."""
        if self.ended is not None:
            return self.ended
        return jnp.all(self.terminated | self.truncated, axis=-1)


class Scene(NamedTuple):
    """Discs to draw: positions `[M, 2]`, radii `[M]`, and a label for each disc ("agent", ...).

    All scenes of an environment have the same discs; one that is not there for now has radius 0.
    """

    positions: np.ndarray
    radii: np.ndarray
    kinds: tuple[str, ...]


class PureEnv(abc.ABC):
    """Interface that the checks of environments written in JAX rely on."""

    @property
    @abc.abstractmethod
    def specs(self) -> tuple[AgentSpec, ...]:
        """One `AgentSpec` per agent."""

    @abc.abstractmethod
    def reset(self, key: Key[Array, ""]) -> tuple[Any, Observation]:
        """A fresh episode: `(state, view)` with views `[N, ...]`."""

    @abc.abstractmethod
    def step(self, state: Any, action: Array) -> tuple[Any, Timestep]:
        """Play the joint action (`[N]` integers or `[N, A]` numbers in the environment's units)."""


class PureBatch(abc.ABC):
    """Interface that the checks of environments written in NumPy rely on."""

    @property
    @abc.abstractmethod
    def specs(self) -> tuple[AgentSpec, ...]:
        """One `AgentSpec` per agent."""

    @abc.abstractmethod
    def reset(self, seeds: UInt32[np.ndarray, " G"]) -> tuple[Any, Observation]:
        """Begin one copy from each seed; `(state, view)` with views `[G, N, ...]`."""

    @abc.abstractmethod
    def step(self, state: Any, action: np.ndarray) -> tuple[Any, Timestep]:
        """Play the joint actions, `[G, N]` integers or `[G, N, A]` numbers in the environment's
        units; `state` must stay as it is."""
