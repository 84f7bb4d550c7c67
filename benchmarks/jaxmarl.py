"""IPPO beside JaxMARL's `ippo_ff_mpe` on the same work, in turn, and the arithmetic bound.

The same: three agents of `simple_spread_v3`, 64 environments of 128 steps, 4 epochs of 4
minibatches, two layers of 64 tanh for a policy and as many for a critic. Here each agent has
networks of its own, there all share one of each, and a minibatch holds the steps of all of them.

JaxMARL may want other versions of the same libraries, so it runs in a process of its own, which
waits while this one works, and the other way round. Its baselines are in no package: they are read
from a clone.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.ippo import AGENTS, ALGORITHM, NUM_ENVS, UPDATES, bound, start

ROUNDS = 9
CLOCKS = {"of a processor": time.process_time, "on the clock": time.perf_counter}
PYTHON, CLONE = "COTERIE_JAXMARL_PYTHON", "COTERIE_JAXMARL"
PROGRAM = "baselines/IPPO/ippo_ff_mpe.py"
HOW = (
    f"No comparison with JaxMARL: it takes a clone of github.com/FLAIROX/JaxMARL in {CLONE}, and "
    "pip install 'coterie[bench]' here, or 'jaxmarl[algs]' in an environment whose interpreter "
    f"{PYTHON} names."
)
CONFIG = {
    "UPDATES": UPDATES,
    "NUM_ENVS": NUM_ENVS,
    "NUM_STEPS": ALGORITHM.rollout_length,
    "UPDATE_EPOCHS": ALGORITHM.epochs,
    "NUM_MINIBATCHES": ALGORITHM.minibatches,
    "LR": ALGORITHM.actor_lr,
    "ANNEAL_LR": False,
    "GAMMA": ALGORITHM.discount,
    "GAE_LAMBDA": ALGORITHM.gae_lambda,
    "CLIP_EPS": ALGORITHM.clip_eps,
    "ENT_COEF": ALGORITHM.entropy_coef,
    "VF_COEF": 0.5,
    "MAX_GRAD_NORM": ALGORITHM.max_grad_norm,
    "ACTIVATION": "tanh",
    "ENV_NAME": "MPE_simple_spread_v3",
    "ENV_KWARGS": {"num_agents": AGENTS, "num_landmarks": AGENTS},
}


class Place(NamedTuple):
    """Where JaxMARL is: an interpreter that has it, and its program."""

    python: str
    program: Path


def place() -> Place | None:
    """Where the environment's variables say, or in this interpreter."""
    here = sys.executable if importlib.util.find_spec("jaxmarl") else ""
    python, clone = os.environ.get(PYTHON, here), os.environ.get(CLONE, "")
    program = Path(clone, PROGRAM)
    return Place(python, program) if python and clone and program.is_file() else None


class JaxMARL:
    """Its process: at work only when it is asked."""

    def __init__(self, place: Place):
        child = Path(__file__).with_name("jaxmarl_child.py")
        command = [place.python, "-P", str(child), str(place.program), json.dumps(CONFIG)]
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        self.versions = self._answer()

    def timed(self) -> list[float]:
        """Seconds that an update took, by every clock."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return json.loads(self._answer())

    def end(self) -> None:
        """Let it go."""
        self._process.communicate()
        self._said.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer:
            self._said.seek(0)
            raise ChildProcessError(self._said.read().strip().rpartition("\n")[2])
        return answer


class Coterie:
    """Our team, and a compiled block of its updates."""

    def __init__(self) -> None:
        self._team, self._block, _, _ = start()
        self.timed()  # once, so that threads and memory are there

    def timed(self) -> list[float]:
        """Seconds that an update took, by every clock."""
        began = [clock() for clock in CLOCKS.values()]
        self._team, _ = jax.block_until_ready(self._block(self._team))
        now = [clock() for clock in CLOCKS.values()]
        return [(b - a) / UPDATES for a, b in zip(began, now, strict=True)]


def measure(other: JaxMARL) -> dict[str, np.ndarray]:
    """Medians by every clock: an update here, one there, and the bound."""
    ours, least = Coterie(), {clock: bound() for clock in CLOCKS.values()}
    taken: dict[str, list[list[float]]] = {"Coterie": [], "JaxMARL": []}
    for _ in range(ROUNDS):  # in turn, so that a busy machine slows all alike
        taken["Coterie"].append(ours.timed())
        taken["JaxMARL"].append(other.timed())
        for clock, parts in least.items():
            for part in parts.values():
                part.measure(clock)
    floor = [sum(part.seconds for part in parts.values()) for parts in least.values()]
    seconds = {name: np.median(each, axis=0) for name, each in taken.items()}
    return {**seconds, "arithmetic bound": np.array(floor)}


def show(seconds: dict[str, np.ndarray], console: Console) -> None:
    """Print them, and how often as fast as JaxMARL they are."""
    steps = f"{NUM_ENVS} envs x {ALGORITHM.rollout_length}"
    table = Table(title=f"IPPO beside JaxMARL, {AGENTS}-agent spread, {steps}")
    table.add_column("seconds of an update")
    for name in CLOCKS:
        table.add_column(name, justify="right")
        table.add_column("faster", justify="right")
    for name, each in seconds.items():
        often = zip(each, seconds["JaxMARL"] / each, strict=True)
        table.add_row(name, *(told for x, y in often for told in (f"{x:.4f}", f"{y:.2f} x")))
    console.print(table)
    shares = seconds["arithmetic bound"] / seconds["Coterie"]
    told = ", ".join(f"{x:.2f} {name}" for x, name in zip(shares, CLOCKS, strict=True))
    console.print(f"Coterie of the bound: {told}")


def main() -> None:
    """Measure and print, if JaxMARL is there."""
    console, where = Console(), place()
    if where is None:
        console.print(HOW, markup=False)
        return
    try:
        other = JaxMARL(where)
    except OSError as error:
        console.print(f"{HOW} What is named there fails: {error}", markup=False)
        return
    show(measure(other), console)
    other.end()
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    here = f"{os.cpu_count()} cores, load {load}"
    console.print(f"{here}; there {other.versions}; here jax {jax.__version__}")


if __name__ == "__main__":
    main()
