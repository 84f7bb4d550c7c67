"""The best joint policy: by hand, by trying all of them, and by plain value iteration."""

import itertools

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.exact import evaluate, optimum
from coterie.exact.dynamics import backup
from tests.exact.teams import door, random_game, random_team


def test_the_door_is_pushed_by_both():
    best = optimum(door(), 0.5)
    np.testing.assert_allclose(best.value, [1.0, 2.0])  # 0 + (1 + 1 / 2 + ...) / 2
    for policy in best.policies:
        np.testing.assert_array_equal(policy[0], [0.0, 1.0])
    assert best.error < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_no_other_joint_policy_is_better(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, (2, 2), sharp=4.0)
    best = optimum(game, 0.9)
    every = itertools.product(itertools.product(np.eye(2), repeat=3), repeat=2)
    values = [evaluate(game, [*map(np.array, team)], 0.9).value for team in every]
    np.testing.assert_allclose(best.value, np.max(values, axis=0))
    np.testing.assert_allclose(evaluate(game, best.policies, 0.9).value, best.value)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
def test_value_iteration_ends_where_policy_iteration_does(discount):
    game = random_game(np.random.default_rng(7), 6, (3, 2, 2), np.float32)
    best = optimum(game, discount)
    value = np.zeros(6)
    for _ in range(2500):
        value = backup(game, discount, value).max(axis=1)
    np.testing.assert_allclose(best.value, value, rtol=1e-9)
    assert best.error < 1e-9


def test_random_teams_are_below():
    rng = np.random.default_rng(3)
    game = random_game(rng, 4, (3, 3))
    best = optimum(game, 0.8)
    for _ in range(50):
        assert (evaluate(game, random_team(rng, game), 0.8).value <= best.value).all()


def test_a_discount_of_one_is_refused():
    with pytest.raises(ConfigError, match=r"discount must be in \[0, 1\), not 1"):
        optimum(door(), 1.0)
