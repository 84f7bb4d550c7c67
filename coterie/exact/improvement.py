"""Exact policy improvement, one agent at a time (Li & Jia, eqs. 23-24, Theorem 2)."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from coterie.exact.evaluation import Evaluation

ROUNDING = 1e-12
"""A critic's best action counts as better only by more than this share of its largest value."""


def best_response(
    policy: Float[np.ndarray, "M A"], critic: Float[np.ndarray, "M A"]
) -> Float[np.ndarray, "M A"]:
    """`argmax_{pi^i} E_{a^i ~ pi^i} Q^i(s, a^i)`, eq. (23); no change where nothing is better.

    Keeping the old policy on ties is what ends the iteration: every change raises some value.

    >>> best_response(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([[1.0, 2.0], [3.0, 3.0]]))
    array([[0. , 1. ],
           [0.5, 0.5]])
    """
    gain = critic.max(axis=1) - (policy * critic).sum(axis=1)
    greedy = np.eye(policy.shape[1])[critic.argmax(axis=1)]
    return np.where((gain > ROUNDING * abs(critic).max())[:, None], greedy, policy)


def respond(old: Evaluation, agent: int) -> Evaluation:
    """Agent `i` plays its best response, eq. (23); the others keep their policies, eq. (24)."""
    policies = [*old.policies]
    policies[agent] = best_response(policies[agent], old.critic(agent))
    return old.instead(policies)


def respond_together(old: Evaluation) -> Evaluation:
    """Every agent plays its best response at once. Theorem 2 does not cover this: it may fail."""
    policies = [best_response(own, old.critic(i)) for i, own in enumerate(old.policies)]
    return old.instead(policies)


def cyclic_improvement(start: Evaluation) -> Iterator[Evaluation]:
    """The teams that follow when agents `0, ..., N - 1, 0, ...` respond in turn, the start first.

    Ends when no agent can gain: a team that no single agent improves, not always the best one.
    """
    team, idle, agent = start, 0, 0
    yield team
    while idle < team.agents:
        after = respond(team, agent)
        changed = not np.array_equal(after.policies[agent], team.policies[agent])
        idle = 0 if changed else idle + 1
        agent = (agent + 1) % team.agents
        if changed:
            team = after
            yield team
