"""Environments: spaces, views, steps, and a way to play many copies at once.

An environment is a frozen value whose fields are its options. Arrays that belong to agents are
stacked on a leading agent axis `N`; rewards are private, one per agent; an episode that *ends*
(`terminated`) and one that is merely *cut off* (`truncated`) are kept apart, because a learner must
look beyond the second but not beyond the first.
"""

import abc
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt32

from coterie.bounds import require_bounds
from coterie.encoding import ActionEncoding, Encoding
from coterie.envs.checks import traced
from coterie.envs.checks.checks import Checks
from coterie.envs.timestep import PureEnv
from coterie.envs.timestep import Scene as Scene
from coterie.envs.timestep import Timestep as Timestep
from coterie.errors import EnvError, require
from coterie.types import AgentSpec as AgentSpec
from coterie.types import Box as Box
from coterie.types import Discrete as Discrete
from coterie.types import Observation as Observation
from coterie.types import Space as Space


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

    def everybody(self, state: PyTree, value: PyTree, name: str) -> PyTree:
        """Gather what all of the team show, `[N, ...]`, from what these agents do, `[k, ...]`.

        These are all, unless some of the team play in another process.
        """
        return value

    def seats(self, agents: int) -> Int[np.ndarray, " k"]:
        """Places in the team of those who play here."""
        return np.arange(agents)

    def close(self, state: PyTree) -> None:  # noqa: B027 (most environments have nothing to do)
        """Let go of what `state` holds outside JAX; traced or not. It cannot be stepped again."""

    def reserve(self, states: int) -> None:  # noqa: B027 (a state in JAX is a value)
        """Make room for so many states that are played side by side."""

    def shutdown(self) -> None:  # noqa: B027 (most environments have nothing to do)
        """Let go of what all states hold outside JAX; a later `reset` begins anew."""

    @property
    def failure(self) -> EnvError | None:
        """Error of an environment inside a compiled program, which itself gives no reason."""
        return None

    @property
    def traced(self) -> bool:
        """True if `step` can be a part of a compiled program."""
        return True

    @property
    def resumable(self) -> bool:
        """True if `state` is complete, so that a checkpoint can continue in mid-episode."""
        return True


class SingleEnv(VectorEnv):
    """One copy that is played once and stays where its episode ended; `Env.render` shows its
    states, which have no batch axis."""

    copies = 1

    @abc.abstractmethod
    def agent_keys(self, number: int, agents: int) -> Iterator[Key[Array, " N"]]:
        """Return the agents' keys, step by step, in the episode that `jax.random.key(number)`
        begins."""


@dataclass(frozen=True)
class Env(abc.ABC):
    """A world that a team plays in. A frozen value: its fields are its options.

    The bounds that they declare (`coterie.bounds`) are checked when a value is made: a
    `__post_init__` of one's own calls `super().__post_init__()`.
    """

    def __post_init__(self) -> None:
        hidden = [f.name for f in fields(self) if callable(getattr(Env, f.name, None))]
        require(
            not hidden,
            f"{type(self).__name__} has an option {' and '.join(hidden)}, which hides a method of "
            "environments: call it otherwise.",
            EnvError,
        )
        require_bounds(self)

    @property
    @abc.abstractmethod
    def specs(self) -> tuple[AgentSpec, ...]:
        """One `AgentSpec` per agent."""

    @abc.abstractmethod
    def vectorize(self, copies: int) -> VectorEnv:
        """`copies` of this environment, stepped together."""

    @property
    def encodings(self) -> tuple[tuple[Encoding, ActionEncoding], ...] | None:
        """The encodings of each agent's own observations and actions, where the environment shows
        and takes something else than the numbers of `specs`; policy files remember them."""
        return None

    def for_seed(self, seed: int) -> "Env":
        """The environment that the repetition with this seed plays: this one, unless it is drawn
        anew."""
        return self

    def single(self) -> SingleEnv:
        """One copy to be shown at play; environments without a picture raise `EnvError`."""
        raise EnvError(f"{type(self).__name__} has no picture: give it `single` and `render`.")

    def render(self, state: Any) -> Scene | np.ndarray:
        """A state of `single`, or of a copy, to look at: a `Scene` to draw, or a picture `[H, W,
        3]` (0 to 255)."""
        raise EnvError(f"{type(self).__name__} has no picture: give it a `render(state)` method.")

    def checks(self) -> Checks:
        """Rules by which `check_env` examines it."""
        raise EnvError(
            f"{type(self).__name__} does not say how it is checked: derive it from JaxEnv or "
            "PettingZooEnv, or give it a `checks()` method."
        )

    def rehearse(self) -> str | None:
        """Play it in a process apart; the sentence if it ends that process, or hangs.

        Only what is played outside of JAX needs that.
        """
        return None

    def catalogue_name(self) -> str | None:
        """The name that `make_env` makes it from; `None` if that is the name of its class."""
        return None

    @property
    def size_options(self) -> tuple[str, ...]:
        """Names of the options that say how many agents there are, for messages."""
        return tuple(f.name for f in fields(self) if f.name == "agents")

    @property
    def fps(self) -> float:
        """Steps per second in a moving picture, at most 50."""
        return 10.0

    @property
    def members(self) -> tuple[tuple[AgentSpec, ...], ...]:
        """Agents that stand behind each agent: itself, unless one decides for several."""
        return tuple((spec,) for spec in self.specs)

    @property
    def names(self) -> tuple[str, ...]:
        """The agents' names, for logs and files; never used to decide anything."""
        return tuple(f"agent-{i}" for i in range(len(self.specs)))


@dataclass(frozen=True)
class JaxEnv(Env, PureEnv):
    """An environment written in JAX: pure functions of one copy, batched from outside.

    All agents of a `JaxEnv` share observation and action shapes (`Observation.observation` is `[N,
    F]`, or `[N, H, W, C]` where they see images of one shape); smaller vectors are padded with
    zeros, and `specs` says what is real. Learners are shown images flat, `[N, H W C]`, and models
    know their shape.
    """

    @abc.abstractmethod
    def reset(self, key: Key[Array, ""]) -> tuple[Any, Observation]:
        """A fresh episode: `(state, view)` with views `[N, ...]`."""

    @abc.abstractmethod
    def step(self, state: Any, action: Array) -> tuple[Any, Timestep]:
        """Play the joint action (`[N]` integers or `[N, A]` numbers in the environment's units)."""

    @property
    def constants(self) -> PyTree:
        """Large arrays that the environment reads and never changes, if it has any; then it plays
        by `reset_in` and `step_in`, which compiled programs give these arrays as an argument."""
        return ()

    def reset_in(self, constants: PyTree, key: Key[Array, ""]) -> tuple[Any, Observation]:
        """`reset`, given the constants."""
        return self.reset(key)

    def step_in(self, constants: PyTree, state: Any, action: Array) -> tuple[Any, Timestep]:
        """`step`, given the constants."""
        return self.step(state, action)

    def global_state(self, state: Any, view: Observation) -> Float[Array, " S"]:
        """The world's state `[S]`: all observations side by side, unless an environment knows
        better."""
        return view.observation.reshape(-1)

    def scene(self, state: Any) -> Scene | np.ndarray:
        """Discs to draw, or a picture `[H, W, 3]` (0 to 255); environments without one raise
        `EnvError`."""
        raise EnvError(f"{type(self).__name__} has no picture: give it a `scene(state)` method.")

    def single(self) -> SingleEnv:
        return OneEpisode(self)

    def render(self, state: Any) -> Scene | np.ndarray:
        return self.scene(state)

    def checks(self) -> Checks:
        return traced.checks(self)

    def vectorize(self, copies: int) -> VectorEnv:
        require(copies >= 1, f"num_envs must be at least 1, not {copies}.")
        self.require_one_shape()
        return Vectorized(self, copies)

    def require_one_shape(self) -> None:
        """Raise `EnvError` unless all agents see vectors, or all see images of one shape."""
        shapes = {spec.shape for spec in self.specs}
        require(
            len(shapes) == 1 or all(len(shape) == 1 for shape in shapes),
            f"agents see images of the shapes {sorted(shapes)}: pad them to one shape.",
            EnvError,
        )

    def flat(self, view: Observation) -> Observation:
        """Views `[..., N, *shape]` with flat observations, `[..., N, F]`."""
        images = len(self.specs[0].shape)
        seen = view.observation
        return view._replace(observation=seen.reshape(*seen.shape[:-images], -1))

    def shaped(self, view: Observation) -> Observation:
        """Flat views `[..., N, F]` with observations as the environment has them."""
        shape, seen = self.specs[0].shape, view.observation
        if len(shape) == 1:
            return view
        return view._replace(observation=seen.reshape(*seen.shape[:-1], *shape))


class OneEpisode(SingleEnv):
    """One copy of a `JaxEnv`."""

    def __init__(self, env: JaxEnv):
        self.env = env

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        state, view = self.env.reset(jax.random.split(key)[0])
        return state, _batched(self.env.flat(view))

    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        state, timestep = self.env.step(state, action[0])
        timestep = _batched(timestep._replace(view=self.env.flat(timestep.view)))
        return state, timestep, timestep.view

    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "1 S"]:
        mine = self.env.shaped(jax.tree.map(lambda x: x[0], view))
        return self.env.global_state(state, mine)[None]

    def agent_keys(self, number: int, agents: int) -> Iterator[Key[Array, " N"]]:
        key = jax.random.split(jax.random.key(number))[1]
        steps = itertools.count()
        return (jax.random.split(jax.random.fold_in(key, step), agents) for step in steps)


class Vectorized(VectorEnv):
    """Copies of a `JaxEnv`, batched by `vmap`."""

    def __init__(self, env: JaxEnv, copies: int, constants: PyTree = None):
        self.env = env
        self.copies = copies
        self._constants = constants

    @property
    def constants(self) -> PyTree:
        return self.env.constants if self._constants is None else self._constants

    def with_constants(self, world: PyTree) -> "Vectorized":
        return Vectorized(self.env, self.copies, world)

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        reset = jax.vmap(partial(self.env.reset_in, self.constants))
        state, view = reset(jax.random.split(key, self.copies))
        return state, self.env.flat(view)

    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        state, timestep = jax.vmap(partial(self.env.step_in, self.constants))(state, action)
        timestep = timestep._replace(view=self.env.flat(timestep.view))
        timestep = timestep._replace(state=self.global_state(state, timestep.view))
        over = timestep.over

        def restart(now: PyTree) -> PyTree:
            fresh = self.reset(key)
            return jax.tree.map(lambda new, old: jnp.where(_like(over, new), new, old), fresh, now)

        # Episodes mostly end together, so the fresh ones are drawn only when one is needed.
        state, view = jax.lax.cond(jnp.any(over), restart, lambda now: now, (state, timestep.view))
        return state, timestep, view

    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "G S"]:
        return jax.vmap(self.env.global_state)(state, self.env.shaped(view))


def episode_seeds(key: Key[Array, ""], copies: int) -> UInt32[Array, " G"]:
    """One seed per copy of an environment outside JAX. 31 bits: some environments pass them on to C
    as signed integers."""
    return jax.random.bits(key, (copies,), jnp.uint32) >> 1


def own_streams(number: int, agents: int) -> Iterator[Key[Array, " N"]]:
    """Each agent's own keys, step by step, in an episode that is played outside JAX."""
    keys = jnp.stack([jax.random.key(number + agent) for agent in range(agents)])
    while True:
        keys, now = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        yield now


def _like(flag: Bool[Array, " G"], array: Array) -> Bool[Array, " G *ones"]:
    return flag.reshape(flag.shape + (1,) * (array.ndim - 1))


def _batched(tree: Any) -> Any:
    """The arrays of one copy as those of a batch of one."""
    return jax.tree.map(lambda x: x[None], tree)
