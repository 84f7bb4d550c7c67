"""Checks of a communication against the needs of an algorithm."""

from collections.abc import Mapping

import jax

from coterie.algorithms import Algorithm, InitKeys
from coterie.errors import EnvError, GraphError, require
from coterie.graph import Complete, Graph, Unlinked, uniform
from coterie.network import Communication, require_connected_union, union
from coterie.types import LearnerSpec, kinds

CENTER = Communication(Complete(), uniform)
"""Communication of all agents with all others, as if all data were in one place."""


def require_fit(
    communication: Communication,
    algorithm: Algorithm,
    specs: tuple[LearnerSpec, ...],
    names: tuple[str, ...],
) -> None:
    """Raise an error of one sentence if `algorithm` cannot run with this communication."""
    graph, schedule = communication.among(len(specs)), communication.schedule
    if algorithm.information.central or not algorithm.information.sends:
        return
    require(
        len(specs) > 1,
        "a method that talks to neighbours needs at least 2 agents, not 1: add --agents.",
    )
    if not communication.allow_disconnected:
        try:
            require_connected_union(schedule, graph)
        except GraphError as error:
            raise GraphError(f"{error} Or ask for it: --allow-disconnected.") from None
    algorithm.check_communication(graph.gaps, schedule.wait)
    require(
        not algorithm.information.requires_complete_graph or _complete(union(schedule, graph)),
        "this method asks what everybody would do, and not all agents are linked: use --graph "
        "complete, or --opponents estimated.",
        GraphError,
    )
    for channel in communication.channels:
        channel.check(len(specs))
    _require_equal(algorithm, specs, names)


def require_used(communication: Communication, algorithms: Mapping[str, Algorithm]) -> None:
    """Raise `ConfigError` for a communication that none of these algorithms has a use for.

    A graph without links is what they have anyway.
    """
    talks = any(a.information.sends and not a.information.central for a in algorithms.values())
    usual, none = Communication(), isinstance(communication.graph, Unlinked)
    told = [
        f"--{name}"
        for name in ("graph", "weights", "schedule", "channels")
        if getattr(communication, name) != getattr(usual, name) and not (none and name == "graph")
    ]
    require(
        talks or not told,
        f"{' and '.join(algorithms)} sends nothing to neighbors, so that {' and '.join(told)} "
        "would do nothing: leave it out, or use a method that sends (networked-ac, matrpo).",
    )


def _complete(graph: Graph) -> bool:
    """True if every two agents are neighbours."""
    return int(graph.adjacency.sum()) == graph.size * (graph.size - 1)


def _require_equal(
    algorithm: Algorithm, specs: tuple[LearnerSpec, ...], names: tuple[str, ...]
) -> None:
    """Raise `EnvError` unless the arrays that agents average have one shape for all of them."""

    def shared(spec: LearnerSpec) -> dict:
        return algorithm.information.lasting(
            algorithm.init(InitKeys.of(jax.random.key(0)), spec)[0]
        )

    alike = kinds(specs)
    first, *others = [jax.eval_shape(lambda spec=spec: shared(spec)) for spec in alike]
    for (agent, *_), mine in zip(list(alike.values())[1:], others, strict=True):
        for payload, like in first.items():
            shapes = [[x.shape for x in jax.tree.leaves(tree)] for tree in (like, mine[payload])]
            unequal = [pair for pair in zip(*shapes, strict=True) if pair[0] != pair[1]]
            if unequal:
                raise EnvError(
                    f"payload {payload!r} of {names[0]} and of {names[agent]} have the shapes "
                    f"{unequal[0][0]} and {unequal[0][1]}, which have no average: share less "
                    "(f2a2-isac: --critic.sharing inner), use a method whose agents judge by what "
                    "all see (f2a2-sac), or one that sends nothing (ippo)."
                )
