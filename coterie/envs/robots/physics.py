"""Copies of a robot, stepped by MuJoCo in threads of this process.

A copy is a row of 64-bit numbers: all that MuJoCo's next step depends on, its solver's warm start
among them, and where the robot was. Rows go through a thread's own `MjData` and out again, so that
no copy depends on what was played before it, on the number of threads, or on the other copies.
"""

import functools
import importlib
import importlib.util
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from coterie.envs.host.sessions import count_workers
from coterie.envs.robots.anatomy import Anatomy
from coterie.errors import EnvError, brief
from coterie.internal.extras import install

Rows = Float[np.ndarray, "G R"]
KEPT = ("TIME", "QPOS", "QVEL", "ACT", "WARMSTART")
"""Parts of MuJoCo's state that its next step depends on, in MuJoCo's order."""
BEGIN = 1.0
"""Time at which copies begin, on which nothing depends: one that MuJoCo sets back to 0 shows."""
THREADS = 4
"""Most threads, unless more are asked for."""


class Simulator:
    """One robot's simulation, for any number of copies.

    path:       file of MuJoCo's model.
    quantities: names of MuJoCo's arrays that are read beside positions and velocities.
    threads:    threads among which copies are dealt; as many as there are cores, but no more than
                4, if `None`.

    Rows of copies hold MuJoCo's time, positions, velocities, activations and warm start, and last
    the robot's place along the track.
    """

    def __init__(self, path: str, anatomy: Anatomy, quantities: Sequence[str], threads: int | None):
        threads, self.path = threads or count_workers(None, THREADS), path
        self.mujoco, self.anatomy, self.model = load_mujoco(), anatomy, model(path)
        self.quantities = tuple(quantities)
        self.kept = sum(int(getattr(self.mujoco.mjtState, f"mjSTATE_{name}")) for name in KEPT)
        self.width = self.mujoco.mj_stateSize(self.model, self.kept) + 1
        self._datas = [self.mujoco.MjData(self.model) for _ in range(threads)]
        self.sizes = {name: getattr(self._datas[0], name).size for name in quantities}
        self._pool = ThreadPoolExecutor(threads, "mujoco") if threads > 1 else None
        self._one_at_a_time = threading.Lock()  # the threads' datas serve all who play

    def begin(self, seeds: np.ndarray) -> tuple[Rows, np.ndarray]:
        """Begin one copy from each seed: rows, and quantities `[G, Q]`.

        Gymnasium's environments begin alike from the same seeds.
        """
        starts = [self._start(np.random.default_rng(int(seed))) for seed in seeds]
        return self._deal(self._set, np.zeros((len(seeds), self.width)), starts)

    def advance(self, rows: Rows, controls: np.ndarray) -> tuple[Rows, np.ndarray]:
        """Step all copies under their controls `[G, U]`: rows, and quantities `[G, Q]`.

        A simulation that becomes unstable is set back by MuJoCo: its time is less than before.
        """
        return self._deal(self._step, rows.copy(), controls)

    def posture(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Positions `[G, P]` and velocities `[G, V]`."""
        first, last = 1 + self.model.nq, 1 + self.model.nq + self.model.nv
        return rows[:, 1:first], rows[:, first:last]

    @property
    def seconds(self) -> float:
        """Time that a step takes in the robot's world."""
        return self.model.opt.timestep * self.anatomy.frame_skip

    def _start(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        noise, nv = self.anatomy.noise, self.model.nv
        position = self.model.qpos0 + random.uniform(-noise, noise, self.model.nq)
        if self.anatomy.normal:
            return position, noise * random.standard_normal(nv)
        return position, random.uniform(-noise, noise, nv)

    def _deal(self, play: Callable[..., None], rows: Rows, given: Any) -> tuple[Rows, np.ndarray]:
        """Play the copies, dealt among the threads in blocks."""
        told = np.empty((len(rows), sum(self.sizes.values())))
        ends = np.linspace(0, len(rows), len(self._datas) + 1).astype(int)
        parts = [slice(a, b) for a, b in itertools.pairwise(ends)]

        def block(data: Any, part: slice) -> None:
            play(data, rows[part], told[part], given[part])

        with self._one_at_a_time:
            if self._pool is None:
                block(self._datas[0], parts[0])
            else:
                list(self._pool.map(block, self._datas, parts))
        if self.anatomy.place is None:
            rows[:, -1] = rows[:, 1]
        return rows, told

    def _set(self, data: Any, rows: Rows, told: np.ndarray, starts: Any) -> None:
        for row, numbers, (position, velocity) in zip(rows, told, starts, strict=True):
            self.mujoco.mj_resetData(self.model, data)
            data.qpos[:], data.qvel[:], data.time = position, velocity, BEGIN
            self.mujoco.mj_forward(self.model, data)
            self._read(data, row, numbers)

    def _step(self, data: Any, rows: Rows, told: np.ndarray, controls: np.ndarray) -> None:
        mujoco, model, kept, skip = self.mujoco, self.model, self.kept, self.anatomy.frame_skip
        control, forces = data.ctrl, "cfrc_ext" in self.quantities
        for row, numbers, now in zip(rows, told, controls, strict=True):
            mujoco.mj_setState(model, data, row[:-1], kept)
            control[:] = now
            mujoco.mj_step(model, data, skip)
            if forces:  # which MuJoCo leaves out
                mujoco.mj_rnePostConstraint(model, data)
            self._read(data, row, numbers)

    def _read(self, data: Any, row: np.ndarray, numbers: np.ndarray) -> None:
        self.mujoco.mj_getState(self.model, data, row[:-1], self.kept)
        if self.anatomy.place is not None:
            row[-1] = self.anatomy.place(self.model, data)
        start = 0
        for name in self.quantities:
            values = getattr(data, name).ravel()
            numbers[start : start + values.size] = values
            start += values.size


@functools.cache
def load_mujoco() -> Any:
    """The package `mujoco`, quiet about simulations; `EnvError` if it is not installed."""
    if os.name == "posix" and "DISPLAY" not in os.environ:
        os.environ.setdefault("MUJOCO_GL", "egl")  # pictures without a screen
    try:
        mujoco = importlib.import_module("mujoco")
    except ModuleNotFoundError:
        raise EnvError(
            f"robots need mujoco, which is not installed: {install('mujoco')}."
        ) from None
    except Exception as error:  # each way to paint fails in its own
        raise EnvError(
            f"importing mujoco failed with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')} "
            f"({type(error).__name__}: {error}): set it to egl, osmesa or glfw, whichever is "
            "installed, or to disable, with which robots cannot be painted."
        ) from None
    mujoco.set_mju_user_warning(_ignore)  # which would write a file in the working directory
    return mujoco


@functools.lru_cache(maxsize=16)
def model(path: str) -> Any:
    """MuJoCo's model in a file; `EnvError` with MuJoCo's words if it does not compile."""
    try:
        return load_mujoco().MjModel.from_xml_path(path)
    except ValueError as error:
        told = brief(" ".join(str(error).split()), 300)
        raise EnvError(f"MuJoCo cannot read {path}: {told}.") from None


def model_path(name: str) -> str:
    """The file of a model that comes with Gymnasium; `EnvError` if Gymnasium is not installed."""
    found = importlib.util.find_spec("gymnasium")
    if found is None or found.origin is None:
        raise EnvError(f"robots need gymnasium, which is not installed: {install('mujoco')}.")
    return str(Path(found.origin).parent / "envs" / "mujoco" / "assets" / name)


def _ignore(warning: str) -> None:
    """Say nothing: who plays sees that the time is set back."""
