"""Environments of JaxMARL, compiled together with the learners."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree, UInt32

from coterie.envs import library
from coterie.envs.game import JaxEnv, Timestep
from coterie.envs.host.factory import arguments
from coterie.errors import EnvError, require
from coterie.internal.imports import JAXMARL
from coterie.internal.parts import IN_NAME
from coterie.types import AgentSpec, Discrete, Observation, Space


class JaxMARLState(NamedTuple):
    """State of an environment of JaxMARL, and the key of the steps to come."""

    world: PyTree
    key: UInt32[Array, "2"]


@dataclass(frozen=True)
class JaxMARLEnv(JaxEnv):
    """An environment of JaxMARL, by its name there: `MPE_simple_spread_v3`.

    All agents play until the episode is over for all: JaxMARL pays agents that are out as well, and
    leaves them one action. Its `done` does not tell an ending from a time limit: an episode that is
    over once the environment's `max_steps` have passed is truncated, any other terminated.
    """

    name: str = field(metadata=IN_NAME)
    """Name of the environment."""
    env_kwargs: tuple[str, ...] = ()
    """Arguments of the environment: num_agents=3 scenario=2s3z; Python's plain values, or else
    text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments(self.env_kwargs)

    def catalogue_name(self) -> str:
        return f"{JAXMARL}{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self._made.env.agents))

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return self._made.specs

    def reset(self, key: Key[Array, ""]) -> tuple[JaxMARLState, Observation]:
        now, later = jax.random.split(key)
        seen, world = self._made.env.reset(jax.random.key_data(now))
        return JaxMARLState(world, jax.random.key_data(later)), self._view(world, seen)

    def step(self, state: JaxMARLState, action: Array) -> tuple[JaxMARLState, Timestep]:
        env, (now, later) = self._made.env, jax.random.split(state.key)
        # Not `env.step`, which would begin the next episode in the same call.
        seen, world, reward, done, info = env.step_env(now, state.world, self._by_agent(action))
        rewards = jnp.stack([jnp.asarray(reward[agent], jnp.float32) for agent in env.agents])
        over = jnp.broadcast_to(jnp.asarray(done["__all__"], jnp.bool_), rewards.shape)
        late = _past_limit(env, world)
        logged = library.numbers(info, env.agents)
        timestep = Timestep(self._view(world, seen), rewards, over & ~late, over & late, logged)
        return JaxMARLState(world, later), timestep

    def global_state(self, state: JaxMARLState, view: Observation) -> Float[Array, " S"]:
        """The environment's own `get_world_state`; where it has none, all observations."""
        told = getattr(self._made.env, "get_world_state", None)
        if told is None:
            return view.observation.reshape(-1)
        return jnp.ravel(told(state.world)).astype(jnp.float32)

    @property
    def _made(self) -> "Made":
        return _made(self.name, self.env_kwargs)

    def _view(self, world: PyTree, seen: dict[str, Any]) -> Observation:
        env, available, specs = self._made
        rows = library.stacked([seen[agent] for agent in env.agents])
        sizes = [spec.action.size for spec in specs]
        if available is None:
            return Observation(rows, library.whole(sizes))
        possible = available(world)
        return Observation(rows, library.masks([possible[agent] for agent in env.agents], sizes))

    def _by_agent(self, action: Array) -> dict[str, Array]:
        env, _, specs = self._made
        pairs = zip(env.agents, specs, action, strict=True)
        return {name: _own(env, name, spec.action, mine) for name, spec, mine in pairs}


class Made(NamedTuple):
    """An environment as JaxMARL makes it: itself, its function for action masks, its specs."""

    env: Any
    available: Callable[[PyTree], dict[str, Array]] | None
    specs: tuple[AgentSpec, ...]


@functools.lru_cache(maxsize=64)
def _made(name: str, env_kwargs: tuple[str, ...]) -> Made:
    jaxmarl = library.load("jaxmarl", "jaxmarl")
    if name not in jaxmarl.registered_envs:
        raise library.unknown("JaxMARL", "environment", name, jaxmarl.registered_envs)
    told = dict(arguments(env_kwargs))
    env = library.make(jaxmarl.make, name, {k: _meant(name, k, v) for k, v in told.items()})
    seen, world = jax.eval_shape(env.reset, jax.random.key_data(jax.random.key(0)))
    require(
        set(env.agents) <= set(seen),
        f"{name} names its agents {', '.join(map(str, env.agents))}, but gives observations for "
        f"{', '.join(map(str, seen))}: write a JaxEnv that knows which is which.",
        EnvError,
    )
    shapes = library.seen_shapes([seen[agent] for agent in env.agents])
    actions = [_space(agent, env.action_space(agent)) for agent in env.agents]
    discrete = not any(action.continuous for action in actions)
    specs = tuple(AgentSpec(shape, action) for shape, action in zip(shapes, actions, strict=True))
    return Made(env, _available(env, world) if discrete else None, specs)


def _meant(name: str, key: str, value: Any) -> Any:
    """An argument that is an object, by its name: a map of SMAX, a kitchen of Overcooked."""
    if "SMAX" in name and key == "scenario":
        smax = library.load("jaxmarl.environments.smax.smax_env", "jaxmarl")
        return _of(smax.MAP_NAME_TO_SCENARIO, "map", value)
    if name == "overcooked" and key == "layout":
        overcooked = library.load("jaxmarl.environments.overcooked", "jaxmarl")
        return _of(overcooked.overcooked_layouts, "kitchen", value)
    return value


def _of(known: dict[str, Any], what: str, name: Any) -> Any:
    if name not in known:
        raise library.unknown("JaxMARL", what, str(name), known)
    return known[name]


def _available(env: Any, world: PyTree) -> Callable[[PyTree], dict[str, Array]] | None:
    """The environment's function for action masks, if it has one."""
    told = library.attribute(env, "get_legal_moves", "get_avail_actions")
    try:
        jax.eval_shape(told, world)
    except NotImplementedError:
        return None
    return told


def _past_limit(env: Any, world: PyTree) -> Array:
    steps = library.attribute(library.attribute(world, "state") or world, "step", "time")
    return library.limit_passed(library.attribute(env, "max_steps"), steps)


def _space(agent: str, space: Any) -> Space:
    if hasattr(space, "n"):
        return Discrete(int(space.n))
    require(
        hasattr(space, "low") and hasattr(space, "high"),
        f"agent {agent!r} acts by {type(space).__name__}, which is neither Discrete nor Box: write "
        "a JaxEnv that turns its actions into one of them.",
        EnvError,
    )
    return library.box(agent, space.shape, space.low, space.high)


def _own(env: Any, agent: str, space: Space, action: Array) -> Array:
    """An agent's part of the joint action, as its own space has it."""
    if space.continuous:
        return action[: space.size].reshape(env.action_space(agent).shape)
    return jnp.ravel(action)[0].astype(jnp.int32)  # a vector, if others give numbers
