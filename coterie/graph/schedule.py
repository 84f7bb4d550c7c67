"""Which links are up in which round: a graph in time."""

import dataclasses
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int

from coterie.errors import GraphError, require
from coterie.graph.families import family
from coterie.graph.graph import Graph, from_adjacency


@dataclass(frozen=True)
class Static:
    """The graph as it is, in every round."""

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        """The graphs that take turns."""
        return (graph,)


@dataclass(frozen=True)
class Periodic:
    """The graph, then others, one per round, and from the start again."""

    others: str
    """The families of the other graphs, as `star|line`."""

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        """The graphs that take turns."""
        return (graph, *(family(name, graph.size) for name in self.others.split("|")))


@dataclass(frozen=True)
class Extra:
    """The graph, and in each round every other link with a probability: fresh random graphs.

    Weights are Metropolis weights of the graph of the round. On a graph without links these are
    Erdős-Rényi graphs, drawn anew in each round.
    """

    share: float
    """The probability of a link that the graph does not have."""

    def __post_init__(self) -> None:
        require(
            0.0 <= self.share <= 1.0,
            f"the share of extra links must be in [0, 1], not {self.share}: try 0.2.",
            GraphError,
        )

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        """The graph of all links that can ever be up."""
        return (graph,) if self.share == 0.0 else (family("complete", graph.size),)


@dataclass(frozen=True)
class Intervals:
    """Each agent listens to its neighbours, then waits for so many rounds, drawn anew each time.

    F2A2's table 5: intervals are drawn from N(mean, deviation^2), rounded, and at least 1. Who
    listens is an agent's own affair, so that a round's weights need not sum to 1 over listeners;
    they do in the mean.
    """

    mean: float
    """Mean interval, in rounds."""
    deviation: float = 0.0
    """Its standard deviation, in rounds."""

    def __post_init__(self) -> None:
        require(
            1.0 <= self.mean < math.inf,
            f"the mean interval must be at least 1 round, not {self.mean}: 1 is every round.",
            GraphError,
        )
        require(
            0.0 <= self.deviation < math.inf,
            f"the deviation of the intervals must be at least 0 rounds, not {self.deviation}.",
            GraphError,
        )

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        """The graphs that take turns."""
        return (graph,)

    @property
    def wait(self) -> float:
        """The mean of what is waited, which is longer, for none is shorter than 1.

        >>> round(Intervals(20.0, 10.0).wait, 1), round(Intervals(1.0, 50.0).wait, 1)
        (20.1, 20.9)
        """
        if self.deviation == 0.0:
            return self.mean
        normal, far = NormalDist(), (self.mean - 1.0) / self.deviation
        return 1.0 + self.deviation * (far * normal.cdf(far) + normal.pdf(far))


Order = Literal["random", "cyclic", "matched"]


@dataclass(frozen=True)
class Links:
    """Few links at a time, as asynchronous methods activate them (MATRPO, Algorithm 1)."""

    order: Order = "random"
    """One link drawn at random, one after the other, or a matching of disjoint ones in turn."""

    def __post_init__(self) -> None:
        known = get_args(Order)
        require(
            self.order in known, f"order must be one of {known}, not {self.order!r}.", GraphError
        )

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        """The graphs that take turns, as far as everybody's links are concerned."""
        return (graph,)

    def turns(self, graph: Graph) -> Int[np.ndarray, "N N"]:
        """In which turn a link is up, from 0; -1 where there is none.

        Matchings are found greedily, link by link: a ring of even size needs two, an odd one three.

        >>> int(Links("matched").turns(family("ring", 6)).max()) + 1
        2
        """
        turn = np.full((graph.size, graph.size), -1)
        for number, (i, j) in enumerate(np.argwhere(np.triu(graph.adjacency))):
            taken = {*turn[i], *turn[j]}
            free = next(t for t in range(number + 1) if t not in taken)
            turn[i, j] = turn[j, i] = free if self.order == "matched" else number
        return turn


Schedule = Static | Periodic | Extra | Intervals | Links

SCHEDULES: dict[str, type] = {
    "static": Static,
    "periodic": Periodic,
    "extra": Extra,
    "intervals": Intervals,
    "links": Links,
}
"""Every schedule that a name can stand for."""


def union(schedule: Schedule, graph: Graph) -> Graph:
    """The graph of all links that are up in some round.

    >>> union(Extra(0.1), family("ring", 5)).degrees.tolist()
    [4, 4, 4, 4, 4]
    """
    first, *others = schedule.graphs(graph)
    if not others:
        return first
    return from_adjacency(np.any([g.adjacency for g in (first, *others)], axis=0))


def require_meeting(schedule: Schedule, graph: Graph) -> None:
    """Raise `GraphError` if some agents can never reach others, in however many rounds."""
    ever = union(schedule, graph)
    try:
        ever.require_connected()
    except GraphError as error:
        if isinstance(schedule, Static):
            raise
        said = dataclasses.asdict(schedule)
        raise GraphError(f"the schedule {said} never connects the team: {error}") from None
