"""An environment with the whole team as one agent, for methods that decide all at a centre."""

import functools
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from coterie.envs.finite.game import FiniteGame
from coterie.envs.finite.joint_agent import FiniteAsOne
from coterie.envs.game import AgentSpec, Env, JaxEnv, Observation, Scene, Timestep
from coterie.errors import ConfigError, require
from coterie.types import Box, MultiDiscrete, Space, are_mixed


@dataclass(frozen=True)
class AsOne(JaxEnv):
    """Environment played by one agent, with the team's observations and actions.

    Its observation is the agents' observations side by side, its action all agents' actions, and it
    is paid the mean of their rewards. Its only field is the environment, whose options hold for it.

    >>> from coterie.envs import SpreadMATRPO
    >>> AsOne(SpreadMATRPO()).specs[0].observation, AsOne(SpreadMATRPO()).specs[0].action
    (42, MultiDiscrete(sizes=(5, 5, 5)))
    """

    env: JaxEnv

    @property
    def names(self) -> tuple[str, ...]:
        return ("team",)

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        members = self.env.specs
        return (AgentSpec(sum(m.size for m in members), _all([m.action for m in members])),)

    @property
    def members(self) -> tuple[tuple[AgentSpec, ...], ...]:
        return (self.env.specs,)

    def for_seed(self, seed: int) -> "AsOne":
        env = self.env.for_seed(seed)
        assert isinstance(env, JaxEnv)
        return AsOne(env)

    def reset(self, key: Key[Array, ""]) -> tuple[Any, Observation]:
        state, view = self.env.reset(key)
        return state, self._view(view)

    def step(self, state: Any, action: Array) -> tuple[Any, Timestep]:
        state, told = self.env.step(state, self._parts(action[0]))
        ended = jnp.all(told.terminated, keepdims=True)
        return state, told._replace(
            view=self._view(told.view),
            reward=jnp.mean(told.reward, keepdims=True),
            terminated=ended,
            truncated=told.over[None] & ~ended,
        )

    def global_state(self, state: Any, view: Observation) -> Float[Array, " S"]:
        return view.observation[0]

    def scene(self, state: Any) -> Scene | np.ndarray:
        return self.env.scene(state)

    def _view(self, view: Observation) -> Observation:
        """Return the agents' observations, side by side and without padding, `[1, F]`."""
        sizes, whole = [spec.size for spec in self.env.specs], self.env.flat(view).observation
        seen = [whole[agent, :size] for agent, size in enumerate(sizes)]
        mask, present = view.action_mask, view.alive
        return Observation(
            jnp.concatenate(seen)[None],
            None if mask is None else mask.reshape(1, -1),
            None if present is None else jnp.any(present, keepdims=True),
        )

    def _parts(self, action: Array) -> Array:
        """Return all agents' actions, as the environment expects them."""
        sizes = [spec.action.size for spec in self.env.specs]
        if not self.specs[0].action.continuous:
            return action
        parts = jnp.split(action, np.cumsum(sizes)[:-1])
        return jnp.stack([jnp.pad(part, (0, max(sizes) - len(part))) for part in parts])


def _all(spaces: list[Space]) -> Space:
    """Return the space of all agents' actions."""
    require(
        not are_mixed(spaces),
        "a centre that acts for all needs a team whose actions are all discrete or all continuous, "
        "and this one has both: use a method for both, as dpo, ippo or mappo.",
    )
    boxes = [space for space in spaces if isinstance(space, Box)]
    if not boxes:
        return MultiDiscrete(tuple(space.size for space in spaces))
    low = np.concatenate([np.broadcast_to(box.low, box.size) for box in boxes])
    high = np.concatenate([np.broadcast_to(box.high, box.size) for box in boxes])
    return Box(len(low), tuple(map(float, low)), tuple(map(float, high)))


@functools.singledispatch
def as_one(env: Env) -> Env:
    """The environment with the team as one agent; where it is finite, of numbered joint actions.

    `ConfigError` if it is not written in JAX. Another kind of environment registers its own way:
    `as_one.register`.
    """
    raise ConfigError(
        f"a centre that acts for all needs an environment written in JAX, and {type(env).__name__} "
        "is none: try spread."
    )


as_one.register(JaxEnv, AsOne)
as_one.register(FiniteGame, FiniteAsOne)
