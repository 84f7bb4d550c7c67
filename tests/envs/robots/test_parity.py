"""Robots are Gymnasium's tasks to the last bit, and agents see what Gymnasium-Robotics shows."""

import functools

import gymnasium
import numpy as np
import pytest

from coterie.envs import Ant, HalfCheetah, Hopper, Humanoid, Walker2d
from coterie.envs.robots.physics import load_mujoco
from coterie.envs.robots.robot import _machine

pytestmark = pytest.mark.filterwarnings("ignore")  # that v4 is old

ROBOTS = {
    "HalfCheetah": HalfCheetah,
    "Hopper": Hopper,
    "Walker2d": Walker2d,
    "Ant": Ant,
    "Humanoid": Humanoid,
}
SEEDS = np.array([3, 2**31 - 1], np.uint32)
LONG = pytest.param(1000, marks=pytest.mark.deep)


@functools.cache
def peers(name, edition):
    """Gymnasium's environments for the seeds."""
    load_mujoco()  # which else writes its warnings into a file
    return [gymnasium.make(f"{name}-{edition}").unwrapped for _ in SEEDS]


@pytest.mark.parametrize("edition", ["v4", "v5"])
@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("steps", [40, LONG])
def test_a_robot_is_gymnasiums(name, edition, steps):
    robot, random = ROBOTS[name](obsk=None, edition=edition, threads=2), np.random.default_rng(0)
    singles, agents, machine = peers(name, edition), len(robot.specs), _machine(robot)
    low, high = robot.specs[0].action.low[0], robot.specs[0].action.high[0]
    state, view = robot.reset(SEEDS)
    seen = [single.reset(seed=int(seed))[0] for single, seed in zip(singles, SEEDS, strict=True)]
    for step in range(steps):
        np.testing.assert_array_equal(view.observation[:, 0, :-agents], np.float32(seen))
        for rows, single in zip(state.rows, singles, strict=True):
            data, (position, velocity) = single.data, machine.posture(rows[None])
            np.testing.assert_array_equal(position[0], data.qpos)
            np.testing.assert_array_equal(velocity[0], data.qvel)
        widest = max(spec.action.size for spec in robot.specs)
        actions = random.uniform(low, high, (len(SEEDS), agents, widest)).astype(np.float32)
        controls = machine.controls(actions)
        state, timestep = robot.step(state, actions)
        told = [single.step(c) for single, c in zip(singles, controls, strict=True)]
        np.testing.assert_array_equal(timestep.reward[:, 0], [t[1] for t in told])
        np.testing.assert_array_equal(timestep.terminated[:, 0], [t[2] for t in told])
        view, seen = timestep.view, [t[0] for t in told]
        for copy, single in enumerate(singles):
            if told[copy][2]:
                seen[copy], _ = single.reset(seed=step)
                fresh, first = robot.reset(np.array([step]))
                state.rows[copy], view.observation[copy] = fresh.rows[0], first.observation[0]


PARTITIONS = {
    "HalfCheetah": ("2x3", "6x1"),
    "Hopper": ("3x1",),
    "Walker2d": ("2x3",),
    "Ant": ("4x2", "2x4", "2x4d"),
    "Humanoid": ("9|8",),
}


@pytest.mark.parametrize("obsk", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "partition"), [(name, p) for name, parts in PARTITIONS.items() for p in parts]
)
def test_agents_see_what_gymnasium_robotics_shows(name, partition, obsk):
    robotics = pytest.importorskip("gymnasium_robotics")
    robot = ROBOTS[name](partition=partition, obsk=obsk)
    peer = robotics.mamujoco_v1.parallel_env(name, partition, agent_obsk=obsk)
    random = np.random.default_rng(1)
    peer.reset(seed=5)
    state, view = robot.reset(np.array([5], np.uint32))
    seen = peer._get_obs()
    for _ in range(30):
        rows = zip(peer.possible_agents, robot.specs, view.observation[0], strict=True)
        for agent, spec, row in rows:
            np.testing.assert_array_equal(row[: spec.size], np.float32(seen[agent]))
            assert not row[spec.size :].any()
        actions = {
            agent: random.uniform(-0.4, 0.4, peer.action_space(agent).shape).astype(np.float32)
            for agent in peer.possible_agents
        }
        widest = max(map(len, actions.values()))
        joint = np.array([[np.pad(a, (0, widest - len(a))) for a in actions.values()]])
        state, timestep = robot.step(state, joint)
        seen, rewards, ended, *_ = peer.step(actions)
        np.testing.assert_array_equal(timestep.reward[0], list(rewards.values()))
        view = timestep.view
        if ended["agent_0"]:
            return
