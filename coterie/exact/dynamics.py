"""Sweeps over a game's tables, some states at a time, so that no table is ever copied whole."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from coterie.envs.finite.tables import Tables

CHUNK = 2**22
"""Transition probabilities in float64 at a time: 32 MB."""


def rows(tables: Tables) -> Iterator[tuple[slice, Float[np.ndarray, "m J M"]]]:
    """`P(s' | s, a)` in float64 for some states at a time: which states, and their rows.

    Each row is divided by its sum, so that tables in float32 are exact distributions here.
    """
    states, joint = tables.transition.shape[:2]
    size = max(1, CHUNK // (joint * states))
    for first in range(0, states, size):
        part = slice(first, min(first + size, states))
        chunk = tables.transition[part].astype(np.float64)
        chunk /= chunk.sum(axis=-1, keepdims=True)
        yield part, chunk


def backup(
    tables: Tables, discount: float, value: Float[np.ndarray, "M"]
) -> Float[np.ndarray, "M J"]:
    """`R(s, a) + gamma E[V(s')]` for every state and joint action; the team's mean reward."""
    critic = tables.team_reward
    for part, chunk in rows(tables):
        critic[part] += discount * (chunk @ value)
    return critic


def mixed(
    tables: Tables, weights: Float[np.ndarray, "M J"]
) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "M"]]:
    """The chain that a policy makes of a game: `P_pi(s' | s)` and `r_pi(s)`."""
    transition = np.empty((tables.states, tables.states))
    for part, chunk in rows(tables):
        transition[part] = (weights[part, None] @ chunk)[:, 0]
    return transition, np.einsum("sa,sa->s", weights, tables.team_reward)


def chosen(
    tables: Tables, actions: Int[np.ndarray, "M"]
) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "M"]]:
    """The chain under one joint action per state; reads those rows only."""
    states = np.arange(tables.states)
    transition = tables.transition[states, actions].astype(np.float64)
    transition /= transition.sum(axis=-1, keepdims=True)
    return transition, tables.reward[states, actions].mean(axis=-1, dtype=np.float64)


def discounted(
    transition: Float[np.ndarray, "M M"], reward: Float[np.ndarray, "M"], discount: float
) -> Float[np.ndarray, "M"]:
    """`V = (I - gamma P)^{-1} r`."""
    return np.linalg.solve(np.eye(len(transition)) - discount * transition, reward)
