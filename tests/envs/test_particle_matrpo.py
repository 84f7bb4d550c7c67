"""MATRPO's navigation: who is paid for what, and what is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import SpreadMATRPO
from coterie.envs.check import check_env
from coterie.envs.particle.team import Particles


def resting(positions, landmarks):
    positions, landmarks = jnp.array(positions), jnp.array(landmarks)
    return Particles(positions, jnp.zeros_like(positions), landmarks, jnp.int32(0))


def paid(state):
    _, timestep = jax.jit(SpreadMATRPO().step)(state, jnp.zeros(3, jnp.int32))
    return timestep.reward


def test_only_the_first_agent_is_told_how_well_they_cover():
    """Distances 0.5, 0 and 1 to the nearest agent; nobody touches."""
    state = resting([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]], [[0.5, 0.0], [2.0, 0.0], [4.0, 1.0]])
    np.testing.assert_allclose(paid(state), [-1.5, 0.0, 0.0], atol=1e-6)


def test_everybody_loses_one_for_each_that_it_touches():
    """In a row, the outer two run into the middle one, but do not touch each other."""
    row = jnp.array([[0.0, 0.0], [0.31, 0.0], [0.62, 0.0]])
    speed = jnp.array([[0.5, 0.0], [0.0, 0.0], [-0.5, 0.0]])
    state = Particles(row, speed, row, jnp.int32(0))
    reward, moved = paid(state), jax.jit(SpreadMATRPO().step)(state, jnp.zeros(3, jnp.int32))[0]
    near = np.linalg.norm(moved.position[:, None] - moved.landmark[None], axis=-1).min(axis=0)
    touching = np.linalg.norm(moved.position[:, None] - moved.position[None], axis=-1) < 0.3
    touched = touching.sum(axis=1) - 1
    assert touched.tolist() == [1, 2, 1]
    np.testing.assert_allclose(reward, [-near.sum() - 1, -2, -1], atol=1e-6)


@pytest.mark.parametrize(("agents", "size"), [(3, 14), (6, 26)])
def test_an_agent_sees_itself_landmarks_and_the_others(agents, size):
    env = SpreadMATRPO(agents=agents)
    state, view = jax.jit(env.reset)(jax.random.key(0))
    assert view.observation.shape == (agents, size) and env.specs[0].observation == size
    own = np.concatenate([state.velocity, state.position], axis=1)
    np.testing.assert_allclose(view.observation[:, :4], own)
    marks = (state.landmark[None] - state.position[:, None]).reshape(agents, -1)
    np.testing.assert_allclose(view.observation[:, 4 : 4 + 2 * agents], marks, atol=1e-6)
    last = state.position[-2] - state.position[-1]  # the last thing that the last one sees
    np.testing.assert_allclose(view.observation[-1, -2:], last, atol=1e-6)


def test_it_is_a_sound_game_of_a_hundred_steps():
    assert check_env(SpreadMATRPO()) == []
    assert SpreadMATRPO().time_limit == 100 and SpreadMATRPO().order == "old"
