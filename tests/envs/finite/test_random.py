"""Environments drawn at random: what is drawn, that it is drawn again, and that it fits."""

import dataclasses
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from coterie.envs import NetworkedMDP, RandomMDP, StochasticGame
from coterie.envs.check import check_env
from coterie.envs.finite import write
from coterie.envs.finite.draw import chances
from coterie.errors import ConfigError, EnvError
from coterie.internal import memory

SMALL = {
    "random-mdp": RandomMDP(states=6, agents=2),
    "stochastic-game": StochasticGame(states=5, agents=2, actions=2),
    "networked-mdp": NetworkedMDP(states=4, agents=3),
}
every = pytest.mark.parametrize("env", SMALL.values(), ids=SMALL)


def test_the_sizes_are_the_papers():
    assert (RandomMDP().states, RandomMDP(agents=5).sizes) == (100, (3,) * 5)
    full = StochasticGame()
    assert (full.states, full.sizes, full.limit) == (100, (5,) * 6, 100)
    assert full.states * full.joint * full.states == 156_250_000


@every
def test_rows_on_demand_are_the_rows_of_the_table(env):
    """Bit for bit, one at a time and many at once."""
    tables = env.tables().checked()
    assert tables.transition.dtype == tables.reward.dtype == np.float32
    assert tables.actions == env.sizes
    row, pay = jax.jit(env.row), jax.jit(env.pay)
    for state in (0, env.states - 1):
        for joint in range(env.joint):
            np.testing.assert_array_equal(row(state, joint), tables.transition[state, joint])
            np.testing.assert_array_equal(pay(state, joint), tables.reward[state, joint])
    np.testing.assert_array_equal(tables.start, np.eye(env.states)[0])


@every
def test_the_same_options_are_the_same_game_and_another_instance_another(env):
    tables = env.tables()
    again = dataclasses.replace(env).tables()
    other = dataclasses.replace(env, instance=1).tables()
    assert dataclasses.replace(env) == env and hash(dataclasses.replace(env)) == hash(env)
    np.testing.assert_array_equal(again.transition, tables.transition)
    np.testing.assert_array_equal(again.reward, tables.reward)
    assert not np.any(other.transition == tables.transition)
    assert not np.any(other.reward == tables.reward)


@every
def test_the_game_does_not_depend_on_the_default_generator(env):
    tables = env.tables()
    with jax.default_prng_impl("rbg"):
        row, paid = jax.jit(lambda s, a: (env.row(s, a), env.pay(s, a)))(1, 2)
    np.testing.assert_array_equal(row, tables.transition[1, 2])
    np.testing.assert_array_equal(paid, tables.reward[1, 2])


def test_tables_are_the_same_made_in_many_pieces(monkeypatch):
    env = SMALL["networked-mdp"]
    whole = env.tables()
    monkeypatch.setattr(write, "PIECE", 5 * 4)  # 5 rows of 4 numbers; 32 rows in all
    jax.tree.map(np.testing.assert_array_equal, env.tables(), whole)


def test_no_two_rows_and_no_two_rewards_are_alike():
    tables = RandomMDP(states=50, agents=2).tables()
    rows = tables.transition.reshape(-1, 50)
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert len(np.unique(tables.team_reward)) > 0.999 * tables.team_reward.size


def test_transitions_are_uniform_numbers_divided_by_their_sum():
    """For many states, the sum is close to M / 2; the numbers are those of a row on their own."""
    env = RandomMDP(states=2000, agents=1, actions=3)
    rows = np.asarray(jax.jit(jax.vmap(env.row))(jnp.arange(3), jnp.arange(3)), np.float64)
    assert stats.kstest((rows / rows.max(axis=1, keepdims=True)).ravel(), "uniform").pvalue > 0.01
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-6)
    successive = np.corrcoef(rows[:, :-1].ravel(), rows[:, 1:].ravel())[0, 1]
    assert abs(successive) < 0.05


@pytest.mark.parametrize(
    ("env", "law"),
    [
        (RandomMDP(states=100, agents=2), stats.norm()),
        (StochasticGame(states=100, agents=2, actions=3), stats.uniform()),
        (NetworkedMDP(states=20, agents=4), stats.uniform(0, 4)),
    ],
    ids=SMALL,
)
def test_rewards_follow_their_law(env, law):
    reward = env.tables().reward
    drawn = reward[..., : env.columns].ravel()
    assert stats.kstest(drawn, law.cdf).pvalue > 0.01
    alike = np.all(reward == reward[..., :1])
    assert alike == (not isinstance(env, NetworkedMDP))


def test_a_row_of_one_state_is_certain():
    tables = RandomMDP(states=1, agents=1, actions=50).tables()
    np.testing.assert_array_equal(tables.transition, 1.0)


def test_the_floor_is_added_before_rows_are_normalized():
    """With a floor of 1, weights lie between 1 and 2."""
    rows = NetworkedMDP(states=30, agents=2, floor=1.0).tables().transition.reshape(-1, 30)
    assert np.all(rows.max(axis=1) <= 2.0 * rows.min(axis=1))
    assert rows.max() / rows.min() > 1.5
    bare = NetworkedMDP(states=30, agents=2, floor=0.0)
    same = RandomMDP(states=30, agents=2, actions=2)
    np.testing.assert_array_equal(bare.tables().transition, same.tables().transition)


def test_observed_rewards_lie_around_their_means():
    env = NetworkedMDP(states=3, agents=2, noise=0.25)
    noise = np.asarray(env.luck([*chances(jax.random.key(0), (env.dice, 2000))]))
    assert noise.shape == (2000, 2)
    for agent in noise.T:
        assert stats.kstest(agent, stats.uniform(-0.25, 0.5).cdf).pvalue > 0.01
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1
    state, _ = jax.jit(env.reset)(jax.random.key(1))
    _, timestep = jax.jit(env.step)(state, jnp.array([1, 0]))
    off = np.asarray(timestep.reward - env.pay(state.number, jnp.int32(2)))
    assert np.all(off != 0.0) and np.all(abs(off) <= 0.25)


def test_features_are_there_for_linear_methods():
    env = NetworkedMDP(states=20, agents=4)
    shared = jax.vmap(env.critic_features)(jnp.arange(20), jnp.arange(20) % env.joint)
    own = np.stack([env.policy_features(agent) for agent in range(4)])
    assert shared.shape == (20, 10) and own.shape == (4, 20, 2, 5)
    assert np.linalg.matrix_rank(shared) == 10
    assert len(np.unique(own)) > 0.99 * own.size
    for numbers in (np.asarray(shared), own):
        assert stats.kstest(numbers.ravel(), "uniform").pvalue > 0.01
    np.testing.assert_array_equal(env.critic_features(jnp.int32(3), jnp.int32(3)), shared[3])


@every
def test_fit_to_train_in(env):
    assert check_env(env) == []


def test_episodes_are_cut_off_and_never_end():
    env = RandomMDP(states=3, agents=1, time_limit=5)
    step = jax.jit(env.step)
    state, view = jax.jit(env.reset)(jax.random.key(0))
    assert view.observation.tolist() == [[0.0]] and view.action_mask is None
    flags = []
    for _ in range(5):
        state, timestep = step(state, jnp.array([1]))
        flags.append(timestep.truncated.tolist())
        assert not np.any(timestep.terminated)
        assert timestep.view.observation[0, 0] == state.number
    assert flags == [[False]] * 4 + [[True]]


def test_a_table_is_in_memory_once():
    """29 MB of probabilities are made in place: a second copy would double the peak.

    What other threads of this process ask for meanwhile is counted, too.
    """
    env = RandomMDP(states=100, agents=6)
    env.rows(np.zeros(2, np.int32), np.zeros(2, np.int32))
    tracemalloc.start()
    tables = env.tables()
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = tables.transition.nbytes
    assert size == 4 * 100 * 729 * 100
    assert now < 1.5 * size and peak < 1.5 * size
    assert tables.reward.strides[-1] == 0  # and one column serves all agents


def test_what_does_not_fit_is_refused_before_it_is_begun(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 500_000_000)
    with pytest.raises(EnvError) as refused:
        StochasticGame().tables()
    assert str(refused.value) == (
        "the tables of 100 states and 15,625 joint actions would take 648 MB, but 500 MB of memory "
        "are available: use fewer states, agents or actions; training does without tables."
    )


WRONG = [
    (RandomMDP, {"states": 0}, "states must be at least 1, not 0."),
    (StochasticGame, {"agents": 0}, "agents must be at least 1, not 0."),
    (NetworkedMDP, {"actions": -1}, "actions must be at least 1, not -1."),
    (RandomMDP, {"instance": -1}, "instance must be at least 0, not -1."),
    (RandomMDP, {"time_limit": 0}, "time_limit must be at least 1, not 0: try 100."),
    (NetworkedMDP, {"noise": -0.5}, "noise must be at least 0, not -0.5."),
    (NetworkedMDP, {"floor": 2.0}, "floor must lie between 0 and 1, not 2.0: try 1e-5."),
    (NetworkedMDP, {"features": 0}, "features must be at least 1, not 0."),
    (
        RandomMDP,
        {"agents": 20},
        "20 agents with 3 actions each have 3.49e+09 joint actions, more than the 2^31 that can be "
        "numbered: use fewer agents or actions.",
    ),
]


@pytest.mark.parametrize(("kind", "options", "sentence"), WRONG)
def test_wrong_options_get_their_sentence(kind, options, sentence):
    with pytest.raises(ConfigError) as refused:
        kind(**options)
    assert str(refused.value) == sentence
