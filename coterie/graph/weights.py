"""Rules that give every link a weight; all are symmetric and doubly stochastic."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float


def metropolis(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`w_ij = 1 / (1 + max(d_i, d_j))` on links: needs the degrees of the two ends only.

    >>> metropolis(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)).round(3).tolist()
    [[0.667, 0.333, 0.0], [0.333, 0.333, 0.333], [0.0, 0.333, 0.667]]
    """
    degrees = adjacency.sum(axis=1)
    return _with_own(adjacency / (1.0 + np.maximum.outer(degrees, degrees)))


def max_degree(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`w_ij = 1 / (1 + d_max)` on links (Li & Jia, Lemma 2): needs the largest degree of all."""
    return _with_own(adjacency / (1.0 + adjacency.sum(axis=1).max(initial=0)))


def uniform(adjacency: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    """`w_ij = 1 / N` on links: on a complete graph one round is the centralised average."""
    return _with_own(adjacency / float(len(adjacency)))


WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "metropolis": metropolis,
    "max-degree": max_degree,
    "uniform": uniform,
}
"""Every rule that a name can stand for."""


def _with_own(links: Float[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    return links + np.diag(1.0 - links.sum(axis=1))
