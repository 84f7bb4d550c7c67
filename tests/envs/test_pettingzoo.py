"""Environments outside JAX are played exactly as by hand, and fail with a sentence instead of a
hang."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import ConfigError, EnvError
from coterie.types import AgentSpec, Box, Discrete

SPREAD = ("N=2", "max_cycles=5")


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def make(factory, workers=2, deadline=60.0, **options):
    told = tuple(f"{name}={value!r}" for name, value in options.items())
    return PettingZooEnv(factory, told, workers, deadline)


def seeds_of(key, copies):
    return np.asarray(jax.random.bits(key, (copies,), jnp.uint32) >> 1)


def draw(env, copies, steps, seed=5):
    """Random actions `[T, G, N, ...]` that every agent can play."""
    random = np.random.default_rng(seed)
    sizes = [spec.action.size for spec in env.specs]
    if isinstance(env.specs[0].action, Discrete):
        return random.integers(0, sizes, (steps, copies, len(sizes))).astype(np.int32)
    return random.uniform(0.0, 1.0, (steps, copies, len(sizes), max(sizes))).astype(np.float32)


def play(vector, actions, seed=0):
    """What all steps lead to, from inside one compiled scan; the first views come first."""
    keys = jax.random.split(jax.random.key(seed), len(actions) + 1)

    @jax.jit
    def run(keys, actions):
        state, view = vector.reset(keys[0])

        def step(state, told):
            state, timestep, following = vector.step(state, *told)
            return state, (timestep, following)

        return view, *jax.lax.scan(step, state, (actions, keys[1:]))[1]

    return jax.tree.map(np.asarray, run(jnp.asarray(keys), jnp.asarray(actions)))


def by_hand(env, actions, seed=0):
    """One environment per copy, stepped without the adapter: observations and rewards as given."""
    keys = jax.random.split(jax.random.key(seed), len(actions) + 1)
    copies = actions.shape[1]
    seeds = np.stack([seeds_of(key, copies) for key in keys])
    return [copy_by_hand(env.build(), actions[:, c], seeds[:, c]) for c in range(copies)]


def copy_by_hand(env, actions, seeds):
    observation, _ = env.reset(seed=int(seeds[0]))
    steps = [(observation, {}, {}, {}, observation)]
    for action, seed in zip(actions, seeds[1:], strict=True):
        numbered = [(a, i) for i, a in enumerate(env.possible_agents) if a in env.agents]
        choice = {agent: cut(env.action_space(agent), action[i]) for agent, i in numbered}
        final, reward, terminated, truncated, _ = env.step(choice)
        following = final if env.agents else env.reset(seed=int(seed))[0]
        steps.append((final, reward, terminated, truncated, following))
    return steps


def cut(space, action):
    if action.ndim == 0:
        return int(action)
    return np.clip(action[: space.shape[0]], space.low, space.high)


@pytest.mark.parametrize(
    ("factory", "options"),
    [
        ("mpe2.simple_spread_v3", SPREAD),
        ("mpe2.simple_spread_v3", (*SPREAD, "continuous_actions=True")),
        ("mpe2.simple_speaker_listener_v4", ("max_cycles=4",)),
    ],
)
def test_every_number_is_that_of_the_game(factory, options):
    env = PettingZooEnv(factory, options, workers=2)
    actions = draw(env, copies=3, steps=12)
    first, timestep, following = play(env.vectorize(3), actions)
    sizes = [spec.observation for spec in env.specs]
    for c, steps in enumerate(by_hand(env, actions)):
        agents = list(steps[0][0])
        for t, (final, reward, terminated, truncated, after) in enumerate(steps):
            view = first.observation if t == 0 else following.observation[t - 1]
            for i, agent in enumerate(agents):
                assert np.array_equal(view[c, i, : sizes[i]], after[agent])
                assert not view[c, i, sizes[i] :].any()
                if t > 0:
                    seen = timestep.view.observation[t - 1, c, i, : sizes[i]]
                    assert np.array_equal(seen, final[agent])
                    assert timestep.reward[t - 1, c, i] == np.float32(reward[agent])
                    assert timestep.terminated[t - 1, c, i] == terminated[agent]
                    assert timestep.truncated[t - 1, c, i] == truncated[agent]
    assert timestep.truncated.any() and timestep.view.alive.all()


def test_unequal_agents_have_their_own_sizes():
    env = make("mpe2.simple_speaker_listener_v4")
    assert env.specs == (AgentSpec(3, Discrete(3)), AgentSpec(11, Discrete(5)))
    assert env.names == ("speaker_0", "listener_0")
    _, view = env.vectorize(1).reset(jax.random.key(0))
    assert view.observation.shape == (1, 2, 11)
    assert view.action_mask.tolist() == [[[True] * 3 + [False] * 2, [True] * 5]]


def test_agents_that_leave_perceive_and_earn_nothing():
    env = make("worlds:Ladder")
    assert [spec.observation for spec in env.specs] == [1, 2, 5]
    actions = np.broadcast_to(np.array([1, 2, 3], np.int32), (4, 1, 3))
    first, timestep, following = play(env.vectorize(1), actions)
    begin = first.observation[0, 0, 0]
    reward = [[2, 21, 301], [3, 22, 302], [0, 23, 303], [0, 0, 304]]
    assert timestep.reward[:, 0].tolist() == reward
    gone = [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert timestep.terminated[:, 0].tolist() == np.array(gone, bool).tolist()
    cut_off = [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert timestep.truncated[:, 0].tolist() == np.array(cut_off, bool).tolist()
    # A cut-off agent is still there in the final view; one whose episode has ended is not.
    there = [[1, 1, 1], [0, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert timestep.view.alive[:, 0].tolist() == np.array(there, bool).tolist()
    acting = [[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]]
    assert following.alive[:, 0].tolist() == np.array(acting, bool).tolist()
    assert timestep.view.observation[:, 0, 0, 0].tolist() == [begin + 1, begin + 2, 0, 0]
    assert timestep.view.observation[:, 0, 1, :2].tolist() == [[0, 1], [1, 0], [1, 1], [0, 0]]
    assert timestep.view.observation[:, 0, 2].argmax(-1).tolist() == [1, 2, 3, 4]
    assert following.observation[:, 0, 1, :2].tolist() == [[0, 1], [1, 0], [0, 0], [0, 0]]
    assert following.observation[:, 0, 2].argmax(-1).tolist() == [1, 2, 3, 0]


def test_actions_that_do_not_begin_at_0_are_shifted():
    actions = np.broadcast_to(np.array([1, 2, 3], np.int32), (1, 1, 3))
    _, timestep, _ = play(make("worlds:Ladder", extra=7).vectorize(1), actions)
    assert timestep.reward[0, 0].tolist() == [2, 21, 301]


def test_numbers_in_infos_are_passed_on_and_workers_never_import_jax():
    env = make("worlds:Ladder")
    _, timestep, _ = play(env.vectorize(2), np.zeros((3, 2, 3), np.int32))
    assert sorted(timestep.info) == ["jax", "real", "time"]
    assert timestep.info["time"][:, 1].tolist() == [[1, 1, 1], [2, 2, 2], [0, 3, 3]]
    assert not timestep.info["jax"].any()


def test_the_game_finds_the_whole_package():
    _, timestep, _ = play(make("worlds:Ladder").vectorize(2), np.zeros((1, 2, 3), np.int32))
    assert timestep.info["real"].all()


def test_boxes_of_unequal_size_and_own_bounds():
    env = make("worlds:Echo")
    low, high = (-1.0, -1.0, -1.0), (2.0, 2.0, 2.0)
    assert env.specs == (AgentSpec(2, Box(2, low[:2], high[:2])), AgentSpec(3, Box(3, low, high)))
    actions = np.full((1, 1, 2, 3), 5.0, np.float32)
    actions[0, 0, 1] = [0.5, -0.25, 1.0]
    first, timestep, _ = play(env.vectorize(1), actions)
    assert first.action_mask.tolist() == [[[True, True, False], [True, True, True]]]
    assert timestep.view.observation[0, 0].tolist() == [[2.0, 2.0, 0.0], [0.5, -0.25, 1.0]]
    assert timestep.reward[0, 0].tolist() == [4.0, 1.25]


@pytest.mark.parametrize("where", ["observation", "info"])
def test_masks_of_the_game_are_used(where):
    env = make("worlds:Masked", where=where)
    assert env.specs == (AgentSpec(1, Discrete(3)),) * 2
    first, timestep, following = play(env.vectorize(1), np.zeros((4, 1, 2), np.int32))
    assert timestep.view.action_mask.sum(-1)[:, 0, 0].tolist() == [1, 1, 1, 1]  # cut off, not over
    assert first.action_mask[0].argmax(-1).tolist() == [0, 0]
    assert following.action_mask.sum(-1).tolist() == [[[1, 1]]] * 4
    assert following.action_mask[:, 0, 0].argmax(-1).tolist() == [1, 2, 0, 0]
    assert following.observation[:, 0, 0, 0].tolist() == [1, 2, 3, 0]


def test_same_keys_same_bits_whatever_the_number_of_workers():
    actions = draw(make("mpe2.simple_spread_v3", N=2), copies=5, steps=8)
    one, three = (
        play(PettingZooEnv("mpe2.simple_spread_v3", SPREAD, n).vectorize(5), actions)
        for n in (1, 3)
    )
    same = jax.tree.map(np.array_equal, one, three)
    assert all(jax.tree.leaves(same))


def test_another_key_is_another_episode_and_copies_differ():
    env = make("mpe2.simple_spread_v3")
    vector = env.vectorize(2)
    (_, one), (_, two), (_, again) = (vector.reset(jax.random.key(k)) for k in (0, 1, 0))
    assert jnp.array_equal(one.observation, again.observation)
    assert not jnp.array_equal(one.observation, two.observation)
    assert not jnp.array_equal(one.observation[0], one.observation[1])


def test_states_are_played_side_by_side_without_a_second_compilation():
    vector = make("mpe2.simple_spread_v3", N=2).vectorize(2)
    traced = []

    @jax.jit
    def step(state, key):
        traced.append(1)
        return vector.step(state, jnp.ones((2, 2), jnp.int32), key)[:2]

    def advance(state, steps):
        for t in range(steps):
            state, timestep = step(state, jax.random.key(t))
        return timestep.view.observation

    states = [vector.reset(jax.random.key(k))[0] for k in range(2)]
    alone = advance(states[0], 7)
    vector.close(states[0])
    states[0], _ = vector.reset(jax.random.key(0))
    for t in range(7):
        mixed = [step(state, jax.random.key(t))[1].view.observation for state in states]
    assert jnp.array_equal(mixed[0], alone)
    assert not jnp.array_equal(mixed[1], alone)
    assert len(traced) == 1


def test_the_stalest_state_makes_room_and_says_so():
    vector = make("worlds:Echo").vectorize(1)
    vector.sessions.alive = 2
    states = [vector.reset(jax.random.key(k))[0] for k in range(2)]
    action, key = jnp.zeros((1, 2, 3)), jax.random.key(0)
    jax.block_until_ready(vector.step(states[0], action, key))
    states.append(vector.reset(key)[0])
    for state in (states[0], states[2]):
        jax.block_until_ready(vector.step(state, action, key))
    with pytest.raises(jax.errors.JaxRuntimeError):
        jax.block_until_ready(vector.step(states[1], action, key))
    assert "state 2 is no longer played: it was closed, or more than 2" in str(vector.failure)


def test_large_actions_do_not_stop_the_callback():
    vector = make("worlds:Echo", sizes=(20_000, 20_000)).vectorize(4)
    actions = np.ones((6, 4, 2, 20_000), np.float32)
    _, timestep, _ = play(vector, actions)
    assert (timestep.reward == 20_000.0).all()


def test_an_action_beyond_an_agents_own_is_refused():
    vector = make("worlds:Ladder").vectorize(1)
    with pytest.raises(jax.errors.JaxRuntimeError):
        play(vector, np.full((1, 1, 3), 2, np.int32))
    assert "agent 'ann' at step 1 of its episode: plays action 2 of 2." in str(vector.failure)


def test_a_picture_where_the_game_has_one():
    env = make("mpe2.simple_spread_v3").build(render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape == (700, 700, 3)
    with pytest.raises(EnvError, match=r"Ladder\(render_mode='rgb_array'\) failed: TypeError"):
        make("worlds:Ladder").build(render_mode="rgb_array")


@pytest.mark.parametrize("options", [("N",), ("=3",), ("N=3", "N=4"), ("a b=1",)])
def test_options_have_a_name_and_a_value(options):
    with pytest.raises(ConfigError, match="name=value"):
        PettingZooEnv("worlds:Echo", options)


@pytest.mark.parametrize(("copies", "workers", "named"), [(0, 1, "num_envs"), (1, 0, "workers")])
def test_numbers_below_1_are_refused(copies, workers, named):
    with pytest.raises(ConfigError, match=f"{named} must be at least 1, not 0"):
        make("worlds:Echo", workers=workers).vectorize(copies)
