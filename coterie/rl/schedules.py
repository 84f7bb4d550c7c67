"""Schedules of step sizes and of exploration, and the conditions for convergence."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.errors import require


def decayed(first: float, decay: float, visits: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`first / (1 + visits)^decay`; constant if `decay` is 0.

    >>> decayed(0.5, 1.0, jnp.array([0.0, 1.0, 4.0])).round(3).tolist()
    [0.5, 0.25, 0.10000000149011612]
    """
    if decay == 0.0:
        return jnp.full_like(visits, first)
    return first * jnp.exp(-decay * jnp.log1p(visits))  # a power would not be vectorised


def falling(
    start: float, end: float, steps: int, done: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Linear schedule from `start` to `end` over so many `steps`, of which some are `done`.

    >>> falling(1.0, 0.5, 10, jnp.array([0.0, 5.0, 20.0])).tolist()
    [1.0, 0.75, 0.5]
    """
    return start + jnp.minimum(done / steps, 1.0) * (end - start)


def require_convergent(name: str, decay: float) -> None:
    """Raise `ConfigError` unless `sum alpha = inf` and `sum alpha^2 < inf` (Robbins & Monro).

    These are Li & Jia's eqs. 9 and 10, over the visits of one cell, without which their Theorem 1
    says nothing.

    >>> require_convergent("critic_decay", 0.7)
    """
    require(
        0.5 < decay <= 1.0,
        f"{name} must be above 0.5 and at most 1 for the critics to converge (Li & Jia, eqs. 9 "
        f"and 10), not {decay}: try 0.7.",
    )
