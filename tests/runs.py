"""What the tests of whole runs share: a small environment, small algorithms, and looks at run
folders."""

import atexit
import contextlib
import functools
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import WholeCritic
from coterie.catalogue import make_algorithm
from coterie.cli import main
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Scene, Timestep
from coterie.errors import require
from coterie.internal.reading import read_arrays
from coterie.training.checkpoint import checkpoints
from coterie.training.loggers.table import Csv
from coterie.training.programs import Programs
from coterie.training.recording import OnDisk
from coterie.training.run import Run, new_run, open_run
from coterie.training.settings import Settings
from coterie.training.setup import set_up
from coterie.training.trainer import Trainer
from tests.options import with_options

SETTINGS = Settings(
    steps=240, num_envs=4, updates_per_block=2, num_evals=2, eval_episodes=3, num_checkpoints=5
)  # five blocks of 2 updates of 6 steps in 4 environments
BLOCKS = 5
SMALL = {
    "hidden_sizes": (8,),
    "rollout_length": 6,
    "epochs": 1,
    "minibatches": 2,
    "updates_per_rollout": 2,
    "batch_size": 12,
    "buffer_size": 24,
    "learning_starts": 4,
    "target_update_interval": 3,
    "sharing": WholeCritic(),
}
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Pond(JaxEnv):
    """Agents drift on a line for six steps and are paid to stand at 0.

    box:     actions are vectors in bounds of their own.
    masked:  the one action or the other is impossible.
    unequal: all but agent 0 see one number less, and have one action less.
    broken:  the step at which agent 1's reward turns NaN; never, if 0.
    """

    agents: int = 2
    box: bool = False
    masked: bool = False
    unequal: bool = False
    broken: int = 0

    def __post_init__(self):
        require(self.agents >= 1, f"agents must be at least 1, not {self.agents}.")

    @property
    def specs(self):
        return tuple(self.spec(int(self.unequal and agent > 0)) for agent in range(self.agents))

    def spec(self, less):
        size = 3 - less
        box = Box(size, (-2.0, 0.0, -1.0)[:size], (2.0, 1.0, 3.0)[:size])
        return AgentSpec(2 - less, box if self.box else Discrete(size))

    def reset(self, key):
        state = jax.random.normal(key, (self.agents,)), jnp.int32(0)
        return state, self.view(state)

    def view(self, state):
        place, clock = state
        seen = jnp.stack([place, jnp.full(self.agents, clock / 6.0)], axis=-1)
        sizes = np.array([(s.observation, s.action.size) for s in self.specs])
        able = np.arange(3) < sizes[:, 1:]
        barred = self.masked & (jnp.arange(3) == clock % 2)
        mask = able & ~barred if self.masked or self.unequal else None
        return Observation(jnp.where(np.arange(2) < sizes[:, :1], seen, 0.0), mask)

    def step(self, state, action):
        place, clock = state
        push = action.reshape(self.agents, -1)[:, 0].astype(jnp.float32) - (not self.box)
        place, clock = place + 0.3 * push, clock + 1
        wrong = (jnp.arange(self.agents) == 1) & (clock == self.broken)
        reward = jnp.where(wrong, jnp.nan, -jnp.abs(place))
        never, late = jnp.zeros(self.agents, bool), jnp.full(self.agents, clock >= 6)
        return (place, clock), Timestep(
            self.view((place, clock)), reward, never, late, {"far": jnp.abs(place)}
        )

    def scene(self, state):
        places = np.stack([np.asarray(state[0]), np.zeros(self.agents)], axis=-1)
        return Scene(places, np.full(self.agents, 0.1), ("agent",) * self.agents)


def small(name: str, **options):
    """An algorithm of the catalogue with small networks."""
    return with_options(make_algorithm(name), **{**SMALL, **options})


class Stop:
    """A logger and watcher that keeps what it is told, and stops the run after some blocks."""

    def __init__(self, after: int = 10**9):
        self.after, self.rows, self.evaluations = after, [], []

    def begun(self, held):
        self.held = held

    def start(self, run):
        self.run = run

    def log(self, kind, seed, steps, row):
        told = {"training": self.rows, "evaluation": self.evaluations}[kind]
        told.append((seed, steps, row))

    def finish(self):
        self.over = True

    def stopping(self):
        return len(self.rows) >= self.after


@functools.cache
def _programs(algorithm, env, settings) -> Programs:
    return Programs(set_up(new_run(algorithm, env, settings)))


def trainer(run: Run, stop: int = 10**9) -> Trainer:
    """A trainer of a run; runs that differ in their folder alone share what it compiled."""
    shared, watcher = _programs(run.algorithm, run.env, run.settings), Stop(stop)
    return Trainer(run, shared, OnDisk(run, shared), [Csv(), watcher], watcher)


def trained(folder, algorithm="dpo", env=None, settings=SETTINGS, stop=10**9, **options):
    """A run of a small algorithm (on a pond), stopped after some blocks."""
    run = new_run(small(algorithm, **options), env or Pond(), settings, folder)
    run.create()
    own = trainer(run, stop)
    own.train([own.fresh(seed) for seed in run.seeds])
    return run


def resumed(run: Run, stop: int = 10**9) -> Run:
    """The run in the same folder, continued from its latest checkpoints."""
    run = open_run(run.folder)
    own = trainer(run, stop)
    own.train([own.restored(seed) for seed in run.seeds])
    return run


SHELF = tempfile.TemporaryDirectory(prefix="coterie-tests-")
atexit.register(SHELF.cleanup)


@functools.cache
def finished(algorithm="dpo", env=None, settings=SETTINGS, **options) -> Run:
    """A finished run that many tests read and none changes."""
    return trained(tempfile.mkdtemp(dir=SHELF.name) + "/run", algorithm, env, settings, **options)


def copied(run: Run, folder: Path) -> Run:
    """The same run in a folder that may be changed."""
    shutil.copytree(run.folder, folder)
    return open_run(folder)


def last_arrays(run: Run, seed: int = 0) -> dict[str, str]:
    """The SHA-256 of every array in the latest checkpoint of a repetition."""
    hashes = {}
    for file in sorted(checkpoints(run.checkpoints(seed))[-1].glob("*.safetensors")):
        for name, array in read_arrays(file)[0].items():
            hashes[f"{file.name} {name}"] = hashlib.sha256(array.tobytes()).hexdigest()
    return hashes


def policies(run: Run, seed: int = 0) -> dict[str, bytes]:
    """The numbers in the policy files of a repetition, without what is said of them."""
    files = {p.name: p.read_bytes() for p in (run.seed_folder(seed) / "policies").iterdir()}
    return {n: data[8 + int.from_bytes(data[:8], "little") :] for n, data in files.items()}


def tables(run: Run, seed: int = 0) -> dict[str, list[list[str]]]:
    """The tables of a repetition, without the seconds."""
    found = {}
    links = [run.traffic(seed)] if run.traffic(seed).exists() else []
    for path in (run.metrics(seed), run.evaluations(seed), *links):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        timed = rows[0].index("seconds") if "seconds" in rows[0] else len(rows[0])
        found[path.name] = [row[:timed] + row[timed + 1 :] for row in rows]
    return found


def assert_same_run(one: Run, other: Run, seed: int = 0) -> None:
    """Two repetitions ended with the same bits."""
    assert last_arrays(one, seed) == last_arrays(other, seed)
    assert policies(one, seed) == policies(other, seed)
    assert tables(one, seed) == tables(other, seed)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the bytecode of modules that happen to be imported."""
    files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def refused(arguments: list[str]) -> str:
    """The one sentence with which the command line refuses something, nothing on disk changed."""
    before = listing(Path.cwd())
    err, out = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stderr(err),
        contextlib.redirect_stdout(out),
        pytest.raises(SystemExit) as ended,
    ):
        main(arguments)
    assert ended.value.code == 2, err.getvalue()
    assert listing(Path.cwd()) == before
    assert out.getvalue() == ""
    (line,) = err.getvalue().splitlines()
    assert line.startswith("coterie: ")
    return line.removeprefix("coterie: ")


def environment(devices: int = 1) -> dict[str, str]:
    """The environment of a process that finds the package, the tests and their environments."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "envs")])
    return {**os.environ, "PYTHONPATH": paths, "JAX_NUM_CPU_DEVICES": str(devices)}


def python(code: str, *arguments: str, cwd: Path | None = None, devices: int = 1, errors=False):
    """Run code in a process of its own; its output, with its errors if they are wanted."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors else subprocess.PIPE,
        text=True,
        env=environment(devices),
        cwd=cwd,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
