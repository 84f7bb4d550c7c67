"""Families of graphs with parameters: drawn at random, or link by link."""

import itertools
import re
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from coterie.bounds import Above, AtLeast, Between
from coterie.errors import GraphError, brief, require
from coterie.graph.shapes import Family, Links, Places


@dataclass(frozen=True)
class ErdosRenyi(Family, name="erdos-renyi"):
    """Each pair with a probability, independently: `erdos-renyi:0.4,seed=1`.

    Erdős and Rényi's graphs in the form of Gilbert (1959). With the same seed a higher probability
    only adds links.
    """

    probability: Annotated[float, Between(0, 1, "try 0.5")]
    """Of a link."""
    seed: Annotated[int, AtLeast(0)] = 0
    """The same seed draws the same graph."""

    def links(self, size: int) -> Links:
        pairs = list(itertools.combinations(range(size), 2))
        drawn = np.random.default_rng(self.seed).random(len(pairs))
        return [pair for pair, x in zip(pairs, drawn, strict=True) if x < self.probability]


@dataclass(frozen=True)
class Geometric(Family, name="geometric"):
    """Random places in the unit square, linked within a radius: `geometric:0.4,seed=1`.

    With the same seed a larger radius only adds links, and more agents move nobody.
    """

    radius: Annotated[float, Above(0, "agents live in the unit square, try 0.5")]
    """The greatest distance of a link; 1.42 links all."""
    seed: Annotated[int, AtLeast(0)] = 0
    """The same seed draws the same places."""

    def links(self, size: int) -> Links:
        places = self.places(size)
        apart = np.linalg.norm(places[:, None] - places, axis=2)
        return [(int(i), int(j)) for i, j in np.argwhere(apart <= self.radius)]

    def places(self, size: int) -> Places:
        return np.random.default_rng(self.seed).random((size, 2))


@dataclass(frozen=True)
class Edges(Family, name="edges"):
    """Just these pairs: `edges:0-1+1-2+1-3`."""

    pairs: str
    """Two agents with `-` between them, links with `+` between them (a comma ends a parameter)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for pair in self.pairs.split("+"):
            require(
                re.fullmatch(r"[0-9]{1,9}-[0-9]{1,9}", pair) is not None,
                f"link {brief(repr(pair))} is not two agents: write 0-1+1-2.",
                GraphError,
            )

    def links(self, size: int) -> Links:
        found = [_ends(pair) for pair in self.pairs.split("+")]
        for i, j in found:
            require(
                i != j, f"link {i}-{j} leads from an agent to itself: leave it out.", GraphError
            )
            require(
                max(i, j) < size,
                f"link {i}-{j} needs an agent {max(i, j)}, and the {size} agents are numbered "
                f"0 to {size - 1}: correct it or add agents.",
                GraphError,
            )
        return found


def _ends(pair: str) -> tuple[int, int]:
    one, other = pair.split("-")
    return int(one), int(other)
