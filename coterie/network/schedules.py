"""Schedules: the links that are up in each round."""

import abc
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from coterie.bounds import Between
from coterie.errors import GraphError, require
from coterie.graph import Complete, Family, Graph, from_adjacency, graph_of, read_family
from coterie.internal.parse_spec import READ, require_value, spelled
from coterie.internal.parts import Part
from coterie.network.link_schedule import (
    Asynchronous,
    EdgeActivation,
    LinkPlan,
    Random,
    Seats,
    recurring,
)

LONGEST = 10_000
"""Longest mean interval, in rounds: an exchange that has to arrive is said again that often."""


class Schedule(Part, abc.ABC):
    """Graph in time: which links are up in which round; a frozen dataclass."""

    @abc.abstractmethod
    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        """The graphs that take turns, one per round; each has the agents of `graph`.

        Agents can talk over the links of all of them, and over no others.
        """

    def plan(self, graph: Graph, seats: Seats) -> LinkPlan:
        """Every agent's plan of the rounds: here that the graphs take turns."""
        return recurring(self.graphs(graph), seats)

    @property
    def wait(self) -> float:
        """The mean number of rounds from one in which an agent listens to the next: here 1."""
        return 1.0


@dataclass(frozen=True)
class Static(Schedule, name="static"):
    """The graph as it is, in every round."""

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        return (graph,)


@dataclass(frozen=True)
class Periodic(Schedule, name="periodic"):
    """The graph, then others, one per round, and from the start again."""

    others: tuple[Graph | Family, ...] = field(
        metadata={READ: lambda text: tuple(map(read_family, text.split("|")))}
    )
    """The other graphs, or their families; `star|line` where they are spelled."""

    def __post_init__(self) -> None:
        require(
            isinstance(self.others, tuple),
            f"the other graphs must be a tuple, not {self.others!r}: write (Star(),).",
        )
        for other in self.others:
            require_value("another graph", other, Graph if isinstance(other, Graph) else Family)
        super().__post_init__()

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        return (graph, *(graph_of(other, graph.size) for other in self.others))


@dataclass(frozen=True)
class RandomLinks(Schedule, name="extra"):
    """The graph, and in each round every other link with a probability: fresh random graphs.

    Weights are Metropolis weights of the graph of the round. On a graph without links these are
    Erdős-Rényi graphs, drawn anew in each round.
    """

    probability: Annotated[float, Between(0, 1, "try 0.2")]
    """The probability of a link that the graph does not have."""

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        return (graph,) if self.probability == 0.0 else (graph_of(Complete(), graph.size),)

    def plan(self, graph: Graph, seats: Seats) -> LinkPlan:
        if self.probability == 0.0:
            return recurring((graph,), seats)
        chance = np.where(seats.of(graph.adjacency), 1.0, self.probability) * seats.taken
        return Random(jnp.asarray(chance, jnp.float32), self.probability)


@dataclass(frozen=True)
class AsyncIntervals(Schedule, name="intervals"):
    """Each agent listens to its neighbours, then waits for so many rounds, drawn anew each time.

    F2A2's table 5: intervals are drawn from N(mean, deviation^2), rounded, and at least 1. Who
    listens is an agent's own affair, so that a round's weights need not sum to 1 over listeners;
    they do in the mean.
    """

    mean: Annotated[float, Between(1, LONGEST, "1 is every round")]
    """Mean interval, in rounds."""
    deviation: Annotated[float, Between(0, LONGEST)] = 0.0
    """Its standard deviation, in rounds."""

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        return (graph,)

    def plan(self, graph: Graph, seats: Seats) -> LinkPlan:
        always = recurring((graph,), seats)
        left = jnp.zeros(graph.size, jnp.int32)
        return Asynchronous(
            always.weight[:, 0], always.linked[:, 0], left, self.mean, self.deviation
        )

    @property
    def wait(self) -> float:
        """Mean of the intervals drawn: at least `mean`, for none is shorter than 1.

        >>> round(AsyncIntervals(20.0, 10.0).wait, 1), round(AsyncIntervals(1.0, 50.0).wait, 1)
        (20.1, 20.9)
        """
        if self.deviation == 0.0:
            return self.mean
        normal, far = NormalDist(), (self.mean - 1.0) / self.deviation
        return 1.0 + self.deviation * (far * normal.cdf(far) + normal.pdf(far))


Order = Literal["random", "cyclic", "matched"]


@dataclass(frozen=True)
class EdgeGossip(Schedule, name="links"):
    """Few links at a time, as asynchronous methods activate them (MATRPO, Algorithm 1)."""

    order: Order = "random"
    """One link drawn at random, one after the other, or a matching of disjoint ones in turn."""

    def graphs(self, graph: Graph) -> tuple[Graph, ...]:
        return (graph,)

    def plan(self, graph: Graph, seats: Seats) -> LinkPlan:
        number = np.where(seats.taken, seats.of(self.turns(graph)), -1)
        turns = max(int(number.max()) + 1, 1)
        return EdgeActivation(jnp.asarray(number, jnp.int32), turns, self.order == "random")

    def turns(self, graph: Graph) -> Int[np.ndarray, "N N"]:
        """Turn in which a link is up, from 0; -1 where there is none.

        Matchings are found greedily, link by link: a ring of even size needs two, an odd one three.

        >>> from coterie.graph import Ring
        >>> int(EdgeGossip("matched").turns(graph_of(Ring(), 6)).max()) + 1
        2
        """
        turn = np.full((graph.size, graph.size), -1)
        for number, (i, j) in enumerate(np.argwhere(np.triu(graph.adjacency))):
            taken = {*turn[i], *turn[j]}
            free = next(t for t in range(number + 1) if t not in taken)
            turn[i, j] = turn[j, i] = free if self.order == "matched" else number
        return turn


SCHEDULES: dict[str, type[Schedule]] = Schedule.KINDS
"""Every schedule that a name can stand for; `module:Class` stands for any other."""


def read_schedule(text: str) -> Schedule:
    """The schedule that a text names.

    >>> read_schedule("periodic:star|line")
    Periodic(others=(Star(), Line()))
    """
    return spelled("schedule", text, SCHEDULES, Schedule)


def union(schedule: Schedule, graph: Graph) -> Graph:
    """The graph of all links that are up in some round.

    >>> from coterie.graph import Ring
    >>> union(RandomLinks(0.1), graph_of(Ring(), 5)).degrees.tolist()
    [4, 4, 4, 4, 4]
    """
    first, *others = schedule.graphs(graph)
    for one in (first, *others):
        graph_of(one, graph.size)
    if not others:
        return first
    return from_adjacency(np.any([g.adjacency for g in (first, *others)], axis=0))


def require_connected_union(schedule: Schedule, graph: Graph) -> None:
    """Raise `GraphError` if some agents can never reach others, in however many rounds."""
    ever = union(schedule, graph)
    try:
        ever.require_connected()
    except GraphError as error:
        if schedule.graphs(graph) == (graph,):
            raise
        raise GraphError(f"the schedule {schedule} never connects the team: {error}") from None
