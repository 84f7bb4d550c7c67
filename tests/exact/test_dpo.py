"""The best step of a lone agent: within a radius, and over all radii."""

import numpy as np
import pytest

from coterie.exact import (
    Constants,
    best_step,
    divergence,
    evaluate,
    second_order_constants,
    surrogate,
    uniform,
)
from coterie.exact.trust import LEAST, within
from tests.exact.teams import door, random_game, random_team


@pytest.mark.parametrize("radius", [1e-12, 1e-6, 1e-2, 0.5, 5.0])
def test_the_whole_radius_is_used(radius):
    rng = np.random.default_rng(0)
    old, advantage = rng.dirichlet(np.ones(4), size=200), rng.normal(size=(200, 4))
    new = within(old, advantage, np.full(200, radius))
    np.testing.assert_allclose(divergence(old, new), radius, rtol=1e-6)
    np.testing.assert_allclose(new.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("radius", [1e-3, 0.1, 2.0])
def test_two_actions_by_hand(radius):
    """With two actions the radius alone decides: the better one gets as much as it may."""
    old = np.array([[0.3, 0.7]])
    new = within(old, np.array([[2.0, 1.0]]), np.array([radius]))
    higher = np.linspace(0.3, 1.0, 1_000_001)[:-1]
    allowed = 0.3 * np.log(0.3 / higher) + 0.7 * np.log(0.7 / (1 - higher)) <= radius
    assert new[0, 0] == pytest.approx(higher[allowed].max(), abs=1e-6)


@pytest.mark.parametrize("radius", [1e-3, 0.1, 2.0])
def test_nothing_within_the_radius_is_better(radius):
    rng = np.random.default_rng(0)
    for _ in range(5):
        old, advantage = rng.dirichlet(np.ones(3), size=1), rng.normal(size=(1, 3))
        new = within(old, advantage, np.array([radius]))
        nearby = abs(new + 0.02 * rng.normal(size=(20_000, 3)))
        others = np.vstack([rng.dirichlet(np.ones(3), size=50_000), nearby])
        others /= others.sum(axis=1, keepdims=True)
        allowed = others[divergence(np.broadcast_to(old, others.shape), others) <= radius]
        assert len(allowed) > 20
        assert (allowed * advantage).sum(axis=1).max() <= (new * advantage).sum() + 1e-12


def test_the_divergence_has_its_direction():
    """A softmax would be right for `KL(new || old)`: it is not what is found."""
    old, advantage = np.array([[0.2, 0.3, 0.5]]), np.array([[1.0, 0.0, -1.0]])
    new = within(old, advantage, np.array([0.1]))
    inverse = 1.0 / (new / old)  # linear in the advantage: (lambda - A) / eta
    assert inverse[0, 0] + inverse[0, 2] == pytest.approx(2 * inverse[0, 1])
    logs = np.log(new / old)
    assert abs(logs[0, 0] + logs[0, 2] - 2 * logs[0, 1]) > 0.01


def test_actions_that_cannot_be_and_states_without_choice():
    old = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    advantage = np.array([[0.0, 1.0, 9.0], [3.0, 3.0, 3.0], [1.0, 0.0, 2.0]])
    new = within(old, advantage, np.full(3, 0.1))
    np.testing.assert_allclose(new[1:], old[1:])
    assert new[0, 2] == 0.0 and new[0, 1] > 0.5


def test_rare_actions_stay_possible():
    old, advantage = np.array([[1.0, 1e-110]]), np.array([[1e-110, -1.0]])
    for _ in range(5):
        old = within(old, advantage, np.array([0.1]))
        assert old[0, 1] >= LEAST
    back = within(old, np.array([[-1.0, 1.0]]), np.array([0.1]))
    assert back[0, 1] == pytest.approx(1 - np.exp(-0.1))


@pytest.mark.parametrize("constants", [None, Constants(1.0, 0.3, 2.0), Constants(0.5, 0.0, 0.2)])
def test_the_best_radius(constants):
    rng = np.random.default_rng(0)
    for _ in range(3):
        game = random_game(rng, 3, (3, 3))
        old = evaluate(game, random_team(rng, game), 0.5)
        caution = constants or second_order_constants(old)
        best = surrogate(old, 0, best_step(old, 0, caution), caution)
        radii = np.geomspace(1e-9, 30.0, 5000)
        others = within(old.policies[0], old.advantage(0), radii[:, None])
        gains = caution.weight * (others * old.advantage(0)).sum(axis=-1) @ old.visits
        values = gains - caution.root * np.sqrt(radii) - caution.linear * radii
        assert best >= max(0.0, values.max()) * (1 - 1e-6)


def test_a_root_is_a_dead_zone():
    """Near the old policy `L^i` grows like `sqrt(2 D) sum_s rho(s) std_s A^i`, and no faster."""
    old = evaluate(door(), uniform(door()), 0.5)
    slope = np.sqrt(2) * old.visits @ old.advantage(0).std(axis=1)
    below = best_step(old, 0, Constants(1.0, 0.99 * slope, 1e-3))
    above = best_step(old, 0, Constants(1.0, 1.01 * slope, 1e-3))
    assert divergence(old.policies[0], below).max() > 1e-4
    np.testing.assert_array_equal(above, old.policies[0])


def test_who_does_not_matter_stays():
    reward = np.repeat(np.array([[[0.0], [1.0], [0.0], [1.0]]]), 2, axis=-1)  # agent 1 decides
    game = random_game(np.random.default_rng(0), 1, (2, 2))._replace(reward=reward)
    old = evaluate(game, uniform(game), 0.5)
    caution = second_order_constants(old)
    np.testing.assert_array_equal(best_step(old, 0, caution), old.policies[0])
    assert best_step(old, 1, caution)[0, 1] > 0.51


def test_a_free_step_goes_all_the_way():
    old = evaluate(door(), uniform(door()), 0.0)
    np.testing.assert_array_equal(best_step(old, 0, Constants(1.0, 0.0, 0.0)), old.policies[0])
    old = evaluate(door(), uniform(door()), 0.5)
    new = best_step(old, 0, Constants(1.0, 0.0, 0.0))
    np.testing.assert_allclose(new[0], [0.0, 1.0], atol=1e-12)
    np.testing.assert_array_equal(new[1], [0.5, 0.5])
