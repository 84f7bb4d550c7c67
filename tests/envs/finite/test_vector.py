"""Many copies: played from tables or with rows on demand, they go where the table says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from coterie.envs import NetworkedMDP, RandomMDP, StochasticGame, TwoStep
from coterie.envs.finite import rules as finite
from coterie.envs.finite.vector import Places, world_of
from coterie.errors import ConfigError
from tests.envs.finite.own import Lift, dice, of

COPIES = 8


def play(vector, world, steps=40, seed=0):
    """Random play: the timesteps and the views after them, `[T, G, ...]`."""
    sizes = np.array(vector.env.sizes)

    @jax.jit
    def episode(world):
        envs = vector.with_constants(world)
        reset, rest = jax.random.split(jax.random.key(seed))

        def step(state, key):
            choose, move = jax.random.split(key)
            action = jax.random.randint(choose, (vector.copies, len(sizes)), 0, sizes)
            before = state
            state, timestep, view = envs.step(state, action, move)
            return state, (before.number, action, timestep, view)

        return jax.lax.scan(step, envs.reset(reset)[0], jax.random.split(rest, steps))[1]

    return jax.device_get(episode(world))


@pytest.mark.parametrize(
    "env", [RandomMDP(states=9, agents=2), NetworkedMDP(states=8, agents=2)], ids=str
)
def test_tables_and_rows_on_demand_lead_to_the_same(env, monkeypatch):
    assert not env.on_demand
    tabled = env.vectorize(COPIES)
    table = play(tabled, tabled.constants)
    monkeypatch.setattr(finite, "LARGEST", 0)
    assert env.on_demand
    demand = play(env.vectorize(COPIES), ())
    jax.tree.map(np.testing.assert_array_equal, table, demand)
    assert len(np.unique(table[0])) == env.states


def test_observed_rewards_are_within_the_noise_of_the_tables():
    env = NetworkedMDP(states=8, agents=2, noise=0.25)
    vector = env.vectorize(COPIES)
    before, action, timestep, _ = play(vector, vector.constants)
    off = timestep.reward - env.tables().reward[before, 2 * action[..., 0] + action[..., 1]]
    assert stats.kstest(off.ravel(), stats.uniform(-0.25, 0.5).cdf).pvalue > 0.01
    assert len(np.unique(off)) > 0.99 * off.size


def test_large_games_have_no_world():
    env = RandomMDP(states=100, agents=10)
    assert env.on_demand and env.vectorize(2).constants == ()


def test_there_is_a_world_where_every_device_has_room_for_it(monkeypatch):
    """One table for each device, and one more while they are handed out."""
    env = RandomMDP(states=10, agents=2)
    size = 4 * 90 * (10 + 1 + 1)  # thresholds, the end of their one block, a reward
    for devices, free, expected in (
        (1, 2 * size, False),
        (2, 2 * size, True),
        (2, 3 * size, False),
    ):
        monkeypatch.setattr(jax, "local_device_count", lambda devices=devices: devices)
        monkeypatch.setattr(finite, "available", lambda free=free: free)
        assert env.on_demand is expected


def test_the_game_of_dpo_has_a_world(monkeypatch):
    monkeypatch.setattr(finite, "available", lambda: 2 * 10**9)
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)
    assert not StochasticGame().on_demand


@pytest.mark.parametrize("demand", [False, True], ids=["table", "demand"])
def test_successors_are_as_frequent_as_the_table_says(demand):
    """Chi-square over 20,000 draws for each of three rows; rewards are the table's."""
    env, draws = RandomMDP(states=7, agents=2), 20_000
    tables, vector = env.tables(), env.vectorize(draws)
    step = jax.jit(vector.with_constants(() if demand else vector.constants).step)
    for seed, (state, action) in enumerate([(0, (0, 0)), (3, (1, 2)), (6, (2, 1))]):
        places = Places(jnp.full(draws, state, jnp.int32), jnp.zeros(draws, jnp.int32))
        joint = jnp.broadcast_to(jnp.array(action), (draws, 2))
        after, timestep, _ = step(places, joint, jax.random.key(seed))
        row = np.float64(tables.transition[state, np.ravel_multi_index(action, env.sizes)])
        counts = np.bincount(after.number, minlength=7)
        assert stats.chisquare(counts, row / row.sum() * draws).pvalue > 0.01
        paid = tables.reward[state, np.ravel_multi_index(action, env.sizes)]
        np.testing.assert_array_equal(timestep.reward, np.broadcast_to(paid, (draws, 2)))


def test_one_copy_alone_goes_where_the_table_says():
    """Over many episodes of an environment with zeros, from a random start."""
    env, count = of(dice(5, 4, agents=2)), 5_000
    tables = env.table
    state, _ = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), count))
    starts = np.bincount(state.number, minlength=5)
    assert stats.chisquare(starts).pvalue > 0.01
    after, timestep = jax.jit(jax.vmap(env.step))(state, jnp.tile(jnp.array([1, 0]), (count, 1)))
    counts = np.zeros((5, 5))
    np.add.at(counts, (np.asarray(state.number), np.asarray(after.number)), 1)
    expected = tables.transition[:, 2] * starts[:, None]
    assert not np.any(counts[expected == 0.0])
    assert stats.chisquare(counts[expected > 0], expected[expected > 0], ddof=4).pvalue > 0.01
    paid = tables.reward[np.asarray(state.number), 2]
    np.testing.assert_allclose(timestep.reward, paid, rtol=1e-6)


def test_time_runs_out_for_all_and_they_start_again():
    env = RandomMDP(states=5, agents=2, time_limit=3)
    vector = env.vectorize(COPIES)
    before, _, timestep, view = play(vector, vector.constants, steps=7)
    late = np.arange(1, 8) % 3 == 0
    np.testing.assert_array_equal(
        timestep.truncated, np.broadcast_to(late[:, None, None], (7, 8, 2))
    )
    assert not np.any(timestep.terminated)
    seen = view.observation[..., 0, 0]
    assert not np.any(seen[late]) and np.any(timestep.view.observation[late])
    np.testing.assert_array_equal(seen[~late], timestep.view.observation[~late][..., 0, 0])
    np.testing.assert_array_equal(before[1:], seen[:-1])
    one_hot = np.eye(5)[timestep.view.observation[..., 0, 0].astype(int)]
    np.testing.assert_array_equal(timestep.state, one_hot)


def test_an_end_is_an_end_and_the_next_episode_starts_anywhere():
    """Both from random starts; an episode in the last state is over, however late it is."""
    env = Lift(slip=0.25, held=0.5, time_limit=4)
    vector = env.vectorize(COPIES)
    before, action, timestep, view = play(vector, vector.constants, steps=400)
    after = timestep.view.observation[..., 0, 0]
    np.testing.assert_array_equal(timestep.terminated, np.stack([after == 2] * 2, axis=-1))
    assert 0.01 < timestep.terminated.mean() < 0.5 and 0.1 < timestep.truncated.mean() < 0.5
    over = timestep.terminated[..., 0] | timestep.truncated[..., 0]
    fresh = view.observation[..., 0, 0][over]
    assert set(fresh) == {0.0, 1.0} and stats.binomtest(int(fresh.sum()), len(fresh)).pvalue > 0.01
    both = (action == 1).all(axis=-1)
    lifted = both & (before == 1)
    assert stats.binomtest(int((after == 2)[lifted].sum()), int(lifted.sum()), 0.75).pvalue > 0.01
    joint = action[..., 0] * 3 + action[..., 1]
    np.testing.assert_array_equal(timestep.reward, env.table.reward[before, joint])


def test_agents_with_fewer_actions_are_shown_which_they_have():
    vector = Lift().vectorize(COPIES)
    _, _, timestep, view = play(vector, vector.constants)
    able = np.array([[True, True, False], [True, True, True]])
    for shown in (timestep.view, view):
        assert np.all(shown.action_mask == able)


def test_equal_games_share_one_world_that_is_made_once():
    vector, other = RandomMDP(states=4).vectorize(2), RandomMDP(states=4).vectorize(3)
    assert vector.constants.marks is other.constants.marks
    assert (
        RandomMDP(states=4, instance=1).vectorize(2).constants.marks is not vector.constants.marks
    )


def test_a_world_first_asked_for_while_compiling_is_made_of_numbers():
    env = RandomMDP(states=5, agents=1, instance=77)
    vector = env.vectorize(3)
    world_of.cache_clear()
    jax.jit(vector.step)(
        vector.reset(jax.random.key(0))[0], jnp.zeros((3, 1), int), jax.random.key(0)
    )
    ends, cells = map(np.asarray, world_of(env).marks)
    assert ends.shape == (5 * 3, 1) and cells.shape == (5 * 3, 5)
    assert ends[0, 0] == cells[0, 4] == 2**30


def test_a_world_is_an_argument_of_what_is_compiled():
    """Another environment's tables lead elsewhere, and nothing is compiled again."""
    one, other = (of(dice(4, 2, seed=seed)).vectorize(COPIES) for seed in (0, 1))

    @jax.jit
    def reward(world):
        envs = one.with_constants(world)
        places = Places(jnp.zeros(COPIES, jnp.int32), jnp.zeros(COPIES, jnp.int32))
        return envs.step(places, jnp.ones((COPIES, 1), int), jax.random.key(0))[1].reward

    for vector in (one, other):
        paid = vector.env.table.reward[0, 1]
        np.testing.assert_allclose(reward(vector.constants), np.full((COPIES, 1), paid), rtol=1e-6)
    assert reward._cache_size() == 1


def test_the_global_state_is_a_one_among_zeros():
    vector, places = TwoStep().vectorize(2), Places(jnp.array([2, 0]), jnp.zeros(2, jnp.int32))
    one_hot = vector.global_state(places, vector.env.view(places.number))
    assert one_hot.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    state, view = TwoStep().reset(jax.random.key(0))
    assert TwoStep().global_state(state, view).tolist() == [1, 0, 0, 0]


def test_there_must_be_a_copy():
    with pytest.raises(ConfigError, match="num_envs must be at least 1, not 0"):
        TwoStep().vectorize(0)
