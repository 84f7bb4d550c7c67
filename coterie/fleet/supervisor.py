"""Supervisor of a fleet on one machine: it starts processes, and starts again what is killed."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from coterie.errors import RunError
from coterie.fleet.plan import Plan

RESTARTS = 100
"""Starts of one process, after which it is given up."""
EACH = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
}
"""Environment of a process that shares its machine with a whole fleet."""


def free_addresses(count: int) -> tuple[str, ...]:
    """Addresses on this machine that nothing listens at, `127.0.0.1:port`."""
    with ExitStack() as open_sockets:
        ports = []
        for _ in range(count):
            taken = open_sockets.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
    return tuple(f"127.0.0.1:{port}" for port in ports)


class Supervisor:
    """Processes of a fleet.

    restarts: how often each process was started again.
    """

    def __init__(self, plan: Plan):
        self._plan = plan
        self.processes: list[subprocess.Popen[bytes]] = []
        self.restarts = [0] * (len(plan.agents) + 1)

    def run(self, stopping: Callable[[], bool], told: Callable[[str], None]) -> bool:
        """Start all processes, and wait for the agents to finish; False if they were stopped.

        told: hears of every process that is started again.
        """
        places = range(len(self._plan.agents) + 1)
        self.processes = [self._started(place) for place in places]
        try:
            while not stopping():
                if all(process.poll() == 0 for process in self.processes[:-1]):
                    return True
                self._revive(told)
                time.sleep(0.2)
            return False
        finally:
            self._end()

    def _revive(self, told: Callable[[str], None]) -> None:
        for place, process in enumerate(self.processes):
            code = process.poll()
            if code is None or code == 0:
                continue
            name = self._name(place)
            killed = code < 0 and place != self._plan.world
            if not killed or self.restarts[place] >= RESTARTS:
                raise RunError(
                    f"the process of {name} ended with code {code}: {self._log(place)} says why."
                )
            self.restarts[place] += 1
            told(f"{name} ended with code {code}: started again")
            self.processes[place] = self._started(place)

    def _started(self, place: int) -> subprocess.Popen[bytes]:
        log = self._log(place)
        log.parent.mkdir(parents=True, exist_ok=True)
        role = "--world" if place == self._plan.world else f"--agent={self._plan.agents[place]}"
        command = [sys.executable, "-m", "coterie", "agent", str(self._plan.run.folder), role]
        with log.open("ab") as file:
            return subprocess.Popen(
                [*command, f"--incarnation={self.restarts[place]}"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**EACH, **os.environ},
            )

    def _end(self) -> None:
        """Ask what still runs to stop, and make it after a while."""
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _name(self, place: int) -> str:
        return "the world" if place == self._plan.world else self._plan.agents[place]

    def _log(self, place: int) -> Path:
        if place == self._plan.world:
            return self._plan.run.folder / "world.log"
        return self._plan.member_run(place).folder / "log.txt"
