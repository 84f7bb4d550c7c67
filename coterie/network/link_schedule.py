"""Schedule of one agent: its links in a round, and their weights."""

import abc
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from coterie.graph import Graph
from coterie.network.round import Round

Hear = Callable[[Array], Array]
"""Each neighbour's value of something, `[...] -> [K, ...]`."""


class ActiveLinks(NamedTuple):
    """Links of one agent in a round, as planned.

    weight: what each neighbour's value weighs, `[K]`; 0 where it is not linked in this round.
    hears, sends: to whom this agent listens, and who listens to it, `[K]`.
    """

    weight: Float[Array, " K"]
    hears: Bool[Array, " K"]
    sends: Bool[Array, " K"]


class Seats(NamedTuple):
    """Seats of the neighbours: positions in the arrays `[K, ...]` of each agent.

    neighbour: who has the seat, `[N, K]`; a seat that nobody has holds the agent itself.
    """

    neighbor: Int[np.ndarray, "N K"]

    @property
    def taken(self) -> Bool[np.ndarray, "N K"]:
        """Mask of the seats that hold a neighbour."""
        return self.neighbor != np.arange(len(self.neighbor))[:, None]

    def of(self, matrix: np.ndarray) -> np.ndarray:
        """Each agent's row of a matrix `[N, N]`, seat by seat, `[N, K]`."""
        return np.take_along_axis(matrix, self.neighbor, axis=1)


class LinkPlan(eqx.Module):
    """Plan of one agent's rounds; all agents' plans are stacked on a leading agent axis."""

    @property
    @abc.abstractmethod
    def turns(self) -> int:
        """Rounds until every link was up, all but surely."""

    @abc.abstractmethod
    def turn(self, moment: Round, hear: Hear) -> tuple[ActiveLinks, "LinkPlan"]:
        """The round, and the plan after it."""


class Recurring(LinkPlan):
    """`P` graphs that take turns: weights and links, `[P, K]`."""

    weight: Float[Array, "*N P K"]
    linked: Bool[Array, "*N P K"]

    @property
    def turns(self) -> int:
        """Rounds until every link was up, all but surely; here, until the graphs start again."""
        return self.weight.shape[-2]

    def turn(self, moment: Round, hear: Hear) -> tuple[ActiveLinks, "Recurring"]:
        """The round, and the plan after it."""
        now = moment.clock % self.turns
        linked = self.linked[now]
        return ActiveLinks(self.weight[now], linked, linked), self


class Random(LinkPlan):
    """Links that are up with a probability each, `[K]`; Metropolis weights of every round."""

    chance: Float[Array, "*N K"]
    least: float = eqx.field(static=True)

    @property
    def turns(self) -> int:
        """Rounds until every link was up, all but surely."""
        return tries(self.least)

    def turn(self, moment: Round, hear: Hear) -> tuple[ActiveLinks, "Random"]:
        """The round, and the plan after it."""
        up = moment.chances() < self.chance
        degree = jnp.sum(up)
        weight = up / (1.0 + jnp.maximum(degree, hear(degree)))
        return ActiveLinks(weight, up, up), self


class Asynchronous(LinkPlan):
    """A graph whose agents listen at intervals of their own.

    left: the rounds until this agent listens next.
    """

    weight: Float[Array, "*N K"]
    linked: Bool[Array, "*N K"]
    left: Int[Array, "*N"]
    mean: float = eqx.field(static=True)
    deviation: float = eqx.field(static=True)

    @property
    def turns(self) -> int:
        """Rounds until everybody has listened, all but surely."""
        return math.ceil(self.mean + 3.0 * self.deviation)

    def turn(self, moment: Round, hear: Hear) -> tuple[ActiveLinks, "Asynchronous"]:
        """The round, and the plan after it."""
        listens = self.left <= 0
        own = jax.random.normal(moment.own)
        wait = jnp.maximum(jnp.round(self.mean + self.deviation * own), 1).astype(jnp.int32)
        turn = ActiveLinks(self.weight, self.linked & listens, self.linked & hear(listens))
        left = jnp.where(listens, wait, self.left) - 1
        return turn, Asynchronous(self.weight, self.linked, left, self.mean, self.deviation)


class EdgeActivation(LinkPlan):
    """Links that take turns by `number`, `[K]` (-1 where there is none), of so many `numbers`."""

    number: Int[Array, "*N K"]
    numbers: int = eqx.field(static=True)
    random: bool = eqx.field(static=True)

    @property
    def turns(self) -> int:
        """Rounds until every link was up, all but surely."""
        return tries(1.0 / self.numbers) if self.random else self.numbers

    def turn(self, moment: Round, hear: Hear) -> tuple[ActiveLinks, "EdgeActivation"]:
        """The round, and the plan after it."""
        drawn = moment.number(self.numbers) if self.random else moment.clock % self.numbers
        up = self.number == drawn
        # Two agents that meet alone have Metropolis weights of a half.
        return ActiveLinks(jnp.where(up, 0.5, 0.0), up, up), self


def tries(chance: float) -> int:
    """Number of tries that all fail with a probability of at most 1 %, given the chance of each.

    A chance below 1 % gets no more tries than one of 1 %.

    >>> tries(1.0), tries(0.7), tries(0.1)
    (1, 4, 44)
    """
    return 1 if chance >= 0.99 else math.ceil(math.log(0.01) / math.log(1.0 - max(chance, 0.01)))


def recurring(graphs: Sequence[Graph], seats: Seats) -> Recurring:
    """Every agent's plan for graphs that take turns, one per round."""
    weight = np.stack([seats.of(graph.weights) * seats.taken for graph in graphs], 1)
    linked = np.stack([seats.of(graph.adjacency) for graph in graphs], 1)
    return Recurring(jnp.asarray(weight, jnp.float32), jnp.asarray(linked))
