"""Draw the next state from a row of probabilities: one random number, inverse CDF, exact integers.

Probabilities are counted in units of 2^-30. Sums of integers do not depend on their order, so the
same number leads to the same state whether a row was tabulated before or is worked out on the spot.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

ONE = 2**30
"""Probability 1."""


class Marks(NamedTuple):
    """The thresholds of `R` rows, each cut into `B` blocks of length `L`.

    ends:  the last threshold of every block, `[R, B]`: so few that they stay in the cache.
    cells: all thresholds, a block to a row, `[R B, L]`.
    """

    ends: Int[Array, "R B"]
    cells: Int[Array, "RB L"]


def units(row: Any) -> Any:
    """Rows of probabilities `[..., M]` in units of 2^-30; NumPy or JAX, float32 to int32."""
    xp = row.__array_namespace__()
    return xp.rint(row * xp.float32(ONE)).astype(xp.int32)


def chances(key: Key[Array, ""], shape: tuple[int, ...] = ()) -> Int[Array, "..."]:
    """Random numbers to draw states with, uniform in [0, 2^30)."""
    return (jax.random.bits(key, shape) >> 2).astype(jnp.int32)


def drawn(row: Float[Array, " M"], chance: Int[Array, ""]) -> Int[Array, ""]:
    """The state that a random number stands for, by walking along a row of probabilities.

    The rest lost to rounding falls to the last state that is possible. For rows that are used once;
    this is twice as fast as summing them up first.

    >>> [int(drawn(jnp.array([0.25, 0.0, 0.75, 0.0]), jnp.int32(u * ONE))) for u in (0.2, 0.25)]
    [0, 2]
    """

    def walk(carry: tuple[Array, Array, Array], here: tuple[Array, Array]) -> Any:
        total, place, last = carry
        number, unit = here
        total = total + unit
        return (total, place + (total <= chance), jnp.where(unit > 0, number, last)), None

    nothing = jnp.int32(0), jnp.int32(0), jnp.int32(0)
    numbers = jnp.arange(len(row), dtype=jnp.int32)
    (_, place, last), _ = jax.lax.scan(walk, nothing, (numbers, units(row)))
    return jnp.minimum(place, last)


def thresholds(row: Float[np.ndarray, "*batch M"]) -> Int[np.ndarray, "*batch M"]:
    """The numbers at which one state gives way to the next, for rows that are used often.

    >>> (thresholds(np.float32([0.25, 0.0, 0.75, 0.0])) / ONE).tolist()
    [0.25, 0.25, 1.0, 1.0]
    """
    sums = np.cumsum(units(row), axis=-1, dtype=np.int32)
    return np.where(sums == sums[..., -1:], np.int32(ONE), sums)


def blocks(states: int) -> tuple[int, int]:
    """Return the number of blocks that a row of so many thresholds is cut into, and their length.

    Half the root of them: as fast as the root, with half as many ends to keep.

    >>> blocks(7), blocks(100)
    ((1, 7), (5, 20))
    """
    count = max(1, math.isqrt(states) // 2)
    return count, -(-states // count)


def padded(marks: Int[np.ndarray, "R M"]) -> Int[np.ndarray, "R BL"]:
    """Pad thresholds to whole blocks, with values above every random number."""
    count, length = blocks(marks.shape[1])
    room = count * length - marks.shape[1]
    return np.pad(marks, [(0, 0), (0, room)], constant_values=ONE) if room else marks


def cut(marks: Int[np.ndarray, "R BL"], states: int) -> Marks:
    """The thresholds of many rows, `padded`, to be looked up."""
    count, length = blocks(states)
    cells = marks.reshape(-1, length)
    return Marks(jnp.asarray(cells[:, -1].reshape(-1, count)), jnp.asarray(cells))


def looked_up(marks: Marks, row: Int[Array, " G"], chance: Int[Array, " G"]) -> Int[Array, " G"]:
    """Look up the states that random numbers stand for: the block of a row, then the state in it.

    Alone, two reads of numbers that lie side by side take as long as a bisection in log2 M reads.
    But a step is faster by a sixth: XLA works out again whatever led to a state wherever the state
    is used, and a bisection is a long way to it.
    """
    count, length = marks.ends.shape[1], marks.cells.shape[1]
    block = _passed(marks.ends, row, chance)
    return block * length + _passed(marks.cells, row * count + block, chance)


def _passed(table: Int[Array, "R L"], row: Int[Array, " G"], chance: Int[Array, " G"]) -> Array:
    """Return the number of thresholds of a row that a random number has passed."""
    # XLA clamps what lies outside; to ask for more would cost a third of the step.
    found = table.at[row].get(mode="promise_in_bounds")
    return jnp.sum(found <= chance[:, None], axis=-1, dtype=jnp.int32)
