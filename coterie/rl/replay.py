"""A replay memory as pure functions over explicit state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key, PyTree

from coterie.rl.quantized import Quantized, compact, expanded, is_quantized


class Replay(NamedTuple):
    """The latest items: arrays `[capacity, ...]`, where the next goes, and how many there are.

    Observations may be `Quantized`.
    """

    items: PyTree
    position: Int[Array, ""]
    size: Int[Array, ""]


def empty(item: PyTree, capacity: int, step: float = 0.0) -> Replay:
    """A memory for `buffer_size` items shaped like `item` (arrays or their shapes).

    step: of observations that are kept as bytes (see `AgentSpec.quantization_step`), or 0.
    """
    items = compact(jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), item), step)
    return Replay(items, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def add(replay: Replay, items: PyTree) -> Replay:
    """Store `items` (`[B, ...]`, at most `buffer_size`) over the oldest ones."""
    count = jax.tree.leaves(items)[0].shape[0]
    capacity = jax.tree.leaves(replay.items)[0].shape[0]
    places = (replay.position + jnp.arange(count)) % capacity

    def write(old: Array | Quantized, new: Array) -> Array | Quantized:
        if isinstance(old, Quantized):
            codes = old.codes.at[places].set(Quantized.of(new, old.step).codes)
            return Quantized(codes, old.step)
        return old.at[places].set(new)

    stored = jax.tree.map(write, replay.items, items, is_leaf=is_quantized)
    size = jnp.minimum(replay.size + count, capacity)
    return Replay(stored, (replay.position + count) % capacity, size)


def sample(replay: Replay, key: Key[Array, ""], count: int) -> PyTree:
    """`count` items drawn uniformly, with replacement, from those stored."""
    places = jax.random.randint(key, (count,), 0, jnp.maximum(replay.size, 1))
    return at(replay, places)


def at(replay: Replay, places: Int[Array, "..."] | slice) -> PyTree:
    """The items at some places, with observations as numbers again."""
    return expanded(jax.tree.map(lambda items: items[places], replay.items))


def latest(replay: Replay, key: Key[Array, ""], count: int, among: int) -> Int[Array, " B"]:
    """The places of `count` items drawn uniformly, with replacement, from the `among` newest."""
    age = jax.random.randint(key, (count,), 0, jnp.clip(replay.size, 1, among))
    return (replay.position - 1 - age) % jax.tree.leaves(replay.items)[0].shape[0]


def before(
    replay: Replay, places: Int[Array, " B"], length: int, stride: int
) -> tuple[Int[Array, "L B"], Bool[Array, "L B"]]:
    """The places of the `length` items before each of these and of these, and which are kept.

    stride: how many items are stored at a time, as where so many environments are played side by
            side: the one before is so many places back.

    >>> full = Replay(jnp.arange(4), jnp.array(1), jnp.array(4))  # the oldest is at 1
    >>> [x.tolist() for x in before(full, jnp.array([2]), 2, 1)]
    [[[0], [1], [2]], [[False], [True], [True]]]
    """
    capacity = jax.tree.leaves(replay.items)[0].shape[0]
    back = stride * jnp.arange(length, -1, -1)[:, None]
    age = (replay.position - 1 - places) % capacity
    return (places - back) % capacity, age + back < replay.size
