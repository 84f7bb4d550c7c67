"""Draw the next state from a row of probabilities: one random number, inverse CDF, exact integers.

Probabilities are counted in units of 2^-30. Sums of integers do not depend on their order, so the
same number leads to the same state whether a row was tabulated before or is worked out on the spot.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

ONE = 2**30
"""Probability 1."""


def units(row: Any) -> Any:
    """Rows of probabilities `[..., M]` in units of 2^-30; NumPy or JAX, float32 to int32."""
    xp = row.__array_namespace__()
    return xp.rint(row * xp.float32(ONE)).astype(xp.int32)


def chances(key: Key[Array, ""], shape: tuple[int, ...] = ()) -> Int[Array, "..."]:
    """Random numbers to draw states with, uniform in [0, 2^30)."""
    return (jax.random.bits(key, shape) >> 2).astype(jnp.int32)


def drawn(row: Float[Array, " M"], chance: Int[Array, ""]) -> Int[Array, ""]:
    """The state that a random number stands for, by walking along a row of probabilities.

    What is lost to rounding falls to the last state that is possible. For rows that are used once;
    twice as fast as to sum them up first.

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


def looked_up(
    table: Int[Array, " RM"], row: Int[Array, " G"], chance: Int[Array, " G"], states: int
) -> Int[Array, " G"]:
    """The same by bisection, for rows in a table of thresholds: log2 M numbers are read.

    A flat table and an unrolled search are twice as fast here as a table of two axes or a loop,
    and within 20 % of alias tables, which would need other random numbers.
    """
    first = row * states
    place, left = first, states
    while left > 1:
        half = left // 2
        # XLA clamps what lies outside; to ask for more would cost a third of the step.
        mark = table.at[place + (half - 1)].get(mode="promise_in_bounds")
        place = place + jnp.where(mark <= chance, half, 0)
        left -= half
    return place - first
