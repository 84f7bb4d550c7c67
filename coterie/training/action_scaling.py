"""The border between the agents' normalised units and the environment's own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from coterie.types import AgentSpec, Box, are_mixed, rescaled


class ActionScaling(NamedTuple):
    """The bounds of every agent's actions `[N, D]`, or `None` where actions are numbered.

    sizes:    each agent's number of actions, or of numbers in one.
    numbered: in a team of both kinds, whose actions are numbered, `[N]`; `None` in any other.
    """

    low: Array | None
    high: Array | None
    sizes: tuple[int, ...]
    numbered: np.ndarray | None = None

    def to_env(self, action: Array) -> Array:
        """Decisions `[N, G, ...]` as the joint actions `[G, N, ...]` that the environment
        expects."""
        joint = jnp.swapaxes(action, 0, 1)
        if self.low is None or self.high is None:
            return joint
        scaled = rescaled(joint, self.low, self.high)
        return scaled if self.numbered is None else jnp.where(self.numbered[:, None], joint, scaled)

    def encode(self, action: Array) -> Float[Array, "G N W"]:
        """Decisions `[N, G, ...]` as others see them: a vector of the largest size each.

        The number of an action is a vector of zeros and a one; other numbers are cut to [-1, 1], as
        the environment does.
        """
        joint, width = jnp.swapaxes(action, 0, 1), max(self.sizes)
        if self.low is None:
            return jax.nn.one_hot(joint, width)
        real = np.arange(width) < np.array(self.sizes)[:, None]
        vectors = jnp.where(real, jnp.clip(joint, -1.0, 1.0), 0.0)
        if self.numbered is None:
            return vectors
        chosen = jax.nn.one_hot(joint[..., 0].astype(jnp.int32), width)
        return jnp.where(self.numbered[:, None], chosen, vectors)


def action_scaling(specs: tuple[AgentSpec, ...]) -> ActionScaling:
    """The units of a team."""
    spaces = [spec.action for spec in specs]
    sizes = tuple(space.size for space in spaces)
    if not any(space.continuous for space in spaces):
        return ActionScaling(None, None, sizes)
    low, high = np.zeros((2, len(spaces), max(sizes)), np.float32)
    for agent, space in enumerate(spaces):
        if isinstance(space, Box):
            low[agent, : space.size], high[agent, : space.size] = space.low, space.high
    numbered = np.array([not space.continuous for space in spaces])
    bounds = jnp.asarray(low), jnp.asarray(high)
    return ActionScaling(*bounds, sizes, numbered if are_mixed(spaces) else None)
