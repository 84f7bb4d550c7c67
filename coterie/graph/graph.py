"""Communication graphs with mixing weights."""

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float

from coterie.errors import GraphError, require
from coterie.graph.weights import Weighting, metropolis, weigh

Adjacency = Bool[np.ndarray, "N N"]


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected communication graph with mixing weights; a frozen value.

    adjacency: `[N, N]`, true where two different agents are linked.
    weights:   `[N, N]`, row `i` is what agent `i` gives to each agent's value when it averages;
               rows sum to 1 and only linked agents (and itself) have weight.
    """

    adjacency: Adjacency
    weights: Float[np.ndarray, "rows columns"]

    def __post_init__(self) -> None:
        _check_adjacency(self.adjacency)
        _check_weights(self.weights, self.adjacency)
        self.adjacency.setflags(write=False)
        self.weights.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    @cached_property
    def _bytes(self) -> tuple[bytes, bytes]:
        return self.adjacency.tobytes(), self.weights.tobytes()

    @property
    def size(self) -> int:
        """The number of agents `N`."""
        return len(self.adjacency)

    @property
    def degrees(self) -> np.ndarray:
        """Number of neighbours of each agent, `[N]`."""
        return self.adjacency.sum(axis=1)

    @property
    def links(self) -> int:
        """Number of pairs of agents that are linked."""
        return int(self.adjacency.sum()) // 2

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """Agents that can reach each other, part by part; one part if the graph is connected.

        >>> from_adjacency(np.diag([0, 0]), np.eye(2)).parts
        ((0,), (1,))
        """
        found = nx.connected_components(self.to_networkx())
        return tuple(tuple(sorted(map(int, part))) for part in found)

    @property
    def connected(self) -> bool:
        """True if every agent can reach every other."""
        return len(self.parts) == 1

    @property
    def diameter(self) -> int:
        """The longest shortest path, in hops; raises `GraphError` if the graph falls apart."""
        self.require_connected()
        return nx.diameter(self.to_networkx())

    @cached_property
    def contraction(self) -> float:
        """Share of a disagreement that survives one averaging: the norm of `W - 11'/N`.

        For symmetric weights this is the second largest |eigenvalue|; a ring of four with
        max-degree weights has (1 + 2 cos(2 pi / 4)) / 3 = 1/3.
        """
        uniform = np.full_like(self.weights, 1.0 / self.size)
        return float(np.linalg.norm(self.weights - uniform, ord=2))

    @property
    def spectral_gap(self) -> float:
        """`1 - contraction`: 0 when averaging never agrees, 1 when it agrees at once."""
        return 1.0 - self.contraction

    @cached_property
    def gaps(self) -> tuple[float, float]:
        """The least and the largest `1 - mu`, over all eigenvalues `mu` but that of the mean.

        Unlike `spectral_gap` it tells negative eigenvalues from positive ones.

        Of weights that are not symmetric, the real parts. A complete graph with equal weights has 1
        and 1, as has an agent alone; the least is 0 where the graph falls apart.
        """
        if self.size == 1:
            return 1.0, 1.0
        values = np.sort(np.linalg.eigvals(self.weights).real)[:-1]
        return float(1.0 - values[-1]), float(1.0 - values[0])

    def rounds_to(self, tolerance: float) -> int:
        """Averaging rounds after which a disagreement has shrunk by `tolerance`."""
        self.require_connected()
        if self.contraction <= tolerance:
            return 1
        require(
            self.contraction < 1.0 - 1e-12,
            f"averaging with these weights may never agree (it keeps {self.contraction:.6g} of a "
            "disagreement): use the `metropolis` or `max_degree` rule.",
            GraphError,
        )
        return int(np.ceil(np.log(tolerance) / np.log(self.contraction)))

    def require_connected(self) -> "Graph":
        """Return this graph, or raise a `GraphError` that lists its parts."""
        require(
            self.connected,
            f"the graph of {self.size} agents is not connected: it falls into {len(self.parts)} "
            f"parts {[list(part) for part in self.parts]}; add edges between them.",
            GraphError,
        )
        return self

    def require_doubly_stochastic(self) -> "Graph":
        """Return this graph, or raise `GraphError` if averaging with its weights changes the mean.

        The rules of `WEIGHTS` all do; a matrix of one's own may favour an agent.
        """
        columns = self.weights.sum(axis=0)
        worst = int(np.argmax(np.abs(columns - 1.0)))
        require(
            bool(abs(columns[worst] - 1.0) < 1e-6),
            f"the mixing weights that agent {worst} gets from all sum to {columns[worst]:.6g}, not "
            "1, so that averaging does not keep the mean: use the `metropolis` rule.",
            GraphError,
        )
        return self

    def to_networkx(self) -> nx.Graph:
        """Convert to a graph of networkx, without weights."""
        return nx.from_numpy_array(self.adjacency.astype(int))


def from_adjacency(adjacency: np.ndarray, weights: Weighting = metropolis) -> Graph:
    """A graph from a 0/1 matrix `[N, N]`; `weights` is a rule, the name of one, or a matrix.

    >>> from_adjacency(np.array([[0, 1], [1, 0]])).weights.tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    matrix = np.asarray(adjacency, dtype=float)
    require(
        matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1],
        f"an adjacency matrix must be square, not of shape {matrix.shape}.",
        GraphError,
    )
    require(
        bool(np.all(np.isfinite(matrix)) and np.all(matrix >= 0)),
        "an adjacency matrix must hold finite numbers >= 0: replace NaN and negative entries by 0.",
        GraphError,
    )
    linked = matrix > 0
    return Graph(linked, weigh(linked, weights))


def from_networkx(graph: nx.Graph, weights: Weighting = metropolis) -> Graph:
    """A graph from networkx, agents in the order of its nodes; edge data are ignored.

    >>> from_networkx(nx.cycle_graph(5)).degrees.tolist()
    [2, 2, 2, 2, 2]
    """
    unweighted = nx.to_numpy_array(graph, weight=None)  # pyright: ignore[reportArgumentType]
    return from_adjacency(unweighted, weights)


def _check_adjacency(adjacency: np.ndarray) -> None:
    size = len(adjacency)
    require(size >= 1, "a graph needs at least 1 agent, not 0.", GraphError)
    loops = np.flatnonzero(np.diag(adjacency))
    require(
        loops.size == 0,
        f"agent {_first(loops)} is linked to itself: leave the diagonal at 0.",
        GraphError,
    )
    one_way = np.argwhere(adjacency & ~adjacency.T)
    require(
        len(one_way) == 0,
        f"link {_first(one_way)} exists in one direction only: make the matrix symmetric.",
        GraphError,
    )


def _check_weights(weights: np.ndarray, adjacency: np.ndarray) -> None:
    require(
        weights.shape == adjacency.shape,
        f"weights of shape {weights.shape} do not fit {len(adjacency)} agents.",
        GraphError,
    )
    require(
        bool(np.all(np.isfinite(weights)) and np.all(weights >= 0)),
        "mixing weights must be finite and >= 0: use the `metropolis` or `max_degree` rule.",
        GraphError,
    )
    rows = weights.sum(axis=1)
    worst = int(np.argmax(np.abs(rows - 1.0)))
    require(
        bool(abs(rows[worst] - 1.0) < 1e-6),
        f"the mixing weights of agent {worst} sum to {rows[worst]:.6g}, not 1: "
        "give the rest to the agent itself.",
        GraphError,
    )
    strangers = np.argwhere((weights > 0) & ~adjacency & ~np.eye(len(adjacency), dtype=bool))
    require(
        len(strangers) == 0,
        f"agents {_first(strangers)} have a mixing weight but no link: add it, or set 0.",
        GraphError,
    )


def _first(found: np.ndarray) -> str:
    return ", ".join(str(row) for row in found[:1].tolist())
