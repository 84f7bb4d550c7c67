"""Environments of Jumanji, compiled together with the learners."""

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from coterie.envs import library
from coterie.envs.game import JaxEnv, Timestep
from coterie.envs.host.factory import arguments
from coterie.errors import EnvError, require
from coterie.internal.imports import JUMANJI
from coterie.internal.parts import IN_NAME
from coterie.types import AgentSpec, Discrete, Observation, Space

UNSEEN = ("action_mask", "step_count", "step")
"""Fields of an observation that are not perceived: a mask is one apart, and time limits are not
endings."""


@dataclass(frozen=True)
class JumanjiEnv(JaxEnv):
    """An environment of Jumanji, by its name there: `RobotWarehouse-v0`.

    A team of `num_agents` where the environment has them, or else of one. An agent sees its row of
    every array that has one row for each agent, and the whole of all others, flat and in the order
    of the observation's fields, but for `action_mask` and the number of the step. An episode that
    is over once the environment's `time_limit` has passed is truncated, and so is one whose
    discount is not 0; any other is terminated.
    """

    name: str = field(metadata=IN_NAME)
    """Name of the environment."""
    env_kwargs: tuple[str, ...] = ()
    """Arguments of the environment: time_limit=100; Python's plain values, or else text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments(self.env_kwargs)

    def catalogue_name(self) -> str:
        return f"{JUMANJI}{self.name}"

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return self._made.specs

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        state, timestep = self._made.env.reset(jax.random.key_data(key))
        return state, self._view(timestep.observation)

    def step(self, state: PyTree, action: Array) -> tuple[PyTree, Timestep]:
        env, team, specs = self._made
        joint = action if team else action[0]
        state, told = env.step(state, joint.astype(env.action_spec.dtype))
        rewards = jnp.broadcast_to(jnp.asarray(told.reward, jnp.float32), len(specs))
        over = jnp.broadcast_to(told.last(), len(specs))
        late = library.limit_passed(
            library.attribute(env, "time_limit"), library.attribute(state, "step_count", "step")
        )
        ended = over & (told.discount == 0) & ~late
        logged = library.numbers(told.extras or {}, self.names)
        return state, Timestep(self._view(told.observation), rewards, ended, over & ~ended, logged)

    @property
    def _made(self) -> "Made":
        return _made(self.name, self.env_kwargs)

    def _view(self, observation: Any) -> Observation:
        _, team, specs = self._made
        sizes = [spec.action.size for spec in specs]
        rows = library.stacked(_by_agent(observation, len(specs), team))
        mask = getattr(observation, "action_mask", None)
        if mask is None or specs[0].action.continuous:
            return Observation(rows, library.whole(sizes))
        return Observation(rows, library.masks(list(mask if team else mask[None]), sizes))


class Made(NamedTuple):
    """An environment as Jumanji makes it: itself, whether it has a team, its specs."""

    env: Any
    team: bool
    specs: tuple[AgentSpec, ...]


@functools.lru_cache(maxsize=64)
def _made(name: str, env_kwargs: tuple[str, ...]) -> Made:
    jumanji = library.load("jumanji", "jumanji")
    known = sorted(jumanji.registered_environments())
    if name not in known:
        raise library.unknown("Jumanji", "environment", name, known)
    env = library.make(jumanji.make, name, dict(arguments(env_kwargs)))
    team = library.attribute(env, "num_agents") is not None
    actions = _spaces(name, env.action_spec, env.num_agents if team else 0)
    _, timestep = jax.eval_shape(env.reset, jax.random.key_data(jax.random.key(0)))
    shapes = library.seen_shapes(_by_agent(_blank(timestep.observation), len(actions), team))
    return Made(env, team, tuple(map(AgentSpec, shapes, actions)))


def _blank(shapes: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape), shapes)


def _spaces(name: str, told: Any, agents: int) -> list[Space]:
    """Return each agent's space of actions; of one agent if `agents` is 0."""
    if not agents and hasattr(told, "num_values") and told.shape == ():
        return [Discrete(int(told.num_values))]
    fits = agents and told.shape[:1] == (agents,)
    if fits and hasattr(told, "num_values") and len(told.shape) == 1:
        return [Discrete(int(size)) for size in np.asarray(told.num_values)]
    require(
        bool(fits) and hasattr(told, "minimum") and np.issubdtype(told.dtype, np.floating),
        f"the actions of {name} are a {type(told).__name__} of shape {told.shape}: each agent of "
        "num_agents, or the only one, has to choose a number, or to give a vector; write a JaxEnv "
        "that turns its actions into such.",
        EnvError,
    )
    ends = (np.broadcast_to(np.asarray(end), told.shape) for end in (told.minimum, told.maximum))
    rows = enumerate(zip(*ends, strict=True))
    return [library.box(f"agent-{i}", told.shape[1:], low, high) for i, (low, high) in rows]


def _by_agent(observation: Any, agents: int, team: bool) -> list[list[Array]]:
    """Return the arrays that each agent sees."""
    seen = [part for name, part in _fields(observation) if name not in UNSEEN]
    leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(seen)]
    own = [team and leaf.shape[:1] == (agents,) for leaf in leaves]
    pairs = list(zip(leaves, own, strict=True))
    return [[leaf[agent] if mine else leaf for leaf, mine in pairs] for agent in range(agents)]


def _fields(observation: Any) -> list[tuple[str, Any]]:
    """Return the fields of a named tuple or dataclass; an array has one without a name."""
    names = getattr(observation, "_fields", None) or getattr(observation, "__annotations__", ())
    return [(name, getattr(observation, name)) for name in names] or [("", observation)]
