"""A replay memory as three pure functions over explicit state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree


class Replay(NamedTuple):
    """The latest items: arrays `[capacity, ...]`, where the next goes, and how many there are."""

    items: PyTree
    position: Int[Array, ""]
    size: Int[Array, ""]


def empty(item: PyTree, capacity: int) -> Replay:
    """A memory for `capacity` items shaped like `item` (arrays or their shapes)."""
    items = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), item)
    return Replay(items, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def add(replay: Replay, items: PyTree) -> Replay:
    """Store `items` (`[B, ...]`, at most `capacity`) over the oldest ones."""
    count = jax.tree.leaves(items)[0].shape[0]
    capacity = jax.tree.leaves(replay.items)[0].shape[0]
    places = (replay.position + jnp.arange(count)) % capacity
    stored = jax.tree.map(lambda old, new: old.at[places].set(new), replay.items, items)
    size = jnp.minimum(replay.size + count, capacity)
    return Replay(stored, (replay.position + count) % capacity, size)


def sample(replay: Replay, key: Key[Array, ""], count: int) -> PyTree:
    """`count` items drawn uniformly, with replacement, from those stored."""
    places = jax.random.randint(key, (count,), 0, jnp.maximum(replay.size, 1))
    return jax.tree.map(lambda items: items[places], replay.items)
