"""Rules that give every link a weight; all are symmetric and doubly stochastic."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from coterie.errors import GraphError, require, unknown
from coterie.internal.parse_spec import fetched

Rule = Callable[[np.ndarray], np.ndarray]
Weighting = Rule | np.ndarray | str


def metropolis(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`c_ij = 1 / (1 + max(d_i, d_j))` on links: needs the degrees of the two ends only.

    >>> metropolis(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)).round(3).tolist()
    [[0.667, 0.333, 0.0], [0.333, 0.333, 0.333], [0.0, 0.333, 0.667]]
    """
    degrees = adjacency.sum(axis=1)
    return _with_own(adjacency / (1.0 + np.maximum.outer(degrees, degrees)))


def max_degree(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`c_ij = 1 / (1 + d_max)` on links (Li & Jia, Lemma 2): needs the largest degree of all."""
    return _with_own(adjacency / (1.0 + adjacency.sum(axis=1).max(initial=0)))


def uniform(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`c_ij = 1 / N` on links: on a complete graph one round is the centralised average."""
    return _with_own(adjacency / float(len(adjacency)))


def lazy(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`(I + C) / 2` of Metropolis' `C`: half of what is on offer, and no negative eigenvalue.

    A negative eigenvalue belongs to a disagreement that changes its sign with every round. It is
    near -1 where two groups talk only to each other (bipartite graphs): with `n` agents in each
    and all links between them the other two local rules have (1 - n) / (1 + n). Lazy averaging
    never overshoots; on most graphs it takes about twice as many rounds.
    """
    return (np.eye(len(adjacency)) + metropolis(adjacency)) / 2.0


WEIGHTS: dict[str, Rule] = {
    "metropolis": metropolis,
    "max-degree": max_degree,
    "uniform": uniform,
    "lazy": lazy,
}
"""Every rule that a name can stand for."""


def read_weights(text: str) -> Rule:
    """The rule that a name, or a path `module:function`, stands for."""
    if text in WEIGHTS:
        return WEIGHTS[text]
    if ":" not in text:
        raise unknown("weights", text, WEIGHTS)
    found = fetched(text)
    require(callable(found), f"{text!r} is no rule of weights: name a function of an adjacency.")
    return found


def name_of_rule(rule: Rule) -> str:
    """The name or the path that `read_weights` would find this rule by.

    >>> name_of_rule(metropolis)
    'metropolis'
    """
    names = [name for name, known in WEIGHTS.items() if known is rule]
    return names[0] if names else f"{rule.__module__}:{getattr(rule, '__qualname__', rule)}"


def weigh(adjacency: Bool[np.ndarray, "N N"], weights: Weighting) -> Float[np.ndarray, "n m"]:
    """The matrix that a rule, the name of one, or the matrix itself stands for.

    >>> weigh(np.array([[0, 1], [1, 0]], bool), "lazy").tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    if isinstance(weights, str):
        weights = read_weights(weights)
    if not callable(weights):
        return np.array(weights, dtype=float)
    try:
        return np.asarray(weights(adjacency), dtype=float)
    except (TypeError, ValueError) as error:
        raise GraphError(
            f"the rule {name_of_rule(weights)!r} makes no weights [N, N] of an adjacency [N, N]: "
            f"{error}."
        ) from None


def _with_own(links: Float[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    return links + np.diag(1.0 - links.sum(axis=1))
