"""Named families of graphs: `family("ring", 5)`."""

import math
from collections.abc import Callable

import networkx as nx
import numpy as np

from coterie.errors import GraphError, require, unknown
from coterie.graph.graph import Graph, from_networkx
from coterie.graph.weights import metropolis


def _grid(size: int) -> nx.Graph:
    rows = max(r for r in range(1, math.isqrt(size) + 1) if size % r == 0)
    return nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, size // rows))


def _star(size: int) -> nx.Graph:
    return nx.star_graph(size - 1)


def _ring(size: int) -> nx.Graph:
    # networkx links a single node to itself, which is no link.
    return nx.cycle_graph(size) if size > 1 else nx.empty_graph(1)


FAMILIES: dict[str, Callable[[int], nx.Graph]] = {
    "ring": _ring,
    "line": nx.path_graph,
    "star": _star,
    "grid": _grid,
    "complete": nx.complete_graph,
    "none": nx.empty_graph,
}


def family(
    name: str, size: int, weights: Callable[[np.ndarray], np.ndarray] | np.ndarray = metropolis
) -> Graph:
    """The graph of a named family over `size` agents.

    ring, line, star (agent 0 in the middle), grid (as square as `size` allows), complete, and
    none (no links at all: independent learners).

    >>> family("ring", 4).degrees.tolist(), family("star", 4).diameter
    ([2, 2, 2, 2], 2)
    """
    require(size >= 1, f"a graph needs at least 1 agent, not {size}.", GraphError)
    if name not in FAMILIES:
        raise unknown("graph", name, FAMILIES)
    return from_networkx(FAMILIES[name](size), weights)
