"""Distances of one policy from another, state by state.

Both take one agent's policies `[M, A_i]` or two joint ones `[M, J]`; take `.max()` over the states,
or a mean under the states that a policy visits (`Evaluation.mean`).
"""

import numpy as np
from jaxtyping import Float


def divergence(
    old: Float[np.ndarray, "*batch M A"], new: Float[np.ndarray, "*batch M A"]
) -> Float[np.ndarray, "*batch M"]:
    """`KL(old || new)` in nats; infinite where `new` rules out what `old` does.

    >>> divergence(np.array([[0.5, 0.5], [1, 0]]), np.array([[0.25, 0.75], [0.5, 0.5]])).round(4)
    array([0.1438, 0.6931])
    """
    # For distributions this equals sum(old log(old / new)), and keeps its digits for near ones.
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (new - old) / old
        near = abs(change) < 0.5
        logs = np.where(near, np.log1p(np.where(near, change, 0.0)), np.log(new / old))
        return np.where(old > 0.0, old * (change - logs), new).sum(axis=-1)


def total_variation(
    old: Float[np.ndarray, "*batch M A"], new: Float[np.ndarray, "*batch M A"]
) -> Float[np.ndarray, "*batch M"]:
    """`TV(old, new) = (1/2) sum_a |old(a) - new(a)|`, in [0, 1]; `TV^2 <= KL / 2` (Pinsker).

    >>> total_variation(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))
    array([0.25])
    """
    return 0.5 * abs(old - new).sum(axis=-1)
