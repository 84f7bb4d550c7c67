"""The border between the agents' normalised units and the environment's own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from coterie.errors import EnvError, require
from coterie.types import AgentSpec, Box, rescaled


class ActionScaling(NamedTuple):
    """The bounds of every agent's actions `[N, D]`, or `None` where actions are numbered.

    sizes: each agent's number of actions, or of numbers in one.
    """

    low: Array | None
    high: Array | None
    sizes: tuple[int, ...]

    def to_env(self, action: Array) -> Array:
        """Decisions `[N, G, ...]` as the joint actions `[G, N, ...]` that the environment
        expects."""
        joint = jnp.swapaxes(action, 0, 1)
        if self.low is None or self.high is None:
            return joint
        return rescaled(joint, self.low, self.high)

    def encode(self, action: Array) -> Float[Array, "G N W"]:
        """Decisions `[N, G, ...]` as others see them: a vector of the largest size each.

        The number of an action is a vector of zeros and a one; other numbers are cut to [-1, 1], as
        the environment does.
        """
        joint, width = jnp.swapaxes(action, 0, 1), max(self.sizes)
        if self.low is None:
            return jax.nn.one_hot(joint, width)
        real = np.arange(width) < np.array(self.sizes)[:, None]
        return jnp.where(real, jnp.clip(joint, -1.0, 1.0), 0.0)


def action_scaling(specs: tuple[AgentSpec, ...]) -> ActionScaling:
    """The units of a team; all its agents must have the same kind of action."""
    sizes = tuple(spec.action.size for spec in specs)
    boxes = [spec.action for spec in specs if isinstance(spec.action, Box)]
    require(
        len(boxes) in (0, len(specs)),
        f"{len(boxes)} of {len(specs)} agents have continuous actions and the others discrete "
        "ones: a team needs one kind; make them all discrete or all continuous.",
        EnvError,
    )
    if not boxes:
        return ActionScaling(None, None, sizes)
    width = max(box.size for box in boxes)
    low, high = np.zeros((2, len(boxes), width), np.float32)
    for agent, box in enumerate(boxes):
        low[agent, : box.size], high[agent, : box.size] = box.low, box.high
    return ActionScaling(jnp.asarray(low), jnp.asarray(high), sizes)
