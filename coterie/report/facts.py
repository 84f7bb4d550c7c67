"""Facts of a graph for a team: its neighbourhoods, its speed of agreement, and its traffic."""

from dataclasses import dataclass

from rich import box
from rich.table import Table

from coterie.errors import require
from coterie.graph import Graph

_SHOWN = 6  # parts in a row, before it says how many more there are


@dataclass(frozen=True)
class Facts:
    """A graph in numbers.

    least, mean, most: the number of neighbours of an agent.
    parts:       agents that can reach each other; one part if the graph is connected.
    diameter:    the longest shortest path, in hops; `None` if the graph falls apart.
    contraction: the share of a disagreement that survives a round of averaging.
    rounds:      the rounds until a millionth of it is left; `None` if that may never be.
    payload:     the size of an agent's message to each neighbour in a round, in bytes.
    total, busiest: the bytes that all agents, and the busiest agent, send in a round.
    """

    agents: int
    links: int
    least: int
    mean: float
    most: int
    parts: tuple[tuple[int, ...], ...]
    diameter: int | None
    contraction: float
    rounds: int | None
    payload: int
    total: int
    busiest: int


def graph_facts(graph: Graph, payload: int = 4) -> Facts:
    """The facts of a graph over which every agent sends `payload` bytes to each neighbour.

    >>> from coterie.graph import family
    >>> found = graph_facts(family("star", 5), payload=100)
    >>> found.total, found.busiest, found.rounds
    (800, 400, 62)
    """
    require(payload >= 0, f"payload must be at least 0 bytes, not {payload}.")
    degrees = graph.degrees
    agrees = graph.connected and graph.spectral_gap > 1e-12
    return Facts(
        agents=graph.size,
        links=graph.links,
        least=int(degrees.min()),
        mean=float(degrees.mean()),
        most=int(degrees.max()),
        parts=graph.parts,
        diameter=graph.diameter if graph.connected else None,
        contraction=graph.contraction,
        rounds=graph.rounds_to(1e-6) if agrees else None,
        payload=payload,
        total=payload * 2 * graph.links,
        busiest=payload * int(degrees.max()),
    )


def facts_table(facts: Facts, title: str | None = None) -> Table:
    """The facts for `rich.print`."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), show_header=False
    )
    table.add_column(no_wrap=True)
    table.add_column()
    for row in _rows(facts):
        table.add_row(*row)
    return table


def _rows(facts: Facts) -> list[tuple[str, str]]:
    return [
        ("agents", f"{facts.agents}"),
        ("links", f"{facts.links}"),
        ("degree", f"least {facts.least}, mean {facts.mean:.3g}, most {facts.most}"),
        ("connected", "yes" if len(facts.parts) == 1 else f"no, {_parts(facts.parts)}"),
        ("diameter", "none" if facts.diameter is None else f"{facts.diameter}"),
        ("contraction", _share(facts.contraction)),
        ("spectral gap", _share(1.0 - facts.contraction)),
        ("rounds to 1e-6", "never" if facts.rounds is None else f"{facts.rounds}"),
        (
            "bytes per round",
            f"{facts.total:,} in all, at most {facts.busiest:,} from one agent "
            f"(payload: {facts.payload:,})",
        ),
    ]


def _parts(parts: tuple[tuple[int, ...], ...]) -> str:
    shown = " ".join(str(list(part)) for part in parts[:_SHOWN])
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return f"{len(parts)} parts: {shown}{more}"


def _share(value: float) -> str:
    return f"{abs(round(value, 12)):.4g}"  # what is zero but for rounding is zero
