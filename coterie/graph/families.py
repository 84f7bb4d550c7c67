"""Named families of graphs: `family("ring", 5)`, `family("erdos-renyi:0.4,seed=1", 9)`."""

import numpy as np

from coterie.errors import GraphError, require
from coterie.graph.graph import Graph, from_adjacency
from coterie.graph.shapes import (
    Family,
)
from coterie.graph.weights import Weighting, metropolis
from coterie.internal.memory import require_room
from coterie.internal.parse_spec import spelled

PAIR = 64
"""Bytes for each pair of agents while a graph is made: its matrices, and what they are made of."""

FAMILIES: dict[str, type[Family]] = Family.KINDS
"""Every family that a name can stand for; `module:Class` stands for any other."""


def family(text: str, size: int, weights: Weighting = metropolis) -> Graph:
    """The graph of a family over `size` agents; the same text is the same graph.

    text:    the name of one of `FAMILIES`, then its parameters: ring, `erdos-renyi:0.4,seed=1`.
    weights: a rule, the name of one, or a matrix `[N, N]`.

    Random families and `edges` may fall apart: `Graph.require_connected` tells.

    >>> family("ring", 4).degrees.tolist(), family("star", 4).diameter
    ([2, 2, 2, 2], 2)
    >>> family("edges:0-1+1-2+1-3", 4, "max-degree").weights[0].tolist()
    [0.75, 0.25, 0.0, 0.0]
    """
    return graph_of(read_family(text), size, weights)


def read_family(text: str) -> Family:
    """The family that a text names, before it is known how many agents there are.

    >>> read_family("geometric:0.4,seed=2")
    Geometric(radius=0.4, seed=2)
    """
    return spelled("graph", text, FAMILIES, Family)


def graph_of(kind: Graph | Family, size: int, weights: Weighting = metropolis) -> Graph:
    """The graph of a family over `size` agents; a graph stands for itself, with its own weights.

    >>> from coterie.graph import Grid
    >>> graph_of(Grid(), 6).diameter
    3
    """
    require(size >= 1, f"a graph needs at least 1 agent, not {size}.", GraphError)
    if isinstance(kind, Graph):
        require(
            kind.size == size,
            f"the graph has {kind.size} agents and the team {size}: give a graph of {size}, or a "
            "family, which fits any team.",
            GraphError,
        )
        return kind
    require_room(
        PAIR * size**2,
        f"a graph of {size:,} agents, a number for each pair of them,",
        "use fewer agents",
        GraphError,
    )
    linked = np.zeros((size, size), bool)
    for i, j in kind.links(size):
        require(
            min(i, j) >= 0 and max(i, j) < size,
            f"{type(kind).__name__} links agents {i} and {j}, but {size} agents are numbered 0 to "
            f"{size - 1}.",
            GraphError,
        )
        linked[i, j] = linked[j, i] = i != j
    return from_adjacency(linked, weights)
