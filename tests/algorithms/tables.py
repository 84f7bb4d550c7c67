"""One agent that learns from a few given steps in a table, for tests by hand."""

import jax
import jax.numpy as jnp

from coterie.algorithms import Trajectory
from coterie.algorithms.base.algorithm import ActionOnly
from coterie.algorithms.base.tabular import TabularState
from coterie.graph import family
from coterie.internal.count import Count
from coterie.network import lift, networks
from coterie.types import Observation


def told(here, action, reward, there, ends=None, able=None, able_there=None, present=None):
    """Steps of some environments, `[T, G]` each; masks `[T, G, A]`."""
    reward = jnp.asarray(reward, jnp.float32)
    never = jnp.zeros(reward.shape, bool)

    def view(number, mask):
        number = jnp.asarray(number, jnp.float32)[..., None]
        return Observation(
            number,
            None if mask is None else jnp.asarray(mask, bool),
            None if present is None else jnp.asarray(present, bool),
        )

    ends = never if ends is None else jnp.asarray(ends, bool)
    return Trajectory(
        view(here, able),
        ActionOnly(jnp.asarray(action)),
        reward,
        ends,
        never,
        never,
        view(there, able_there),
        (),
    )


def taught(method, rows, trajectory, steps=0, key=0):
    """The agent's rows `[M, K, A]` after the experience, the numbers it reports, and its state."""
    state = TabularState(jnp.asarray(rows, jnp.float32), Count.of(steps))
    one = jax.tree.map(lambda x: x[None], (state, trajectory))
    keys = jax.random.split(jax.random.key(key), 1)
    state, _, metrics = jax.jit(lift(method.learn))(*one, networks(family("none", 1)), keys)
    state, metrics = jax.tree.map(lambda x: x[0], (state, metrics))
    return state.rows, metrics, state
