"""Families of graphs: which agents are linked, and where a picture shows them."""

import abc
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from coterie.internal.parts import Part

Links = Iterable[tuple[int, int]]
Places = Float[np.ndarray, "N 2"]


class Family(Part, abc.ABC):
    """Links among any number of agents; a frozen value whose fields are its parameters."""

    @abc.abstractmethod
    def links(self, size: int) -> Links:
        """Pairs of linked agents, in any order; twice is once, and `(i, i)` is no link."""

    def places(self, size: int) -> Places:
        """Positions of the agents in a picture, `[N, 2]`: here on a circle."""
        return circle(size)


@dataclass(frozen=True)
class Ring(Family, name="ring"):
    """Each agent and the next one, the last and the first."""

    def links(self, size: int) -> Links:
        return [(i, (i + 1) % size) for i in range(size)]


@dataclass(frozen=True)
class Line(Family, name="line"):
    """Each agent and the next one."""

    def links(self, size: int) -> Links:
        return itertools.pairwise(range(size))

    def places(self, size: int) -> Places:
        return np.stack([np.arange(float(size)), np.zeros(size)], axis=1)


@dataclass(frozen=True)
class Star(Family, name="star"):
    """Agent 0 and every other."""

    def links(self, size: int) -> Links:
        return [(0, i) for i in range(1, size)]

    def places(self, size: int) -> Places:
        return np.concatenate([np.zeros((1, 2)), circle(max(size - 1, 1))])[:size]


@dataclass(frozen=True)
class Grid(Family, name="grid"):
    """Rows and columns, as square as the number of agents allows."""

    def links(self, size: int) -> Links:
        columns = size // _rows(size)
        along = [(i, i + 1) for i in range(size) if (i + 1) % columns]
        return along + [(i, i + columns) for i in range(size - columns)]

    def places(self, size: int) -> Places:
        return _rectangle(size)


@dataclass(frozen=True)
class Torus(Family, name="torus"):
    """A grid whose last row and column are linked to the first ones."""

    def links(self, size: int) -> Links:
        columns = size // _rows(size)
        along = [(i, i - i % columns + (i + 1) % columns) for i in range(size)]
        return along + [(i, (i + columns) % size) for i in range(size)]

    def places(self, size: int) -> Places:
        return _rectangle(size)


@dataclass(frozen=True)
class Exponential(Family, name="exponential"):
    """Each agent and those 1, 2, 4, 8, ... places on, in a ring: no two are far apart."""

    def links(self, size: int) -> Links:
        steps = [2**k for k in range((size - 1).bit_length())]
        return [(i, (i + step) % size) for i in range(size) for step in steps]


@dataclass(frozen=True)
class Complete(Family, name="complete"):
    """All pairs of agents."""

    def links(self, size: int) -> Links:
        return itertools.combinations(range(size), 2)


@dataclass(frozen=True)
class Unlinked(Family, name="none"):
    """No links at all: independent learners."""

    def links(self, size: int) -> Links:
        return []


def circle(size: int) -> Places:
    """Places on the unit circle, `[N, 2]`, clockwise from the top.

    >>> circle(4).round(6).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, -0.0]]
    """
    angle = 2 * np.pi * np.arange(size) / size
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _rows(size: int) -> int:
    return max(rows for rows in range(1, math.isqrt(size) + 1) if size % rows == 0)


def _rectangle(size: int) -> Places:
    row, column = np.divmod(np.arange(size), size // _rows(size))
    return np.stack([column, -row], axis=1).astype(float)
