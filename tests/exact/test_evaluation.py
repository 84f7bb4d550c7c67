"""Values, critics and visits against games worked by hand and against long sums."""

import tracemalloc

import numpy as np
import pytest

from coterie.envs.finite.tables import Tables
from coterie.errors import EnvError
from coterie.exact import dynamics, evaluate, individual_objective, joint_objective, uniform
from tests.exact.teams import door, random_game, random_team


def test_the_door_by_hand():
    # Both push with 1/2 each: V(open) = 2, V(0) = (V(open) / 4 + 3 V(0) / 4) / 2 = 0.4.
    team = evaluate(door(), uniform(door()), 0.5)
    np.testing.assert_allclose(team.value, [0.4, 2.0])
    assert team.performance == pytest.approx(0.4)
    np.testing.assert_allclose(team.joint_critic, [[0.2, 0.2, 0.2, 1.0], [2.0] * 4])
    # If I wait, nothing opens; if I push, it opens half the time.
    for agent in (0, 1):
        np.testing.assert_allclose(team.critic(agent), [[0.2, 0.6], [2.0, 2.0]])
        np.testing.assert_allclose(team.advantage(agent), [[-0.2, 0.2], [0, 0]], atol=1e-15)
    # rho(0) = 1 / (1 - 3/8); together 1 / (1 - 1/2).
    np.testing.assert_allclose(team.visits, [1.6, 0.4])
    assert team.mean(np.array([1.0, 0.0])) == pytest.approx(0.8)
    np.testing.assert_allclose(team.stationary, [0.0, 1.0], atol=1e-15)
    assert team.average_reward == pytest.approx(1.0)


def test_objectives_of_the_door_by_hand():
    old = evaluate(door(), uniform(door()), 0.5)
    push = np.array([[0.0, 1.0], [0.5, 0.5]])
    # Alone I gain rho(0) A^i(push) = 1.6 * 0.2; together rho(0) (1.0 - 0.4).
    assert individual_objective(old, 0, push) == pytest.approx(0.32)
    assert joint_objective(old, [push, push]) == pytest.approx(0.96)


def test_values_are_what_long_sums_give():
    rng = np.random.default_rng(0)
    game = random_game(rng, 5, (2, 3))
    team = evaluate(game, random_team(rng, game), 0.7)
    transition, reward = team.chain
    value, visits, now = np.zeros(5), np.zeros(5), game.start.copy()
    for step in range(150):
        value = reward + 0.7 * transition @ value
        visits += 0.7**step * now
        now = now @ transition
    np.testing.assert_allclose(team.value, value)
    np.testing.assert_allclose(team.visits, visits)
    np.testing.assert_allclose(team.stationary, now)
    assert team.performance == pytest.approx(team.visits @ reward)
    assert team.average_reward == pytest.approx(now @ reward)


def test_the_difference_of_two_performances():
    """`J(pi) - J(old) = sum_s rho_pi(s) sum_a pi(a | s) A_old(s, a)` (Kakade & Langford)."""
    rng = np.random.default_rng(1)
    game = random_game(rng, 4, (2, 2, 2))
    old, new = (evaluate(game, random_team(rng, game), 0.8) for _ in range(2))
    gains = (new.joint * old.joint_advantage).sum(axis=1)
    assert new.performance - old.performance == pytest.approx(new.visits @ gains)


def test_private_rewards_are_averaged():
    game = random_game(np.random.default_rng(0), 2, (2, 2))
    private = game._replace(reward=game.reward * np.array([0.0, 2.0]))
    same = evaluate(game, uniform(game), 0.5), evaluate(private, uniform(game), 0.5)
    np.testing.assert_allclose(same[0].value, same[1].value)


def test_no_long_run_without_a_way_back():
    islands = door()
    islands.transition[0, 3] = [1.0, 0.0]
    with pytest.raises(EnvError, match="stationary distribution is not unique"):
        _ = evaluate(islands, uniform(islands), 0.5).stationary


def test_rows_in_float32_are_divided_by_their_sums():
    rng = np.random.default_rng(0)
    game = random_game(rng, 4, (2, 2))
    coarse = game._replace(transition=(game.transition * rng.uniform(0.999, 1.001, (4, 4, 1))))
    fine, rough = (evaluate(tables, uniform(game), 0.99) for tables in (game, coarse))
    np.testing.assert_allclose(rough.value, fine.value, rtol=1e-12)


def test_states_are_read_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    game = random_game(rng, 7, (2, 3))
    team = random_team(rng, game)
    whole = evaluate(game, team, 0.9)
    monkeypatch.setattr(dynamics, "CHUNK", 2 * 6 * 7)  # two states at a time, and one at the end
    parts = evaluate(game, team, 0.9)
    np.testing.assert_allclose(parts.chain[0], whole.chain[0])
    np.testing.assert_allclose(parts.joint_critic, whole.joint_critic)


def test_a_large_table_is_never_copied_whole(monkeypatch):
    states, joint = 64, 256
    transition = np.full((states, joint, states), 1 / states, np.float32)  # 4 MB
    reward = np.ones((states, joint, 2), np.float32)
    game = Tables(transition, reward, (16, 16), np.full(states, 1 / states))
    monkeypatch.setattr(dynamics, "CHUNK", 2**15)
    tracemalloc.start()
    _ = evaluate(game, uniform(game), 0.9).joint_critic
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < transition.nbytes / 2
