"""The cheapest way to give every row of a square its own column: exact, jitted, any size.

Agrees with `scipy.optimize.linear_sum_assignment`, on the total always and on the columns wherever
only one choice is the cheapest.
"""

import functools
import itertools

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from coterie.envs.particle.augmenting import augmenting_paths

SUBSETS_UP_TO = 8
"""The size up to which a table over subsets is the faster way; 9 takes seconds to compile."""


def assign(cost: Float[Array, "N N"]) -> Int[Array, " N"]:
    """The column of each row, no column twice, at the lowest total cost.

    >>> import jax.numpy as jnp
    >>> assign(jnp.array([[1.0, 2.0], [1.0, 5.0]])).tolist()
    [1, 0]
    """
    return augmenting_paths(cost)


def lowest_total(cost: Float[Array, "N N"]) -> Float[Array, ""]:
    """Total cost of the cheapest assignment.

    >>> import jax.numpy as jnp
    >>> float(lowest_total(jnp.array([[1.0, 2.0], [1.0, 5.0]])))
    3.0
    """
    number = cost.shape[0]
    if number <= SUBSETS_UP_TO:
        return _over_subsets(cost)
    return jnp.sum(cost[jnp.arange(number), assign(cost)])


def _over_subsets(cost: Float[Array, "N N"]) -> Float[Array, ""]:
    """Dynamic programming (Held & Karp 1962): the first `k` rows share each set of `k` columns.

    N * 2^(N-1) sums and minima between scalars, which compile into one loop over a batch: 2 to
    16 times faster, for N from 5 to 7, than a product with all N! permutations.
    """
    number = cost.shape[0]
    best: dict[tuple[int, ...], Float[Array, ""]] = {(): jnp.zeros((), cost.dtype)}
    for row in range(number):
        sets = itertools.combinations(range(number), row + 1)
        best = {columns: _last(best, cost, row, columns) for columns in sets}
    return best[tuple(range(number))]


def _last(
    best: dict[tuple[int, ...], Float[Array, ""]],
    cost: Float[Array, "N N"],
    row: int,
    columns: tuple[int, ...],
) -> Float[Array, ""]:
    """The cheapest way for rows `0..row` to share `columns`, whichever of them `row` takes."""
    ways = (
        best[columns[:place] + columns[place + 1 :]] + cost[row, column]
        for place, column in enumerate(columns)
    )
    return functools.reduce(jnp.minimum, ways)
