"""Product policies, expectations over the others, distances, and what a user can get wrong."""

import itertools

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.exact import divergence, evaluate, joint, marginal, total_variation, uniform
from tests.exact.teams import door, random_game, random_team


def test_joint_actions_are_numbered_as_in_the_tables():
    rng = np.random.default_rng(0)
    game = random_game(rng, 2, (2, 3, 4))
    team = random_team(rng, game)
    for a in itertools.product(*map(range, game.actions)):
        number = np.ravel_multi_index(a, game.actions)
        by_hand = team[0][:, a[0]] * team[1][:, a[1]] * team[2][:, a[2]]
        np.testing.assert_allclose(joint(team)[:, number], by_hand)


def test_an_expectation_over_the_others():
    rng = np.random.default_rng(0)
    game = random_game(rng, 2, (2, 3, 4))
    one, two, three = random_team(rng, game)
    values = rng.normal(size=(2, 2, 3, 4))
    flat = values.reshape(2, -1)
    middle = np.einsum("sabc,sa,sc->sb", values, one, three)
    np.testing.assert_allclose(marginal(flat, (one, two, three), 1), middle)
    last = np.einsum("sabc,sa,sb->sc", values, one, two)
    np.testing.assert_allclose(marginal(flat, (one, two, three), 2), last)


def test_distances_by_hand():
    old, new = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.25, 0.5]])
    assert divergence(old, new) == pytest.approx(np.log(2))
    assert total_variation(old, new) == 0.5
    assert divergence(new, old) == np.inf
    assert divergence(old, old) == 0.0


@pytest.mark.parametrize("step", [1e-1, 1e-4, 1e-8])
def test_a_small_divergence_keeps_its_digits(step):
    old, new = np.array([[0.5, 0.5]]), np.array([[0.5 + step, 0.5 - step]])
    exact = -0.5 * np.log1p(-4 * step**2)
    assert divergence(old, new) == pytest.approx(exact, rel=1e-7)


def test_divergences_of_independent_agents_add_up_and_bound_the_variation():
    rng = np.random.default_rng(0)
    game = random_game(rng, 5, (2, 3, 2))
    old, new = random_team(rng, game), random_team(rng, game)
    each = [divergence(*pair) for pair in zip(old, new, strict=True)]
    together = divergence(joint(old), joint(new))
    np.testing.assert_allclose(together, sum(each))
    assert (total_variation(joint(old), joint(new)) ** 2 <= together / 2).all()


GOOD = np.array([[0.5, 0.5], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("policies", "discount", "sentence"),
    [
        ([GOOD], 0.5, "2 agents need 2 policies, not 1."),
        ([GOOD, GOOD[:1]], 0.5, r"agent 1's policy has shape \(1, 2\): .* must be \(2, 2\)."),
        ([GOOD, GOOD / 2], 0.5, "agent 1's probabilities in state 0 sum to 0.5, not 1: divide"),
        ([GOOD, np.array([[2.0, -1.0]] * 2)], 0.5, "agent 1's policy has a probability of -1."),
        ([np.full((2, 2), np.nan), GOOD], 0.5, "agent 0's policy has a probability of nan."),
        ([GOOD, GOOD], 1.0, r"the discount must be in \[0, 1\), not 1.0"),
        ([GOOD, GOOD], -0.1, r"the discount must be in \[0, 1\), not -0.1"),
        ([GOOD, GOOD], float("nan"), r"the discount must be in \[0, 1\), not nan"),
    ],
)
def test_a_mistake_gets_one_sentence(policies, discount, sentence):
    with pytest.raises(ConfigError, match=sentence):
        evaluate(door(), policies, discount)


def test_policies_in_float32_become_distributions():
    game = random_game(np.random.default_rng(0), 2, (3, 3))
    team = evaluate(game, [policy.astype(np.float32) for policy in uniform(game)], 0.5)
    np.testing.assert_allclose(team.joint.sum(axis=1), 1.0, rtol=1e-15)
