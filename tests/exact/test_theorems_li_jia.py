"""Li & Jia's theorems on random games, and checks that go red when the mathematics is broken."""

from itertools import pairwise

import numpy as np
import pytest

from coterie.exact import cyclic_improvement, evaluate, respond, respond_together
from coterie.exact.dynamics import mixed
from tests.exact.teams import random_game, random_team

# Theorem 1: evaluation by samples, eq. (7), converges to the critic of eq. (5).


def operator_residual(team, agent, critic, others=None, discount=None):
    """`max |H^i q - q|` for the operator of eq. (17), state by state and action by action."""
    others = team.policies if others is None else others
    discount = team.discount if discount is None else discount
    follow = (team.policies[agent] * critic).sum(axis=1)  # E over my own next action
    worst = 0.0
    for action in range(critic.shape[1]):
        mine = np.eye(critic.shape[1])[np.full(len(critic), action)]
        policies = [mine if j == agent else policy for j, policy in enumerate(others)]
        transition, reward = mixed(team.tables, evaluate(team.tables, policies, 0.0).joint)
        worst = max(worst, abs(reward + discount * transition @ follow - critic[:, action]).max())
    return worst


@pytest.fixture(scope="module")
def teams():
    rng = np.random.default_rng(0)
    games = [random_game(rng, 4, (2, 3, 2)) for _ in range(10)]
    return [evaluate(game, random_team(rng, game), 0.8) for game in games]


def test_the_critic_is_the_fixed_point(teams):
    for team in teams:
        for agent in range(3):
            assert operator_residual(team, agent, team.critic(agent)) < 1e-12


def test_broken_fixed_points_are_noticed(teams):
    for team in teams:
        strangers = [np.roll(policy, 1, axis=1) for policy in team.policies]
        assert operator_residual(team, 0, team.critic(0), others=strangers) > 1e-3
        assert operator_residual(team, 0, team.critic(0), discount=1.0) > 1e-3
        assert operator_residual(team, 0, team.critic(2)) > 1e-3


def test_the_critic_is_the_joint_one_without_the_others(teams):
    """`Q^i = E_{-i}[Q]`, DPO section 3.2, against the recursion of eq. (5) run to its end."""
    for team in teams[:3]:
        critic = np.zeros((4, 3))
        policy = team.policies[1]
        table = team.tables.transition.reshape(4, 2, 3, 2, 4)
        table = np.einsum("sabct,sa,sc->sbt", table, team.policies[0], team.policies[2])
        reward = team.tables.team_reward.reshape(4, 2, 3, 2)
        reward = np.einsum("sabc,sa,sc->sb", reward, team.policies[0], team.policies[2])
        for _ in range(200):
            critic = reward + 0.8 * table @ (policy * critic).sum(axis=1)
        np.testing.assert_allclose(team.critic(1), critic)
        alone = team.tables.team_reward.reshape(4, 2, 3, 2).mean(axis=(1, 3))  # uniform others
        assert abs(alone + 0.8 * table @ (policy * critic).sum(axis=1) - critic).max() > 1e-3


def drawn(rng, cumulative):
    """One number per row of cumulative probabilities."""
    return (rng.random((len(cumulative), 1)) > cumulative[:, :-1]).sum(axis=1)


def sampled_errors(team, step_size, steps, copies=200, seed=0):
    """Eq. (7) played by `copies` teams at once: the root mean square error of agent 0 and 1."""
    rng, rows = np.random.default_rng(seed), np.arange(copies)
    following, rewards = team.tables.transition.cumsum(axis=-1), team.tables.team_reward
    choices = [policy.cumsum(axis=1) for policy in team.policies]
    truth = [team.critic(agent) for agent in range(2)]
    tables = [np.zeros((copies, *critic.shape)) for critic in truth]
    counts = [np.zeros((copies, *critic.shape)) for critic in truth]
    state, errors = np.zeros(copies, int), np.empty(steps)
    for step in range(steps):
        actions = [drawn(rng, choice[state]) for choice in choices]
        joint = np.ravel_multi_index(actions, team.tables.actions)
        reward = rewards[state, joint]
        after = drawn(rng, following[state, joint])
        for agent, table in enumerate(tables):
            here = rows, state, actions[agent]
            fresh = drawn(rng, choices[agent][after])
            error = reward + team.discount * table[rows, after, fresh] - table[here]
            table[here] += step_size(counts[agent][here]) * error
            counts[agent][here] += 1
        errors[step] = np.mean([((q - t) ** 2).mean() for q, t in zip(tables, truth, strict=True)])
        state = after
    return np.sqrt(errors)


def rate(errors, first):
    """The slope of `log error` over `log step` from step `first` on."""
    steps = np.unique(np.geomspace(first, len(errors), 60).astype(int)) - 1
    return np.polyfit(np.log(steps + 1), np.log(errors[steps]), 1)[0]


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(3)
    game = random_game(rng, 2, (2, 2))
    return evaluate(game, random_team(rng, game, 5.0), 0.5)


def test_evaluation_by_samples_converges_like_the_root_of_time(small):
    """Steps of `4 / (n + 4)` fulfil eqs. (9)-(10). Errors shrink like `n^(-1/2)`, the slope of the
    best such rate, because `4 (1 - gamma) > 1/2`."""
    errors = sampled_errors(small, lambda n: 4 / (n + 4), 4000)
    assert rate(errors, 300) == pytest.approx(-0.5, abs=0.05)


def test_steps_that_break_the_conditions_do_not_converge_so(small):
    stays = sampled_errors(small, lambda n: 0.1, 3000)  # sum of squares is infinite, eq. (10)
    assert abs(rate(stays, 300)) < 0.1
    stops = sampled_errors(small, lambda n: 0.5 / (n + 1) ** 2, 3000)  # sum is finite, eq. (9)
    assert abs(rate(stops, 300)) < 0.1


# Theorem 2: one agent at a time, no state ever loses.


def never_loses(before, after):
    return bool((after.value >= before.value - 1e-10 * (1 + abs(before.value))).all())


def random_starts(seed, count):
    rng = np.random.default_rng(seed)
    kinds = ((2, 2), (3, 2), (2, 2, 2))
    for number in range(count):
        game = random_game(rng, 3, kinds[number % 3], sharp=1.0 + number % 5)
        yield evaluate(game, random_team(rng, game), 0.9)


def test_cyclic_improvement_never_lowers_a_value():
    for start in random_starts(seed=0, count=1000):
        teams = list(cyclic_improvement(start))
        assert all(never_loses(*pair) for pair in pairwise(teams))
        gains = [teams[-1].critic(i).max(axis=1) - teams[-1].value for i in range(start.agents)]
        assert max(gain.max() for gain in gains) < 1e-10  # no agent alone can do better


def test_ties_do_not_go_round_in_circles():
    game = random_game(np.random.default_rng(0), 3, (2, 2))
    level = game._replace(reward=np.zeros_like(game.reward))
    start = evaluate(level, random_team(np.random.default_rng(1), level), 0.9)
    assert len(list(cyclic_improvement(start))) == 1


def test_it_goes_on_until_the_last_agent_has_had_its_turn():
    reward = np.repeat(np.array([[[0.0], [1.0], [0.0], [1.0]]]), 2, axis=-1)  # agent 1 decides
    game = random_game(np.random.default_rng(0), 1, (2, 2))._replace(reward=reward)
    teams = list(cyclic_improvement(evaluate(game, [np.array([[1.0, 0.0]])] * 2, 0.5)))
    assert [team.value[0] for team in teams] == [0.0, 2.0]


def test_improving_all_at_once_may_lower_a_value():
    starts = list(random_starts(seed=1, count=100))
    assert not all(never_loses(start, respond_together(start)) for start in starts)
    assert all(never_loses(start, respond(start, 1)) for start in starts)


def test_two_who_dodge_the_same_way():
    """Passing in a corridor: alike is worth 1 less; all at once they bump forever."""
    reward = np.repeat(np.array([[[0.0], [1.0], [1.0], [0.0]]]), 2, axis=-1)
    corridor = random_game(np.random.default_rng(0), 1, (2, 2))._replace(reward=reward)
    bump = evaluate(corridor, [np.array([[1.0, 0.0]])] * 2, 0.5)
    again = respond_together(bump)
    assert bump.value[0] == again.value[0] == respond_together(again).value[0] == 0.0
    assert [team.value[0] for team in cyclic_improvement(bump)] == [0.0, 2.0]
