"""Who may talk to whom, when, and what can happen to messages: a value that a run is given."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coterie.errors import require
from coterie.graph import (
    FAMILIES,
    Family,
    Graph,
    Ring,
    Rule,
    graph_of,
    metropolis,
    name_of_rule,
    read_weights,
)
from coterie.internal.parse_spec import imported, name_of, require_value
from coterie.network.channels import CHANNELS, Channel
from coterie.network.schedules import SCHEDULES, Schedule, Static

KNOWN: Mapping[str, type] = {**FAMILIES, **SCHEDULES, **CHANNELS}
PARTS = (Family, Schedule, Channel)


@dataclass(frozen=True)
class Communication:
    """A graph, its weights' rule, its schedule in time, and what can happen to messages.

    >>> from coterie.network import LinkDropout
    >>> Communication(channels=(LinkDropout(0.3),)).among(4).degrees.tolist()
    [2, 2, 2, 2]
    """

    graph: Graph | Family = Ring()  # noqa: RUF009 (frozen)
    """Who may talk to whom: a family, which fits any team, or a graph as it is."""
    weights: Rule = metropolis
    """What a neighbour's value weighs on a family's graph; a `Graph` has weights of its own."""
    schedule: Schedule = Static()  # noqa: RUF009 (frozen)
    """Which links are up when."""
    channels: tuple[Channel, ...] = ()
    """What can happen to messages, in this order."""
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
        """All of it by names, fields and numbers, as JSON can hold it.

        >>> Communication().describe()["graph"], Communication().describe()["weights"]
        ({'class': 'ring'}, 'metropolis')
        """
        return {
            "graph": _told(self.graph),
            "weights": name_of_rule(self.weights),
            "schedule": _told(self.schedule),
            "channels": _told(self.channels),
            "allow_disconnected": self.allow_disconnected,
        }

    @staticmethod
    def described(told: Mapping[str, Any]) -> "Communication":
        """The value that `describe` has described.

        >>> Communication.described(Communication().describe()) == Communication()
        True
        """
        read = {name: _read(value) for name, value in told.items()}
        return Communication(**{**read, "weights": read_weights(told["weights"])})


def _told(value: Any) -> Any:
    """A value as JSON can hold it: a class by its name, a graph by its matrices."""
    if isinstance(value, Graph):
        links, weights = value.adjacency.astype(int), value.weights
        return {"adjacency": links.tolist(), "weights": weights.tolist()}
    if isinstance(value, PARTS):
        told = {field: _told(getattr(value, field)) for field in _fields(value)}
        return {"class": name_of(value, KNOWN), **told}
    if isinstance(value, tuple):
        return [_told(part) for part in value]
    require(
        value is None or isinstance(value, bool | int | float | str),
        f"{value!r} cannot be written down: the fields of graphs, schedules and channels are "
        "numbers, words, graphs, or tuples of them.",
    )
    return value


def _fields(value: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(value) if field.init]


def _read(told: Any) -> Any:
    """The value that `_told` has told."""
    if isinstance(told, list):
        return tuple(map(_read, told))
    if not isinstance(told, dict):
        return told
    if "class" not in told:
        return Graph(np.array(told["adjacency"], bool), np.array(told["weights"], float))
    name = told["class"]
    kind = KNOWN[name] if name in KNOWN else imported(name, object)
    require(
        issubclass(kind, PARTS),
        f"{name!r} is no family of graphs, no schedule and no channel: derive it from one.",
    )
    return kind(**{field: _read(value) for field, value in told.items() if field != "class"})
