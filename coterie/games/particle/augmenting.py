"""Assignment by successive shortest augmenting paths, as loops that compile."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Search(NamedTuple):
    """A shortest-path search from one unmatched row towards an unmatched column."""

    row: Int[Array, ""]
    column: Int[Array, ""]
    length: Float[Array, " N"]
    parent: Int[Array, " N"]
    visited: Bool[Array, " N"]
    found: Bool[Array, ""]


def augmenting_paths(cost: Float[Array, "N N"]) -> Int[Array, " N"]:
    """The column of each row in a cheapest assignment, in O(N^3).

    Rows enter one at a time. Each looks for the cheapest chain of swaps that ends in a free column,
    where prices on rows and columns keep every matched cell at a cost of 0 and every other at 0 or
    more. All loops are bounded, so that a cost that is not finite cannot hang a program.
    """
    number = cost.shape[0]
    free = jnp.full(number, -1)
    prices = jnp.zeros(number, cost.dtype)
    start = (prices, prices, free, free)
    return jax.lax.fori_loop(0, number, lambda row, now: _enter(cost, row, *now), start)[3]


def _enter(
    cost: Float[Array, "N N"],
    row: Int[Array, ""],
    row_price: Float[Array, " N"],
    column_price: Float[Array, " N"],
    row_of: Int[Array, " N"],
    column_of: Int[Array, " N"],
) -> tuple[Float[Array, " N"], Float[Array, " N"], Int[Array, " N"], Int[Array, " N"]]:
    """Match one more row: `row_of[column]` and `column_of[row]` are -1 where nothing is matched."""
    end = _search(cost - row_price[:, None] - column_price, row, row_of)
    shortest = end.length[end.column]
    slack = jnp.where(end.visited, shortest - end.length, 0.0)
    owner = jnp.where(end.visited & (row_of >= 0), row_of, row.size * len(row_of))
    row_price = row_price.at[owner].add(slack, mode="drop").at[row].add(shortest)
    row_of, column_of = _swap(end, row, row_of, column_of)
    return row_price, column_price - slack, row_of, column_of


def _search(
    reduced: Float[Array, "N N"], row: Int[Array, ""], row_of: Int[Array, " N"]
) -> Search:
    """Dijkstra over the columns, with the `reduced` costs as edges, up to the first free column."""
    number = reduced.shape[0]

    def visit(now: Search) -> Search:
        through = jnp.where(now.found, 0.0, now.length[now.column]) + reduced[now.row]
        shorter = ~now.visited & (through < now.length)
        length = jnp.where(shorter, through, now.length)
        column = jnp.argmin(jnp.where(now.visited, jnp.inf, length))
        return Search(
            row=row_of[column],
            column=column,
            length=length,
            parent=jnp.where(shorter, now.row, now.parent),
            visited=now.visited.at[column].set(True),
            found=row_of[column] < 0,
        )

    raise NotImplementedError
