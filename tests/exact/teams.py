"""Small random games and teams, drawn here so that the oracles are tested by themselves."""

import math

import numpy as np

from coterie.envs.finite.tables import Tables
from coterie.exact import evaluate


def random_game(rng, states=3, actions=(2, 3), kind=np.float64, sharp=1.0):
    """A game with one team reward; large `sharp` makes transitions nearly certain."""
    count = math.prod(actions)
    transition = rng.random((states, count, states)) ** sharp
    transition /= transition.sum(axis=-1, keepdims=True)
    reward = np.repeat(rng.normal(size=(states, count, 1)), len(actions), axis=-1)
    start = rng.dirichlet(np.ones(states))
    return Tables(transition.astype(kind), reward.astype(kind), tuple(actions), start)


def random_team(rng, tables, spread=1.0):
    """Every agent's policy, each row from a Dirichlet distribution; small spreads are one-sided."""
    return tuple(rng.dirichlet(np.full(a, spread), size=tables.states) for a in tables.actions)


def random_pairs(seed, count, kinds=((2, 2), (3, 2), (2, 2, 2), (4,))):
    """Evaluated teams and second teams at all distances: games, discounts and policies vary."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        game = random_game(
            rng, rng.integers(1, 5), kinds[number % len(kinds)], sharp=1 + number % 3
        )
        old = evaluate(game, random_team(rng, game), rng.choice([0.0, 0.5, 0.9]))
        far, step = random_team(rng, game, 0.3), 10.0 ** -rng.integers(0, 4)
        yield old, [(1 - step) * a + step * b for a, b in zip(old.policies, far, strict=True)]


def door():
    """Two agents before a door; it opens for good if both push. Behind it every step pays 1."""
    transition = np.zeros((2, 4, 2))
    transition[0, :3, 0] = transition[0, 3, 1] = transition[1, :, 1] = 1.0
    reward = np.zeros((2, 4, 2))
    reward[1] = 1.0
    return Tables(transition, reward, (2, 2), np.array([1.0, 0.0]))
