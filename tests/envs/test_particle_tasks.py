"""Spread, line and circle of the DPO paper: returns, targets, rewards and what is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import Circle, Line, Spread
from coterie.envs.particle.assignment import assign
from coterie.envs.particle.observations import distances
from coterie.envs.particle.tasks import line_end
from coterie.envs.particle.team import Particles


def at_rest(position, landmark) -> Particles:
    position, landmark = np.array(position, np.float32), np.array(landmark, np.float32)
    return Particles(*map(jnp.asarray, (position, 0 * position, landmark)), jnp.int32(0))


def mean_return(env, policy, episodes: int = 4000) -> float:
    """The mean over episodes of the sum of one agent's rewards; `policy(state, key) -> action`."""

    def episode(key):
        start, play = jax.random.split(key)
        state, _ = env.reset(start)

        def move(state, key):
            state, timestep = env.step(state, policy(state, key))
            return state, timestep.reward[0]

        return jnp.sum(jax.lax.scan(move, state, jax.random.split(play, env.time_limit))[1])

    keys = jax.random.split(jax.random.key(0), episodes)
    return float(jnp.mean(jax.jit(jax.vmap(episode))(keys)))


def random_team(state: Particles, key):
    return jax.random.randint(key, len(state.position), 0, 5)


def idle_team(state: Particles, key):
    return jnp.zeros(len(state.position), jnp.int32)


def greedy_team(state: Particles, key):
    """Push along the longer axis towards the own landmark, until it would be reached by gliding."""
    goal = state.landmark[assign(distances(state.position, state.landmark))]
    error = goal - state.position - 0.3 * state.velocity
    along_y = jnp.abs(error[:, 1]) > jnp.abs(error[:, 0])
    longer = jnp.where(along_y, error[:, 1], error[:, 0])
    push = 1 + 2 * along_y + (longer < 0)
    return jnp.where(jnp.abs(longer) < 0.08, 0, push)


@pytest.mark.parametrize(
    ("policy", "expected"), [(random_team, -18.4), (idle_team, -16.6), (greedy_team, -4.2)]
)
def test_returns_are_those_of_the_released_code(policy, expected):
    assert mean_return(Spread(agents=5), policy) == pytest.approx(expected, abs=0.3)


def test_everybody_receives_minus_the_mean_distance_of_the_best_assignment():
    state = at_rest([[0, 0], [1, 0], [0, 1]], [[1, 0.3], [0.4, 1], [0, 0]])
    after, timestep = jax.jit(Spread().step)(state, np.zeros(3, int))
    np.testing.assert_allclose(timestep.reward, [-0.7 / 3] * 3, rtol=1e-6)
    np.testing.assert_allclose(timestep.info["distance"], 0.7 / 3, rtol=1e-6)
    np.testing.assert_allclose(timestep.info["covered"], 1 / 3, rtol=1e-6)
    np.testing.assert_array_equal(after.position, state.position)


def test_the_best_assignment_may_send_an_agent_past_its_nearest_landmark():
    state = at_rest([[0, 0], [1, 0]], [[0.4, 0], [0, 1]])
    _, timestep = jax.jit(Spread(agents=2).step)(state, np.zeros(2, int))
    np.testing.assert_allclose(timestep.reward, [-0.8, -0.8], rtol=1e-6)


def test_rewards_are_clipped():
    _, timestep = jax.jit(Spread(agents=1).step)(at_rest([[30, 0]], [[0, 0]]), np.zeros(1, int))
    np.testing.assert_array_equal(timestep.reward, [-15.0])


def test_contacts_cost_their_share():
    position = [[0, 0], [0.09, 0], [0.5, 0.5]]
    rewards = []
    for penalty in (0.0, 3.0):
        env = Spread(collision_penalty=penalty)
        state = at_rest(position, position)._replace(velocity=jnp.zeros((3, 2)))
        _, timestep = jax.jit(env.step)(state, jnp.array([1, 2, 0]))
        assert float(timestep.info["collisions"]) == 1.0
        rewards.append(timestep.reward)
    np.testing.assert_allclose(rewards[1] - rewards[0], [-1.0] * 3, rtol=1e-5)


def test_actions_push_where_they_should():
    state = at_rest([[0, 0], [3, 0], [6, 0], [9, 0], [12, 0]], np.zeros((5, 2)))
    directions = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
    after, _ = jax.jit(Spread(agents=5).step)(state, jnp.arange(5))
    np.testing.assert_allclose(after.velocity, 0.5 * directions, atol=1e-7)
    smooth, _ = jax.jit(Spread(agents=5, continuous=True).step)(state, 0.5 * directions)
    np.testing.assert_allclose(smooth.velocity, 0.25 * directions, atol=1e-7)


def test_observations_read_velocity_place_landmarks_others_silence():
    state = at_rest([[0, 0], [0.5, 0.25]], [[1, 1], [-1, 0]])
    state = state._replace(velocity=jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    first = [1, 2, 0, 0, 1, 1, -1, 0, 0.5, 0.25, 0, 0]
    second = [3, 4, 0.5, 0.25, 0.5, 0.75, -1.5, -0.25, -0.5, -0.25, 0, 0]
    np.testing.assert_allclose(Spread(agents=2).view(state).observation, [first, second])


@pytest.mark.parametrize(("env", "landmarks"), [(Line, 2), (Circle, 1)])
def test_what_is_out_of_sight_reads_as_zeros(env, landmarks):
    landmark = [[0.0, 0.9], [0.0, 1.1]][:landmarks]
    state = at_rest([[0.0, 0.0], [0.6, 0.0], [1.0, 0.0]], landmark)
    everything = env(vision=None).view(state).observation
    seen = env().view(state).observation
    rest = slice(4 + 2 * landmarks, 8 + 2 * landmarks)
    np.testing.assert_allclose(seen[0, rest], [0.6, 0.0, 0.0, 0.0])  # a distance of 1 is too far
    np.testing.assert_allclose(seen[2, rest], [0.0, 0.0, -0.4, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(seen[1, rest], everything[1, rest])
    marks = [[0.0, 0.9, 0.0, 0.0], [0.0] * 4, [0.0] * 4]
    np.testing.assert_allclose(seen[:, 4 : 4 + 2 * landmarks], np.array(marks)[:, : 2 * landmarks])
    np.testing.assert_array_equal(seen[:, :4], everything[:, :4])


@pytest.mark.parametrize("agents", [1, 2, 5])
def test_line_targets_divide_the_line_evenly(agents):
    state = at_rest(np.zeros((agents, 2)), [[0.0, 0.2], [1.0, 0.95]])
    expected = {
        1: [[0, 0.2]],
        2: [[0, 0.2], [1, 0.95]],
        5: [[0, 0.2], [0.25, 0.3875], [0.5, 0.575], [0.75, 0.7625], [1, 0.95]],
    }
    np.testing.assert_allclose(Line(agents=agents).targets(state), expected[agents], rtol=1e-6)


def test_circle_targets_start_at_the_smallest_angle_of_an_agent():
    landmark = [[0.1, -0.1]]
    # Angles 270, 90 and 180 degrees about the landmark: the first place is at 90.
    state = at_rest([[0.1, -1.1], [0.1, 0.2], [-0.9, -0.1]], landmark)
    places = [[0.1, 0.4], [0.1 - np.sqrt(3) / 4, -0.35], [0.1 + np.sqrt(3) / 4, -0.35]]
    np.testing.assert_allclose(Circle().targets(state), places, atol=1e-6)
    alone = at_rest([[0.1, -1.1]], landmark)
    np.testing.assert_allclose(Circle(agents=1).targets(alone), [[0.1, -0.6]], atol=1e-6)


def test_a_team_in_place_on_its_circle_receives_nothing():
    angle = 0.3 + np.pi / 2 * np.array([2, 0, 3, 1])
    position = 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    _, timestep = jax.jit(Circle(agents=4).step)(at_rest(position, [[0, 0]]), np.zeros(4, int))
    np.testing.assert_allclose(timestep.reward, 0.0, atol=1e-6)
    assert float(timestep.info["covered"]) == 1.0


def turned(first: np.ndarray, angle: float) -> np.ndarray:
    """The end of the line as the released code describes it: turn until it is inside."""
    while True:
        end = first + 1.25 * np.array([np.cos(angle), np.sin(angle)])
        if np.all(np.abs(end) < 1):
            return end
        angle += np.radians(5)


def test_lines_turn_until_they_are_inside():
    random = np.random.default_rng(0)
    first, angle = random.uniform(-0.25, 0.25, (500, 2)), random.uniform(0, 2 * np.pi, 500)
    expected = [turned(*each) for each in zip(first, angle, strict=True)]
    with jax.enable_x64(True):
        ends = jax.jit(jax.vmap(line_end))(jnp.asarray(first), jnp.asarray(angle))
    np.testing.assert_allclose(ends, expected, atol=1e-12)


def resets(env) -> Particles:
    """2000 of them, as numpy arrays."""
    keys = jax.random.split(jax.random.key(0), 2000)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(env.reset))(keys)[0])


def test_resets_lie_where_they_should():
    start, end = resets(Line()).landmark.swapaxes(0, 1)
    np.testing.assert_allclose(np.linalg.norm(end - start, axis=-1), 1.25, rtol=1e-5)
    assert np.abs(end).max() < 1
    for middle in (start, resets(Circle()).landmark):
        assert 0.245 < np.abs(middle).max() < 0.25
    state = resets(Spread())
    for anywhere in (state.position, state.landmark):
        assert 0.99 < np.abs(anywhere).max() < 1
        np.testing.assert_allclose(anywhere.mean((0, 1)), 0.0, atol=0.03)
        np.testing.assert_allclose(anywhere.var(), 1 / 3, atol=0.01)
