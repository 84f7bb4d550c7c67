"""DPO with exact critics: every agent maximises its own surrogate, eqs. (17)-(18), Theorem 3.3."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from coterie.exact.bounds import improvement_bound, surrogate
from coterie.exact.constants import Constants, second_order_constants
from coterie.exact.distances import divergence
from coterie.exact.evaluation import Evaluation
from coterie.exact.trust import FURTHEST, within

GRID = 64
"""Radii looked at side by side; three rounds find the best to one part in a thousand."""

HALVINGS = 30
"""A price is halved at most so often."""


def exact_dpo(
    start: Evaluation, constants: Callable[[Evaluation], Constants] = second_order_constants
) -> Iterator[Evaluation]:
    """The teams of Theorem 3.3, the start first: all agents step at once, each by itself.

    Ends when no agent moves. An action that starts with probability zero keeps it.

    constants: how cautious the agents are. `paper_constants` make no step at all,
        `second_order_constants` make proven ones, `verified_constants` make longer ones, each
        checked by the oracle.
    """
    team = start
    while True:
        yield team
        after = step_together(team, constants(team))
        if all(map(np.array_equal, after.policies, team.policies)):
            return
        team = after


def step_together(old: Evaluation, constants: Constants) -> Evaluation:
    """The team after every agent's best step, each from its own surrogate, eq. (18)."""
    return old.instead([best_step(old, agent, constants) for agent in range(old.agents)])


def verified_constants(old: Evaluation, longest: float = 0.1) -> Constants:
    """The second-order constants, halved for as long as the oracle finds them good enough.

    Theorem 3.3 needs the inequality of Theorem 3.2 only at the step that is taken. The exact gain
    of that step is known here, so the price is halved until the next step would break it, or go
    further than `longest` nats in some state. The agents still see their own surrogates only.
    """
    trusted = second_order_constants(old)
    for _ in range(HALVINGS):
        bolder = trusted._replace(linear=trusted.linear / 2.0)
        new = step_together(old, bolder)
        gain = new.performance - old.performance
        lengths = [divergence(*pair).max() for pair in zip(old.policies, new.policies, strict=True)]
        if gain < improvement_bound(old, new.policies, bolder) or max(lengths) > longest:
            break
        trusted = bolder
    return trusted


def best_step(old: Evaluation, agent: int, constants: Constants) -> Float[np.ndarray, "M A"]:
    """Agent `i`'s policy that maximises its surrogate, eq. (17); its old one if nothing is gained.

    For every radius `d` the best policy with `KL(pi_old || pi) <= d` in all states is known
    (`within`); the best radius is searched for, on a grid that closes in on its best point.
    """
    own, advantage = old.policies[agent], old.advantage(agent)
    highest = np.where(own > 0.0, advantage, -np.inf).max(axis=1)
    hope = constants.weight * float(old.visits @ highest)
    if hope <= 0.0:
        return own
    high = FURTHEST if hope >= FURTHEST * constants.linear else hope / constants.linear
    low = 1e-10 * high
    for _ in range(3):
        radii = np.geomspace(low, high, GRID)
        candidates = within(own, advantage, radii[:, None])
        gains = constants.weight * ((candidates * advantage).sum(axis=-1) @ old.visits)
        values = gains - constants.root * np.sqrt(radii) - constants.linear * radii
        best = int(values.argmax())
        low, high = radii[max(best - 1, 0)], radii[min(best + 1, GRID - 1)]
    better = surrogate(old, agent, candidates[best], constants) > 0.0
    return candidates[best] if better else own
