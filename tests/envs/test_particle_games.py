"""What holds of every particle environment: shapes, time, randomness, compilation, pictures,
mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import (
    ENVS,
    Box,
    Circle,
    Discrete,
    Line,
    Spread,
    SpreadFarama,
    SpreadLiJia,
    SpreadMATRPO,
)
from coterie.envs.particle.team import Particles
from coterie.errors import ConfigError

CASES = [Spread, SpreadFarama, SpreadLiJia, SpreadMATRPO, Line, Circle]


def test_the_catalogue_knows_them_by_name():
    names = ["spread", "spread-farama", "spread-li-jia", "spread-matrpo", "line", "circle"]
    assert [ENVS[name] for name in names] == CASES


def joint_action(env, key):
    shape, size = (env.agents,), env.specs[0].action.size
    if env.continuous:
        return env.specs[0].action.rescale(jax.random.uniform(key, (*shape, size), minval=-1.0))
    return jax.random.randint(key, shape, 0, size)


def anywhere(env) -> Particles:
    """A state with everything somewhere in the arena, on the move."""
    random = np.random.default_rng(0)
    shapes = (env.agents, 2), (env.agents, 2), (env.landmarks, 2)
    places = (random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes)
    return Particles(*map(jnp.asarray, places), jnp.int32(0))


def play(env, seed: int, steps: int):
    """`steps` random steps from a reset: all timesteps, stacked."""
    start, play = jax.random.split(jax.random.key(seed))

    def move(state, key):
        return env.step(state, joint_action(env, key))

    return jax.lax.scan(move, env.reset(start)[0], jax.random.split(play, steps))[1]


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agents", [1, 2, 4, 9])
@pytest.mark.parametrize("kind", CASES)
def test_any_number_of_agents(kind, agents, continuous):
    env = kind(agents=agents, continuous=continuous)
    landmarks = {Line: 2, Circle: 1}.get(kind, agents)
    state, view = jax.eval_shape(env.reset, jax.random.key(0))
    action = jax.eval_shape(lambda key: joint_action(env, key), jax.random.key(0))
    _, timestep = jax.eval_shape(env.step, state, action)
    assert len(env.specs) == len(env.names) == agents
    silence = 0 if kind is SpreadMATRPO else 2 * (agents - 1)
    seen = 2 * agents + 2 + 2 * landmarks + silence
    assert {spec.observation for spec in env.specs} == {seen}
    assert view.observation.shape == timestep.view.observation.shape
    assert view.observation.shape == (agents, env.specs[0].observation)
    assert timestep.reward.shape == timestep.truncated.shape == (agents,)
    assert {name: value.shape for name, value in timestep.info.items()} == {
        "distance": (),
        "covered": (),
        "collisions": (),
    }
    assert jax.eval_shape(env.global_state, state, view).shape == (4 * agents + 2 * landmarks,)


@pytest.mark.parametrize("kind", CASES)
def test_time_limits_are_not_endings(kind):
    timesteps = jax.jit(lambda: play(kind(time_limit=4), seed=0, steps=4))()
    assert not np.any(timesteps.terminated)
    np.testing.assert_array_equal(timesteps.truncated, [[False] * 3] * 3 + [[True] * 3])
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(timesteps))


@pytest.mark.parametrize("kind", CASES)
def test_same_key_same_bits_and_another_key_another_episode(kind):
    env = kind()
    run = jax.jit(lambda seed: env.reset(jax.random.key(seed))[1].observation)
    one, same, other = (np.asarray(run(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.any(np.isclose(one[:, 2:4], other[:, 2:4]))


@pytest.mark.parametrize("kind", CASES)
def test_jitted_and_not_agree(kind):
    env = kind(agents=2, continuous=False)
    action = jnp.array([1, 4])
    slow, fast = (step(anywhere(env), action) for step in (env.step, jax.jit(env.step)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), slow, fast)


@pytest.mark.parametrize("kind", CASES)
def test_copies_play_apart_restart_together_and_compile_once(kind):
    env = kind(time_limit=3, continuous=False)
    vector = env.vectorize(5)
    traced = []

    @jax.jit
    def step(state, action, key):
        traced.append(True)
        return vector.step(state, action, key)

    state, view = jax.jit(vector.reset)(jax.random.key(0))
    alone, step_alone = jax.tree.map(lambda leaf: leaf[2], state), jax.jit(env.step)
    for key in jax.random.split(jax.random.key(1), 3):
        action = jnp.tile(jax.random.randint(key, (3,), 0, 5), (5, 1))
        state, timestep, view = step(state, action, key)
        alone, expected = step_alone(alone, action[2])
        np.testing.assert_allclose(timestep.reward[2], expected.reward, atol=1e-5)
        seen, expected = timestep.view.observation[2], expected.view.observation
        np.testing.assert_allclose(seen, expected, atol=1e-5)
    assert traced == [True]
    assert np.all(timestep.truncated) and not np.any(state.clock)
    np.testing.assert_array_equal(state.velocity, 0.0)
    before, after = np.asarray(timestep.view.observation), np.asarray(view.observation)
    assert not np.any(np.isclose(before[:, :, 2], after[:, :, 2]))


@pytest.mark.parametrize("kind", CASES)
def test_the_global_state_is_where_everything_is(kind):
    env = kind(agents=2)
    state = anywhere(env)
    parts = [state.position, state.velocity, state.landmark]
    whole = np.concatenate([np.ravel(part) for part in parts])
    np.testing.assert_array_equal(env.global_state(state, env.view(state)), whole)


@pytest.mark.parametrize(
    ("env", "kinds", "radii"),
    [
        (Spread(agents=2), ["landmark"] * 2 + ["agent"] * 2, [0.05] * 4),
        (SpreadFarama(agents=2), ["landmark"] * 2 + ["agent"] * 2, [0.05] * 2 + [0.15] * 2),
        (
            SpreadLiJia(agents=2),
            ["target-0", "target-1"] + ["agent"] * 2,
            [0.05] * 2 + [0.15] * 2,
        ),
        (
            Line(agents=2),
            ["target"] * 2 + ["landmark"] * 2 + ["agent"] * 2,
            [0.02] * 4 + [0.03] * 2,
        ),
        (Circle(agents=2), ["target"] * 2 + ["landmark"] + ["agent"] * 2, [0.02] * 3 + [0.03] * 2),
    ],
)
def test_scenes(env, kinds, radii):
    state = anywhere(env)
    scene = env.scene(state)
    assert list(scene.kinds) == kinds
    np.testing.assert_allclose(scene.radii, radii)
    np.testing.assert_array_equal(scene.positions[-2:], state.position)
    assert isinstance(scene.positions, np.ndarray) and scene.positions.shape == (len(kinds), 2)


def test_action_spaces():
    assert SpreadFarama(continuous=True).specs[0].action == Box(5, 0.0, 1.0)
    assert all(kind(continuous=True).specs[0].action == Box(2) for kind in (Spread, Line, Circle))
    assert all(kind(continuous=False).specs[0].action == Discrete(5) for kind in CASES)
    assert [kind for kind in CASES if kind().continuous] == [SpreadLiJia]


def test_a_discrete_action_is_one_of_the_continuous_ones():
    action = jnp.array([0, 1, 2, 3, 4])
    state = anywhere(SpreadFarama(agents=5))
    weights = jax.nn.one_hot(action, 5)
    _, discrete = jax.jit(SpreadFarama(agents=5).step)(state, action)
    _, continuous = jax.jit(SpreadFarama(agents=5, continuous=True).step)(state, weights)
    jax.tree.map(np.testing.assert_array_equal, discrete, continuous)


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (Spread, {"agents": 0}, "agents must be at least 1, not 0: try 3."),
        (SpreadFarama, {"time_limit": 0}, "time_limit must be at least 1, not 0: try 25."),
        (
            SpreadFarama,
            {"local_ratio": 1.5},
            "local_ratio must lie between 0 and 1, not 1.5: try 0.5.",
        ),
        (
            Line,
            {"vision": 0.0},
            "vision must be greater than 0, not 0.0: try 1.0, or none for no limit.",
        ),
    ],
)
def test_mistakes_get_one_sentence(kind, options, sentence):
    with pytest.raises(ConfigError) as caught:
        kind(**options)
    assert str(caught.value) == sentence


def test_an_unknown_order_gets_its_sentence_where_types_are_not_checked():
    env = Circle()
    object.__setattr__(env, "order", "newer")
    with pytest.raises(ConfigError, match=r"order must be one of \('new', 'old'\), not 'newer'\."):
        env.__post_init__()
