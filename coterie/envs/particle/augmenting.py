"""Assignment by successive shortest augmenting paths, as loops that compile.

Jonker & Volgenant (1987, "A shortest augmenting path algorithm for dense and sparse linear
assignment problems"), without their initial reductions. Unmatched is written as -1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Matching(NamedTuple):
    """Matching of rows and columns, and the prices `[N]` that make every matched cell cost 0 and no
    cell less."""

    row_of: Int[Array, " N"]
    column_of: Int[Array, " N"]
    row_price: Float[Array, " N"]
    column_price: Float[Array, " N"]


class Search(NamedTuple):
    """A search for the shortest path from one unmatched row to a free column.

    row, column:  the column reached last, and the row matched to it.
    length:       of the shortest path known to each column, `[N]`.
    parent:       the row before each column on that path, `[N]`.
    visited:      the columns whose length is final, `[N]`.
    steps:        the number of those columns.
    """

    row: Int[Array, ""]
    column: Int[Array, ""]
    length: Float[Array, " N"]
    parent: Int[Array, " N"]
    visited: Bool[Array, " N"]
    steps: Int[Array, ""]


def augmenting_paths(cost: Float[Array, "N N"]) -> Int[Array, " N"]:
    """The column of each row in a cheapest assignment, in O(N^3).

    Rows enter one at a time; each takes the cheapest chain of swaps that ends in a free column. All
    loops are bounded, so that a cost that is not a number gives a wrong answer and not a hang.
    """
    number = cost.shape[0]
    nobody, nothing = jnp.full(number, -1, jnp.int32), jnp.zeros(number, cost.dtype)
    empty = Matching(nobody, nobody, nothing, nothing)
    return jax.lax.fori_loop(0, number, lambda row, now: _enter(cost, row, now), empty).column_of


def _enter(cost: Float[Array, "N N"], row: Int[Array, ""], now: Matching) -> Matching:
    """Match one more row, and move the prices so that the new matching is a cheapest one too."""
    reduced = cost - now.row_price[:, None] - now.column_price
    end = _search(reduced, row, now.row_of)
    shortest = end.length[end.column]
    slack = jnp.where(end.visited, shortest - end.length, 0.0)
    raised = jnp.where(now.column_of >= 0, slack[now.column_of], 0.0).at[row].set(shortest)
    row_of, column_of = _swap(end, now)
    return Matching(row_of, column_of, now.row_price + raised, now.column_price - slack)


def _search(reduced: Float[Array, "N N"], row: Int[Array, ""], row_of: Int[Array, " N"]) -> Search:
    """Dijkstra over columns: a matched column leads on to its row, a free one ends the search."""
    number = reduced.shape[0]

    def on_the_way(now: Search) -> Bool[Array, ""]:
        return (now.row >= 0) & (now.steps < number)

    def visit(now: Search) -> Search:
        so_far = jnp.where(now.steps > 0, now.length[now.column], 0.0)
        through = so_far + reduced[now.row]
        shorter = ~now.visited & (through < now.length)
        length = jnp.where(shorter, through, now.length)
        parent = jnp.where(shorter, now.row, now.parent)
        column = jnp.argmin(jnp.where(now.visited, jnp.inf, length)).astype(jnp.int32)
        visited = now.visited | (jnp.arange(number) == column)
        return Search(row_of[column], column, length, parent, visited, now.steps + 1)

    far = jnp.full(number, jnp.inf, reduced.dtype)
    row = jnp.asarray(row, jnp.int32)
    start = Search(row, row, far, jnp.full(number, row), jnp.zeros(number, bool), jnp.int32(0))
    return jax.lax.while_loop(on_the_way, visit, start)


def _swap(end: Search, now: Matching) -> tuple[Int[Array, " N"], Int[Array, " N"]]:
    """Walk the path back to its start, giving each column to the row before it."""
    number = len(now.row_of)

    def give(walk: tuple[Array, ...]) -> tuple[Array, ...]:
        column, row_of, column_of, steps = walk
        row = end.parent[column]
        given = column_of[row]
        return given, row_of.at[column].set(row), column_of.at[row].set(column), steps + 1

    start = (end.column, now.row_of, now.column_of, jnp.int32(0))
    walk = jax.lax.while_loop(lambda w: (w[0] >= 0) & (w[3] < number), give, start)
    return walk[1], walk[2]
