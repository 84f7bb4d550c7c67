r"""Graphs and a schedule of one's own: a family for any team, a graph of networkx as it is.

    python -m examples.own_graph
    coterie train networked-ac commons --steps 100000 \
        --graph examples.own_graph:Wheel:2 --schedule examples.own_graph:Resting:rest=3

Fields follow the path of their class in the order in which they stand, or by name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

import coterie
from coterie.graph import from_adjacency, from_networkx


@dataclass(frozen=True)
class Wheel(coterie.Family):
    """A ring around agent 0, which has a link to every `step`-th agent on it."""

    step: int = 1
    """Which agents on the ring have a spoke: 2 is every second."""

    def links(self, size: int) -> list[tuple[int, int]]:
        rim = range(1, size)
        return [(i, i % (size - 1) + 1) for i in rim] + [(0, i) for i in rim[:: self.step]]


@dataclass(frozen=True)
class Resting(coterie.Schedule):
    """The graph in one round, and no links in those that follow."""

    rest: int = 2
    """For how many rounds nobody talks."""

    def graphs(self, graph: coterie.Graph) -> tuple[coterie.Graph, ...]:
        return graph, *[from_adjacency(np.zeros_like(graph.adjacency))] * self.rest


def main(folder: str | Path = "runs/own-graph", **options: Any) -> list[coterie.Run]:
    """Train a team on the wheel that rests, and another on Petersen's graph."""

    def trained(name: str, agents: int, talk: coterie.Communication) -> coterie.Run:
        settings = coterie.Settings(communication=talk, **options)
        env = coterie.Commons(agents=agents)
        return coterie.train("networked-ac", env, settings, Path(folder) / name)

    wheel = coterie.Communication(Wheel(step=2), schedule=Resting(rest=3))
    petersen = coterie.Communication(from_networkx(nx.petersen_graph(), "lazy"))
    return [trained("wheel", 8, wheel), trained("petersen", 10, petersen)]


if __name__ == "__main__":
    main(steps=100_000, num_envs=16)
