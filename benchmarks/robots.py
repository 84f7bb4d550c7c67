"""Robots: a batch in a compiled program, beside MuJoCo alone and beside Gymnasium-Robotics."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from coterie.envs import Ant, Env, HalfCheetah, Hopper, Humanoid, Walker2d
from coterie.envs.game import VectorEnv
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.envs.robots import Robot
from coterie.envs.robots.physics import load_mujoco, model, model_path

COPIES, STEPS, TURNS = 64, 50, 5
ROBOTS = {
    "HalfCheetah": HalfCheetah(),
    "Hopper": Hopper(),
    "Walker2d": Walker2d(),
    "Ant": Ant(),
    "Humanoid": Humanoid(),
}
Taken = tuple[float, float]
"""Microseconds per robot's step: of processors, and on the clock."""


def clocks() -> Taken:
    """Time of processors, of worker processes too, and of the clock."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + of_workers(), time.perf_counter()


def of_workers(process: str = "self") -> float:
    """Processor time of a process's living children, and of theirs, in seconds (Linux)."""
    total, tick = 0.0, os.sysconf("SC_CLK_TCK")
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            spent = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(spent[11]) + int(spent[12])) / tick + of_workers(child)
    return total


def taken(play: Callable[[], object]) -> Taken:
    """Time per step of one robot."""
    before = clocks()
    play()
    after = clocks()
    busy, wall = ((b - a) / (COPIES * STEPS) * 1e6 for a, b in zip(before, after, strict=True))
    return busy, wall


def bare(robot: Robot) -> Callable[[], object]:
    """Steps of MuJoCo alone: a loop over robots, in one thread."""
    mujoco, there = load_mujoco(), model(model_path(robot.ANATOMY.models["v5"]))
    bound, random = there.actuator_ctrlrange[0, 1], np.random.default_rng(0)
    controls = random.uniform(-bound, bound, (STEPS, COPIES, there.nu))

    def play() -> None:
        robots = [mujoco.MjData(there) for _ in range(COPIES)]
        for now in controls:
            for data, control in zip(robots, now, strict=True):
                data.ctrl[:] = control
                mujoco.mj_step(there, data, robot.ANATOMY.frame_skip)

    return play


def batch(env: Env) -> Callable[[], object]:
    """Steps of a batch in a compiled program, under random actions."""
    vector, specs = env.vectorize(COPIES), env.specs
    shape = COPIES, len(specs), max(spec.action.size for spec in specs)
    bound = max(np.max(spec.action.high) for spec in specs)
    actions = np.random.default_rng(0).uniform(-bound, bound, (STEPS, *shape))
    play = jax.jit(lambda actions, key: _played(vector, actions, key))
    ready = jnp.asarray(actions, jnp.float32)
    return lambda: jax.block_until_ready(play(ready, jax.random.key(0)))


def _played(vector: VectorEnv, actions: jax.Array, key: jax.Array) -> jax.Array:
    def step(state: object, given: tuple[jax.Array, jax.Array]) -> tuple[object, jax.Array]:
        state, timestep, _ = vector.step(state, *given)
        return state, jnp.sum(timestep.reward)

    state, _ = vector.reset(key)
    return jax.lax.scan(step, state, (actions, jax.random.split(key, STEPS)))[1]


def packages(name: str, robot: Robot) -> PettingZooEnv:
    """The robot of Gymnasium-Robotics in the same partition, played by worker processes."""
    joints = " ".join(part.replace("+", ",") for part in robot.names)
    if name == "Ant":
        joints = joints.replace("_", "")  # as the package writes them
    told = (f"scenario={name}", f"joints={joints!r}")
    return PettingZooEnv("benchmarks.mamujoco:make", told)


def main() -> None:
    """Measure and print: medians of turns, one way after the other in each turn."""
    print(f"{COPIES} robots, microseconds per step of one: of processors, and on the clock")
    for name, robot in ROBOTS.items():
        ways = {
            "MuJoCo alone": bare(robot),
            "Coterie": batch(robot),
            "Gymnasium-Robotics": batch(packages(name, robot)),
        }
        for play in ways.values():
            play()  # compiles, and starts workers
        turns = [[taken(play) for play in ways.values()] for _ in range(TURNS)]
        alone, ours, theirs = np.median(turns, axis=0)
        print(
            f"{name:12} MuJoCo alone {alone[0]:5.0f}   Coterie {ours[0]:5.0f} and {ours[1]:5.0f}   "
            f"Gymnasium-Robotics {theirs[0]:5.0f} and {theirs[1]:5.0f}: "
            f"{ours[0] / alone[0]:.2f} times MuJoCo's processor time, "
            f"{theirs[1] / ours[1]:.1f} times the packages' speed",
            flush=True,
        )


if __name__ == "__main__":
    main()
