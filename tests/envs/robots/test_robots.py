"""Robots as environments: options, exact states, and simulations that go wrong."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IPPO
from coterie.envs import Ant, HalfCheetah, Hopper, Humanoid, Walker2d
from coterie.envs.check import check_env
from coterie.envs.robots.physics import model_path
from coterie.envs.robots.robot import _machine
from coterie.envs.robots.sight import distances
from coterie.errors import ConfigError, EnvError
from coterie.training.state import resolve_specs

SEEDS = np.arange(5, dtype=np.uint32)


def played(robot, seeds, steps=6, start=None):
    """State and timestep after some steps of the same actions in every copy."""
    state = robot.reset(seeds)[0] if start is None else start
    widest = max(spec.action.size for spec in robot.specs)
    shape = (1, len(robot.specs), widest)
    for step in range(steps):
        action = np.random.default_rng(step).uniform(-0.4, 0.4, shape).astype(np.float32)
        state, timestep = robot.step(state, np.repeat(action, len(seeds), axis=0))
    return state, timestep


def assert_same(one, two):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [HalfCheetah, Ant])
def test_a_copy_does_not_depend_on_threads_or_on_other_copies(kind):
    alone, threaded = kind(threads=1), kind(threads=3)
    batch = played(threaded, SEEDS)
    assert_same(batch, played(alone, SEEDS))
    assert_same(jax.tree.map(lambda x: x[3:4], batch), played(alone, SEEDS[3:4]))


def test_a_state_is_all_that_a_step_depends_on():
    robot = Walker2d()
    half, _ = played(robot, SEEDS, steps=3)
    kept = jax.tree.map(np.copy, half)
    after = played(robot, SEEDS, steps=4, start=half)
    assert_same(half, kept)
    played(robot, SEEDS[::-1], steps=2)  # something else in between
    assert_same(after, played(robot, SEEDS, steps=4, start=kept))


def test_an_episode_is_cut_off_and_begun_anew():
    vector = HalfCheetah(max_steps=3).vectorize(2)

    @jax.jit
    def play(key):
        state, view = vector.reset(key)

        def step(carry, key):
            state, view = carry
            state, timestep, view = vector.step(state, jnp.zeros((2, 3, 2)), key)
            return (state, view), (timestep.truncated, timestep.view, view)

        return jax.lax.scan(step, (state, view), jax.random.split(key, 4))

    _, (cut, last, following) = play(jax.random.key(0))
    assert np.array_equal(cut[:, 0, 0], [False, False, True, False])
    different = np.any(np.asarray(last.observation != following.observation), axis=(1, 2, 3))
    assert np.array_equal(different, [False, False, True, False])


def test_seeds_are_played_as_one_batch():
    vector = Hopper().vectorize(2)

    def play(key):
        state, view = vector.reset(key)
        return vector.step(state, view.observation[..., :1], key)

    keys = jax.random.split(jax.random.key(3), 3)
    together = jax.jit(jax.vmap(play))(keys)
    assert_same(jax.tree.map(lambda x: x[1], together), jax.jit(play)(keys[1]))


def test_agents_own_their_actuators():
    robot = HalfCheetah(partition=("ffoot,bthigh", "bshin", "fshin,bfoot,fthigh"))
    assert [spec.action.size for spec in robot.specs] == [2, 1, 3]
    action = np.array([[[1, 2, 0], [3, 0, 0], [4, 5, 6]]], np.float32) / 10
    controls = _machine(robot).controls(action)  # bthigh, bshin, bfoot, fthigh, fshin, ffoot
    np.testing.assert_array_equal(controls[0], np.float32([2, 3, 5, 6, 4, 1]) / np.float32(10))


def test_agents_with_unequal_parts_know_which_entries_are_theirs():
    robot = HalfCheetah(partition="bthigh | bshin bfoot fthigh fshin ffoot", max_steps=3)
    _, view = robot.reset(SEEDS)
    assert view.action_mask[2].sum(axis=1).tolist() == [1, 5]
    assert check_env(robot, episodes=1) == []
    assert resolve_specs(robot, robot.vectorize(2), IPPO())[0].masked


def test_joints_are_told_by_distance():
    body = Humanoid.ANATOMY
    assert distances(body, ["left_elbow"], 1)[1] == ["left_shoulder1", "left_shoulder2"]
    far = distances(Hopper.ANATOMY, ["thigh_joint"], 9)
    assert far[:3] == [["thigh_joint"], ["leg_joint"], ["foot_joint"]] and not any(far[3:])


def test_an_agent_sees_its_own_abdomen():
    """Gymnasium-Robotics shows who has one of these joints the other's position."""
    robot = Humanoid(obsk=0)
    state, view = robot.reset(np.array([7]))
    simulator = _machine(robot).simulator
    own = dict(zip(robot.names, view.observation[0, :, 0], strict=True))
    for joint in ("abdomen_y", "abdomen_z", "left_knee"):
        place = simulator.model.joint(joint).qposadr[0]
        assert own[joint] == np.float32(simulator.posture(state.rows)[0][0, place])


def test_an_unstable_simulation_ends():
    robot = HalfCheetah()
    state, _ = robot.reset(SEEDS[:2])
    state.rows[0, 1 + 9 : 1 + 18] = 1e12  # velocities
    state, timestep = robot.step(state, np.zeros((2, 3, 2), np.float32))
    assert timestep.terminated.tolist() == [[True] * 3, [False] * 3]
    assert timestep.info["unstable"].tolist() == [True, False]
    assert timestep.reward[0].tolist() == [0.0] * 3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state, timestep)))


@pytest.mark.parametrize(
    ("partition", "told"),
    [
        ("4x2", r"HalfCheetah has no joint or partition '4x2': did you mean '3x2'"),
        ("bthig,bshin|bfoot,fthigh,fshin,ffoot", r"no joint or partition 'bthig': did .* 'bthigh'"),
        ("bthigh,bshin,bfoot|fthigh,fshin", r"nobody moves ffoot of HalfCheetah: partitions are"),
        ("bthigh,bshin,bfoot|fthigh,fshin,ffoot,bfoot", r"joint bfoot of HalfCheetah has 2 owners"),
        ("bthigh,bshin,bfoot,fthigh,fshin,ffoot|", r"an agent of HalfCheetah has no joint"),
        ("bthigh,,bshin,bfoot,fthigh|fshin,ffoot", r"HalfCheetah has no joint or partition ''"),
    ],
)
def test_a_partition_deals_each_joint_once(partition, told):
    with pytest.raises(EnvError, match=told):
        HalfCheetah(partition=partition)


@pytest.mark.parametrize("option", [{"obsk": -1}, {"max_steps": 0}, {"threads": 0}])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ConfigError, match=next(iter(option)).replace("_", "[-_]")):
        Hopper(**option)


def test_models_of_ones_own(tmp_path):
    weak = Path(model_path("hopper.xml")).read_text().replace("200.0", "20.0")
    (tmp_path / "weak.xml").write_text(weak)
    robot = Hopper(model_file=str(tmp_path / "weak.xml"))
    told = played(robot, SEEDS, 9)[1].view.observation
    assert not np.array_equal(told, played(Hopper(), SEEDS, 9)[1].view.observation)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<mujoco><worldbody><body></mujoco>", r"MuJoCo cannot read .*odd.xml: .*"),
        ("<mujoco/>", r"the model in .*odd.xml moves no joint; the robot's agents move foot_joint"),
    ],
)
def test_odd_models_are_refused(tmp_path, text, told):
    (tmp_path / "odd.xml").write_text(text)
    with pytest.raises(EnvError, match=told):
        Hopper(model_file=str(tmp_path / "odd.xml")).specs  # noqa: B018


def test_a_robot_is_painted():
    robot = HalfCheetah()
    state, _ = robot.reset(SEEDS[:1])
    try:
        picture = robot.render(state)
    except EnvError as error:
        pytest.skip(str(error))
    assert picture.shape == (360, 480, 3) and len(np.unique(picture)) > 50


def test_pictures_move_as_fast_as_the_robot_or_as_pictures_can():
    np.testing.assert_allclose([HalfCheetah().fps, Hopper().fps], [20.0, 50.0])  # not 125
