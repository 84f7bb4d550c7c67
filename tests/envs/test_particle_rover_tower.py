"""Rovers and towers: every rule by hand, and a plain transcription of all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import ENVS, RoverTower
from coterie.envs.check import check_env
from coterie.envs.particle.rover_tower import Guided
from coterie.errors import ConfigError
from tests.envs import plain

REST = jnp.zeros(8, jnp.int32)
TOWER_OF = np.array([2, 0, 3, 1])
STEP = jax.jit(RoverTower().step)


def guided(position, goal) -> Guided:
    """Four rovers at rest; rover `i` listens to tower `TOWER_OF[i]`, and nothing was said yet."""
    position = jnp.array(position, jnp.float32)
    pairs = jnp.array(np.eye(4)[TOWER_OF], jnp.float32)
    landmark = jnp.array([*goal, [0.0, 0.0], [1.0, 1.0]], jnp.float32)
    words, clock = jnp.zeros((4, 5)), jnp.int32(0)
    return Guided(position, 0 * position, position + 3, landmark, landmark[:4], pairs, words, clock)


FOUR = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]]


def test_both_of_a_pair_are_paid_by_the_square_of_the_distance_and_nobody_else():
    goal = [[0.1, 1.2], [0.3, -1.6], [3.5, 4.6], [0.7, 1.3]]
    _, timestep = STEP(guided(FOUR, goal), REST)
    np.testing.assert_allclose(timestep.reward[:4], [-1.0, -4.0, -25.0, -0.25], atol=1e-5)
    np.testing.assert_allclose(timestep.reward[4:], [-4.0, -0.25, -1.0, -25.0], atol=1e-5)
    np.testing.assert_allclose(timestep.info["distance"], (1 + 2 + 5 + 0.5) / 4, rtol=1e-6)
    assert timestep.info["arrived"] == 0


def test_the_threshold_holds_for_the_squared_distance():
    """sqrt(0.1725) is 0.4153: at 0.41 one has arrived, at 0.42 not."""
    place = [[0.0, 0.0]] * 4
    goal = [[0.41, 0.0], [0.0, -0.42], [0.4153, 0.0], [0.4154, 0.0]]
    _, timestep = STEP(guided(place, goal), REST)
    squares = np.array([0.41, 0.42, 0.4153, 0.4154]) ** 2
    np.testing.assert_allclose(timestep.reward[:4], [10, 0, 10, 0] - squares, atol=1e-5)
    assert timestep.info["arrived"] == 0.5


def test_what_a_tower_says_is_heard_at_the_same_step_by_its_rover():
    state = guided(FOUR, FOUR)
    before = np.asarray(RoverTower().view(state).observation)
    np.testing.assert_array_equal(before[:4, 4:9], 0.0)
    said = np.array([1, 4, 0, 2])
    after, timestep = STEP(state, jnp.array([0, 0, 0, 0, *said]))
    seen = np.asarray(timestep.view.observation)
    np.testing.assert_array_equal(seen[:4, 4:9], np.eye(5)[said[TOWER_OF]])
    _, timestep = STEP(after, REST)
    np.testing.assert_array_equal(timestep.view.observation[:4, 4:9], [np.eye(5)[0]] * 4)


def test_a_rover_sees_no_goal_and_a_tower_everything_about_its_rover():
    goal = [[-0.1, 0.0], [-0.2, 0.0], [-0.3, 0.0], [-0.4, 0.0]]
    state = guided(FOUR, goal)._replace(velocity=jnp.array(FOUR) + 1)
    seen = np.asarray(RoverTower().view(state).observation)
    assert seen.shape == (8, 13)
    for rover, tower in enumerate(TOWER_OF):
        place = np.float32(FOUR[rover])
        expected = [*np.eye(4)[tower], *np.zeros(5), *place, *(place + 1)]
        np.testing.assert_allclose(seen[rover], expected, atol=1e-6)
        expected = [*np.eye(4)[rover], *place, *goal[rover], *np.zeros(5)]
        np.testing.assert_allclose(seen[4 + tower], expected, atol=1e-6)


def test_rovers_pass_through_each_other_and_towers_stay():
    state = guided([[0.0, 0.0], [0.01, 0.0], [0.02, 0.0], [0.03, 0.0]], FOUR)
    after, _ = STEP(state, jnp.array([1, 2, 3, 4, 1, 2, 3, 4]))
    push = plain.DIRECTIONS[1:]
    np.testing.assert_allclose(after.velocity, 0.225 * push, atol=1e-6)
    np.testing.assert_allclose(after.position, state.position + 0.0225 * push, atol=1e-6)
    np.testing.assert_array_equal(after.tower, state.tower)
    np.testing.assert_array_equal(after.landmark, state.landmark)
    fast = state._replace(velocity=jnp.array([[3.0, 4.0]] * 4))
    np.testing.assert_allclose(STEP(fast, REST)[0].velocity, [[0.6, 0.8]] * 4, atol=1e-6)


def test_episodes_draw_pairs_goals_and_places_anew():
    states, _ = jax.jit(jax.vmap(RoverTower().reset))(jax.random.split(jax.random.key(0), 2400))
    pairs = np.asarray(states.pairs)
    assert np.all(pairs.sum(axis=1) == 1) and np.all(pairs.sum(axis=2) == 1)
    _, often = np.unique(pairs.argmax(axis=2), axis=0, return_counts=True)
    assert len(often) == 24 and often.min() > 60  # of 100 on average
    hit = np.all(states.goal[:, :, None] == states.landmark[:, None], axis=-1)
    assert np.all(hit.sum(axis=2) == 1)
    np.testing.assert_allclose(hit.mean(axis=0), 1 / 6, atol=0.04)
    apart = np.mean(hit[:, 0].argmax(axis=1) != hit[:, 1].argmax(axis=1))
    np.testing.assert_allclose(apart, 5 / 6, atol=0.03)  # with replacement
    for place in (states.position, states.tower, states.landmark):
        assert 0.99 < np.abs(place).max() < 1.0
        np.testing.assert_allclose(np.mean(place, axis=(0, 1)), 0.0, atol=0.04)
    assert not np.any(states.velocity) and not np.any(states.message)


@pytest.mark.parametrize("agents", [8, 12])
def test_a_plain_transcription_agrees_on_a_thousand_steps(agents):
    count, rovers = 1000, agents // 2
    random = np.random.default_rng(agents)
    tower_of = random.permuted(np.tile(np.arange(rovers), (count, 1)), axis=1)
    position, goal = random.uniform(-0.6, 0.6, (2, count, rovers, 2))
    velocity = random.normal(size=(count, rovers, 2)) / 2
    landmark, words = np.zeros((count, 6, 2)), np.zeros((count, rovers, 5))
    pairs, clock = np.eye(rovers)[tower_of], np.zeros(count, np.int32)
    states = Guided(position, velocity, position, landmark, goal, pairs, words, clock)
    actions = random.integers(0, 5, (count, agents))
    with jax.enable_x64(True):
        step = jax.jit(jax.vmap(RoverTower(agents=agents).step))
        after, timestep = jax.device_get(step(states, actions))
    for n in range(count):
        mine = plain.Pairs(position[n], velocity[n], goal[n], tower_of[n].tolist())
        mine.step(plain.DIRECTIONS[actions[n, :rovers]], actions[n, rovers:])
        np.testing.assert_allclose(after.position[n], mine.position, atol=1e-12)
        np.testing.assert_allclose(after.velocity[n], mine.velocity, atol=1e-12)
        np.testing.assert_allclose(timestep.reward[n], mine.rewards(), atol=1e-12)
        np.testing.assert_allclose(timestep.view.observation[n], mine.sees(), atol=1e-12)
    arrived = np.mean(timestep.reward > 0)
    assert 0.2 < arrived < 0.8 and np.mean(np.linalg.norm(after.velocity, axis=-1) > 0.999) > 0.01


@pytest.mark.parametrize(("agents", "rover", "tower"), [(2, 10, 5), (8, 13, 8), (16, 17, 12)])
def test_any_number_of_pairs(agents, rover, tower):
    env, half = RoverTower(agents=agents, landmarks=3), agents // 2
    assert [spec.observation for spec in env.specs] == [rover] * half + [tower] * half
    assert {spec.action.size for spec in env.specs} == {5}
    state, view = jax.eval_shape(env.reset, jax.random.key(0))
    assert view.observation.shape == (agents, rover) and state.landmark.shape == (3, 2)
    whole = jax.eval_shape(env.global_state, state, view)
    assert whole.shape == (11 * half + half**2,)


def test_it_is_fit_to_train_in_and_lasts_25_steps():
    assert check_env(RoverTower()) == [] and RoverTower().time_limit == 25
    assert ENVS["rover-tower"] is RoverTower


def test_copies_play_apart_and_restart_with_other_pairs():
    vector = RoverTower(time_limit=2).vectorize(50)
    state, _ = jax.jit(vector.reset)(jax.random.key(0))
    step, first = jax.jit(vector.step), state
    for key in jax.random.split(jax.random.key(1), 2):
        action = jax.random.randint(key, (50, 8), 0, 5)
        alone = jax.tree.map(lambda leaf: leaf[3], state)
        state, timestep, view = step(state, action, key)
        _, expected = jax.jit(RoverTower(time_limit=2).step)(alone, action[3])
        np.testing.assert_allclose(timestep.reward[3], expected.reward, atol=1e-5)
    assert np.all(timestep.truncated) and not np.any(timestep.terminated)
    assert not np.any(state.clock) and np.any(state.pairs != first.pairs)
    np.testing.assert_array_equal(view.observation[:, :4, :4], state.pairs)


def test_pictures_show_each_goal_in_the_color_of_its_rover():
    goal = [[-0.1, 0.0], [-0.2, 0.0], [-0.2, 0.0], [-0.4, 0.0]]
    state = guided(FOUR, goal)
    scene = RoverTower().scene(state)
    goals = ("target-0", "target-1", "target-2", "target-3")
    assert scene.kinds == ("landmark",) * 6 + goals + ("agent",) * 8
    np.testing.assert_array_equal(scene.positions[6:10], np.float32(goal))
    np.testing.assert_array_equal(scene.positions[10:14], state.position)
    np.testing.assert_array_equal(scene.positions[14:], state.tower)
    np.testing.assert_allclose(scene.radii, [0.04] * 10 + [0.075] * 8)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"agents": 7}, "agents must be a multiple of 2, not 7: try 8."),
        ({"time_limit": 0}, "time_limit must be at least 1, not 0: try 25."),
        ({"landmarks": 0}, "landmarks must be at least 1, not 0: try 6."),
    ],
)
def test_mistakes_get_one_sentence(options, sentence):
    with pytest.raises(ConfigError) as caught:
        RoverTower(**options)
    assert str(caught.value) == sentence
