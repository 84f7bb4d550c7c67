"""Li & Jia's spread: what it pays by hand, what everybody sees, and the shared physics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import Box, SpreadFarama, SpreadLiJia
from coterie.envs.check import check_env
from coterie.envs.particle.team import Particles

PLACES = np.float32([[0.0, 0.0], [0.2, 0.0], [-0.5, 0.5]])
TARGETS = np.float32([[0.3, 0.4], [0.2, 1.0], [-0.5, -0.5]])


def resting(position, landmark=TARGETS) -> Particles:
    position = jnp.asarray(position)
    return Particles(position, 0 * position, jnp.asarray(landmark), jnp.int32(0))


def test_each_goes_to_its_own_target():
    # The distances to the own targets are 5, 12 and 13; agent 1 stands on the target of agent 0.
    position = np.float32([[0.0, 0.0], [3.0, 4.0], [-8.0, 0.0]])
    targets = np.float32([[3.0, 4.0], [3.0, 16.0], [-3.0, 12.0]])
    state = resting(position, targets)
    _, timestep = jax.jit(SpreadLiJia().step)(state, jnp.zeros((3, 5)))
    np.testing.assert_allclose(timestep.reward, [-10.0] * 3, rtol=1e-6)
    np.testing.assert_allclose(timestep.info["distance"], 10.0, rtol=1e-6)


def test_a_touch_costs_one_however_many_are_touched():
    # Everyone stands on its target. 1 touches 0 and 2, who push as hard as their contacts do.
    row = np.float32([[-0.25, 0.0], [0.0, 0.0], [0.25, 0.0], [5.0, 0.0]])
    right, left = np.eye(5)[2], np.eye(5)[1]
    pushes = jnp.array([right, 0 * right, left, 0 * right], jnp.float32)
    moved, timestep = jax.jit(SpreadLiJia(agents=4).step)(resting(row, row), pushes)
    np.testing.assert_allclose(moved.position, row, atol=1e-6)
    np.testing.assert_allclose(timestep.reward, [-0.75] * 4, rtol=1e-5)
    assert timestep.info["collisions"] == 2


def test_everyone_sees_the_same_and_is_paid_the_same():
    env = SpreadLiJia()
    state = Particles(jnp.asarray(PLACES), jnp.asarray(PLACES + 7), jnp.asarray(TARGETS), 0)
    expected = np.concatenate([PLACES.ravel(), PLACES.ravel() + 7, TARGETS.ravel()])
    np.testing.assert_array_equal(env.view(state).observation, [expected] * 3)
    bare = SpreadLiJia(velocities=False).view(state).observation
    np.testing.assert_array_equal(bare, [np.delete(expected, np.s_[6:12])] * 3)
    _, timestep = jax.jit(env.step)(resting(PLACES), jnp.zeros((3, 5)))
    assert np.ptp(timestep.reward) == 0.0 and np.all(timestep.reward < 0.0)


@pytest.mark.parametrize("continuous", [False, True])
def test_it_moves_as_the_other_spread_does_in_the_old_order(continuous):
    theirs, ours = (
        kind(order="old", continuous=continuous, agents=3) for kind in (SpreadFarama, SpreadLiJia)
    )
    assert ours == SpreadLiJia(continuous=continuous) and ours.time_limit == 25
    state, key = resting(PLACES), jax.random.key(0)
    pushes = jax.random.uniform(key, (3, 5)) if continuous else jnp.array([2, 1, 4])
    for _ in range(3):
        expected, seen = jax.jit(theirs.step)(state, pushes)
        state, timestep = jax.jit(ours.step)(state, pushes)
        jax.tree.map(np.testing.assert_array_equal, state, expected)
        assert timestep.info["collisions"] == seen.info["collisions"]
    assert not np.allclose(state.position, PLACES, atol=0.05)


def test_it_is_fit_to_train_in():
    assert check_env(SpreadLiJia()) == check_env(SpreadLiJia(velocities=False)) == []
    assert SpreadLiJia().specs[0].action == Box(5, 0.0, 1.0)
