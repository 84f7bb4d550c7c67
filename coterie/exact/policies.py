"""Product policies: every agent draws its own action, `pi(a | s) = prod_i pi^i(a^i | s)`.

A team's policies are a sequence with one array `[M, A_i]` per agent; rows sum to one.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from coterie.envs.finite.tables import Tables
from coterie.errors import require

Policies = tuple[Float[np.ndarray, "M _"], ...]
"""One array `[M, A_i]` per agent."""


def checked(tables: Tables, policies: Sequence[np.ndarray]) -> Policies:
    """Convert policies to float64; raise `ConfigError` if they do not fit the game."""
    agents = len(tables.actions)
    require(
        len(policies) == agents, f"{agents} agents need {agents} policies, not {len(policies)}."
    )
    for agent, (policy, actions) in enumerate(zip(policies, tables.actions, strict=True)):
        _check(agent, np.asarray(policy), (tables.states, actions))
    return tuple(_normalized(np.asarray(policy, np.float64)) for policy in policies)


def uniform(tables: Tables) -> Policies:
    """Uniform policies: every agent draws each of its actions equally often."""
    return tuple(np.full((tables.states, count), 1.0 / count) for count in tables.actions)


def joint(policies: Sequence[np.ndarray]) -> Float[np.ndarray, "M J"]:
    """`pi(a | s) = prod_i pi^i(a^i | s)`, joint actions numbered as in `Tables`.

    >>> joint([np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])])
    array([[0.125, 0.375, 0.125, 0.375]])
    """
    product = np.ones((len(policies[0]), 1))
    for policy in policies:
        product = (product[:, :, None] * policy[:, None, :]).reshape(len(policy), -1)
    return product


def marginal(
    values: Float[np.ndarray, "M J"], policies: Sequence[np.ndarray], agent: int
) -> Float[np.ndarray, "M _"]:
    """`E_{-i}[f(s, a)]` for each action of agent `i`: the others draw theirs from `policies`.

    >>> marginal(np.array([[1.0, 2.0, 3.0, 4.0]]), [np.array([[0.5, 0.5]])] * 2, 0)
    array([[1.5, 3.5]])
    """
    values = values.reshape(len(values), *(policy.shape[1] for policy in policies))
    for other in reversed(range(len(policies))):
        if other != agent:
            values = np.einsum(
                "s...a,sa->s...", np.moveaxis(values, 1 + other, -1), policies[other]
            )
    return values


def _normalized(policy: np.ndarray) -> np.ndarray:
    return policy / policy.sum(axis=1, keepdims=True)


def _check(agent: int, policy: np.ndarray, shape: tuple[int, int]) -> None:
    require(
        policy.shape == shape,
        f"agent {agent}'s policy has shape {policy.shape}: this game has {shape[0]} states and "
        f"gives agent {agent} {shape[1]} actions, so it must be {shape}.",
    )
    lowest = np.min(policy)
    require(bool(lowest >= 0.0), f"agent {agent}'s policy has a probability of {lowest:.3g}.")
    sums = policy.sum(axis=1, dtype=np.float64)
    worst = int(np.argmax(abs(sums - 1.0)))
    require(
        bool(abs(sums[worst] - 1.0) < 1e-6),
        f"agent {agent}'s probabilities in state {worst} sum to {sums[worst]:.6g}, not 1: divide "
        "each row by its sum.",
    )
