"""The particle world: golden steps of both integration orders, and what must hold of any step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import SpreadFarama
from coterie.envs.particle.physics import Bodies, advance, contact_forces, touched
from coterie.envs.particle.team import Particles

LANDMARKS = [[0.5, 0.5], [-0.5, -0.5], [0.0, 0.8]]
START = [[0.0, 0.0], [0.2, 0.0], [-0.5, 0.5]]
ACTIONS = [[2, 1, 4], [2, 1, 4], [3, 4, 0], [0, 0, 0]]
# Per order and step: positions, velocities, rewards. Found with the two reference cores.
GOLDEN = {
    "new": [
        (
            [[0, 0], [0.2, 0], [-0.5, 0.5]],
            [[-0.5, 0], [0.5, 0], [0, 0.5]],
            [-1.43664858, -1.43664858, -0.93664858],
        ),
        (
            [[-0.05, 0], [0.25, 0], [-0.5, 0.55]],
            [[-0.875, 0], [0.875, 0], [0, 0.875]],
            [-0.89535760] * 3,
        ),
        (
            [[-0.1375, 0], [0.3375, 0], [-0.5, 0.6375]],
            [[-0.66318147, -0.5], [0.66318147, 0.5], [0, 0.65625]],
            [-0.83453400] * 3,
        ),
        (
            [[-0.20381815, -0.05], [0.40381815, 0.05], [-0.5, 0.703125]],
            [[-0.4973861, -0.375], [0.4973861, 0.375], [0, 0.4921875]],
            [-0.75409324] * 3,
        ),
    ],
    "old": [
        (
            [[-0.05, 0], [0.25, 0], [-0.5, 0.55]],
            [[-0.5, 0], [0.5, 0], [0, 0.5]],
            [-0.89535760] * 3,
        ),
        (
            [[-0.03819315, 0], [0.23819315, 0], [-0.5, 0.6375]],
            [[0.11806853, 0], [-0.11806853, 0], [0, 0.875]],
            [-1.38538783, -1.38538783, -0.88538783],
        ),
        (
            [[-0.05295171, -0.05], [0.25295171, 0.05], [-0.5, 0.703125]],
            [[-0.14758566, -0.5], [0.14758566, 0.5], [0, 0.65625]],
            [-0.82848259] * 3,
        ),
        (
            [[-0.06402064, -0.0875], [0.26402064, 0.0875], [-0.5, 0.75234375]],
            [[-0.11068925, -0.375], [0.11068925, 0.375], [0, 0.4921875]],
            [-0.78884503] * 3,
        ),
    ],
}


@pytest.mark.parametrize("order", ["new", "old"])
def test_golden_steps(order):
    with jax.enable_x64(True):
        env = SpreadFarama(order=order)
        start, landmarks, step = jnp.array(START), jnp.array(LANDMARKS), jax.jit(env.step)
        state = Particles(start, jnp.zeros((3, 2)), landmarks, jnp.int32(0))
        for action, (position, velocity, reward) in zip(ACTIONS, GOLDEN[order], strict=True):
            state, timestep = step(state, jnp.array(action))
            np.testing.assert_allclose(state.position, position, atol=1e-8)
            np.testing.assert_allclose(state.velocity, velocity, atol=1e-8)
            np.testing.assert_allclose(timestep.reward, reward, atol=1e-8)


def pushed(position, bodies: Bodies) -> np.ndarray:
    """The contact forces between discs at these places."""
    return np.asarray(jax.jit(lambda p: contact_forces(p, bodies))(np.array(position, np.float32)))


def moved(position, velocity, bodies: Bodies, order="old") -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities after a step without control."""
    still = np.zeros((len(position), 2), np.float32)
    places = np.array(position, np.float32), np.array(velocity, np.float32)
    after = jax.jit(lambda p, v: advance(p, v, still + 0 * p, bodies, order))(*places)
    return np.asarray(after[0]), np.asarray(after[1])


def test_discs_that_just_touch_push_with_the_softened_force():
    force = pushed([[0.0, 0.0], [0.0, 0.5]], Bodies(0.25))
    np.testing.assert_allclose(force, [[0, -0.1 * np.log(2)], [0, 0.1 * np.log(2)]], rtol=1e-5)


def test_discs_in_one_place_stay_finite():
    force = pushed([[0.3, 0.3], [0.3, 0.3], [0.3, 0.31]], Bodies(0.15))
    assert np.all(np.isfinite(force))
    np.testing.assert_array_equal(force[0], force[1])
    np.testing.assert_allclose(force[2], [0, 2 * 100 * 0.29], rtol=1e-5)


@pytest.mark.parametrize("order", ["new", "old"])
def test_contacts_keep_momentum_and_damping_takes_a_quarter_of_it(order):
    random = np.random.default_rng(0)
    position, velocity = random.uniform(-0.2, 0.2, (6, 2)), random.normal(size=(6, 2))
    mass = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
    bodies = Bodies(np.array([0.1, 0.2, 0.1, 0.1, 0.2, 0.1]), mass)
    _, after = moved(position, velocity, bodies, order)
    assert np.abs(after - 0.75 * velocity).max() > 1
    np.testing.assert_allclose(mass @ after, 0.75 * mass @ velocity, atol=1e-4)


def test_only_discs_that_collide_push_or_touch():
    position = [[0.0, 0.0], [0.1, 0.0], [0.15, 0.0]]
    bodies = Bodies(0.1, collides=np.array([True, False, True]))
    force = pushed(position, bodies)
    np.testing.assert_array_equal(force[1], 0.0)
    np.testing.assert_allclose(force[::2], pushed(position[::2], Bodies(0.1)))
    count = jax.jit(lambda p: (touched(p, bodies), touched(p, Bodies(0.06))))
    some, all_of_them = count(np.array(position, np.float32))
    np.testing.assert_array_equal(some, [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(all_of_them, [1.0, 2.0, 1.0])


def test_what_cannot_move_stays_and_still_pushes():
    bodies = Bodies(0.1, movable=np.array([False, True]))
    position, velocity = moved([[0.0, 0.0], [0.1, 0.0]], np.zeros((2, 2)), bodies)
    np.testing.assert_array_equal(position[0], 0.0)
    np.testing.assert_array_equal(velocity[0], 0.0)
    np.testing.assert_allclose(velocity[1], [1.0, 0.0], rtol=1e-5)


def test_speed_limit_keeps_the_direction_and_spares_the_slow():
    bodies = Bodies(0.01, max_speed=np.array([1.0, 1.0]))
    _, after = moved([[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [0.3, 0.4]], bodies)
    np.testing.assert_allclose(after, [[0.6, 0.8], [0.225, 0.3]], rtol=1e-6)


def test_a_push_that_lasts_leads_to_speed_two():
    env = SpreadFarama(agents=1)

    def run(key):
        actions = jnp.full((100, 1), 4)
        return jax.lax.scan(lambda s, a: (env.step(s, a)[0], None), env.reset(key)[0], actions)

    state, _ = jax.jit(run)(jax.random.key(0))
    np.testing.assert_allclose(state.velocity, [[0.0, 2.0]], rtol=1e-5)
