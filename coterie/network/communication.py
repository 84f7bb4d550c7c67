"""Communication of a run as a value: the graph, its weights, its schedule, and the channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np

from coterie.errors import require, unknown
from coterie.graph import (
    Family,
    Graph,
    Ring,
    Rule,
    graph_of,
    metropolis,
    name_of_rule,
    read_weights,
)
from coterie.internal.parse_spec import require_value
from coterie.internal.parts import Codec, describe, read
from coterie.network.channels import Channel
from coterie.network.schedules import Schedule, Static


@dataclass(frozen=True)
class Communication:
    """For methods that send messages: graph, weights, schedule, and faults of messages.

    >>> from coterie.network import LinkDropout
    >>> Communication(channels=(LinkDropout(0.3),)).among(4).degrees.tolist()
    [2, 2, 2, 2]
    """

    graph: Graph | Family = Ring()
    """Graph of who may talk to whom: a family, which fits any team, or a graph as it is."""
    weights: Rule = metropolis
    """Rule of the averaging weights on a family's graph; a `Graph` has weights of its own."""
    schedule: Schedule = Static()
    """Schedule of which links are up in which round."""
    channels: tuple[Channel, ...] = ()
    """Channels that messages pass, in this order."""
    allow_disconnected: bool = False
    """Allow a graph that never connects the whole team."""

    def __post_init__(self) -> None:
        own = isinstance(self.graph, Graph)
        if not own:
            require_value("graph", self.graph, Family)
        require(callable(self.weights), f"weights must be a rule, not {self.weights!r}.")
        require(
            not own or self.weights is metropolis,
            "weights are for a family, and this graph has its own: give them to the graph, as in "
            "from_adjacency(matrix, weights).",
        )
        require_value("schedule", self.schedule, Schedule)
        require(
            isinstance(self.channels, tuple),
            f"channels must be a tuple, not {self.channels!r}: write (LinkDropout(0.3),).",
        )
        for channel in self.channels:
            require_value("channel", channel, Channel)

    def among(self, agents: int) -> Graph:
        """The graph among so many agents; `GraphError` if it is one of another number of them."""
        return graph_of(self.graph, agents, self.weights)

    def describe(self) -> dict[str, Any]:
        """Describe all of it by names, fields and numbers, as JSON can hold it.

        >>> Communication().describe()["graph"], Communication().describe()["weights"]
        ({'kind': 'ring'}, 'metropolis')
        """
        return {
            "graph": describe(self.graph, GRAPH),
            "weights": name_of_rule(self.weights),
            "schedule": describe(self.schedule, GRAPH),
            "channels": describe(self.channels, GRAPH),
            "allow_disconnected": self.allow_disconnected,
        }

    @staticmethod
    def described(told: Mapping[str, Any]) -> "Communication":
        """The value that `describe` has described.

        >>> Communication.described(Communication().describe()) == Communication()
        True
        """
        hints = get_type_hints(Communication)
        for name in told:
            if name not in hints:
                raise unknown("key", name, hints)
        parts = {name: read(value, hints[name], GRAPH) for name, value in told.items()}
        return Communication(**{**parts, "weights": read_weights(told["weights"])})


def _told_graph(graph: Graph) -> dict[str, Any]:
    """A graph by its matrices."""
    return {
        "adjacency": graph.adjacency.astype(int).tolist(),
        "weights": graph.weights.tolist(),
    }


def _read_graph(told: Mapping[str, Any]) -> Graph:
    return Graph(np.array(told["adjacency"], bool), np.array(told["weights"], float))


GRAPH: Codec = Graph, _told_graph, _read_graph
