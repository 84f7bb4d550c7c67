"""Worker processes that play copies of an environment for this one, and the handling of their
failures.

Workers are started as fresh interpreters and not through `multiprocessing`: nothing of the caller's
main module is imported again, so that a script needs no `if __name__ == "__main__"` and no worker
touches an accelerator. Shared memory is an unnamed file: nothing stays behind, however we end.
"""

import mmap
import os
import subprocess
import sys
import tempfile
import time
import weakref
from itertools import pairwise
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from coterie.envs.host.layout import Layout, record
from coterie.envs.host.serve import COMMAND, Job
from coterie.errors import EnvError

PACKAGE = Path(__file__).parents[2]

# The package is entered past its `__init__`, which would import JAX; the environment finds the real
# one.
BOOT = """
import os, signal, sys, types
os.dup2(2, 1)  # what an environment prints is no part of an answer
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = {path!r}
for name, folder in {packages!r}:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from coterie.envs.host.serve import serve
for name in [name for name in sys.modules if name.partition(".")[0] == "coterie"]:
    del sys.modules[name]
serve({pipe}, {memory})
sys.stdout.flush(), sys.stderr.flush(), os._exit(0)  # taking modules apart can take seconds
"""

CLOSING = 5.0
"""Seconds that the environments have to close before their workers are ended."""

PARTS: tuple[tuple[str, ...], ...] = ((), ("envs",), ("envs", "host"))

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker has about one core; more can be asked for in the environment."""


class Workers:
    """`number` processes that together play `copies` copies.

    records:  the shared arrays `[copies]` (`layout.record`).
    deadline: the seconds that a command may take before its worker counts as hung.
    """

    def __init__(
        self,
        factory: str,
        env_kwargs: tuple[str, ...],
        layout: Layout,
        copies: int,
        number: int,
        deadline: float,
    ):
        self.factory = factory
        self.deadline = deadline
        dtype = record(layout)
        with _shared_file(copies * dtype.itemsize) as file:
            memory = mmap.mmap(file.fileno(), 0)
            self.records = np.frombuffer(memory, dtype, copies)
            cuts = [copies * i // number for i in range(number + 1)]
            jobs = [Job(factory, env_kwargs, layout, copies, *pair) for pair in pairwise(cuts)]
            self.workers = [Worker(job, file.fileno()) for job in jobs]
        self.close = weakref.finalize(self, _close, self.workers)

    @property
    def gone(self) -> bool:
        """True if they have been closed; a failure of one of them closes all."""
        return not self.close.alive

    def command(self, what: int, number: int) -> None:
        """Have all workers do `what` with set `number`; `EnvError` if one fails, dies or hangs."""
        limit = time.monotonic() + self.deadline
        for worker in self.workers:
            worker.send(what, number)
        failures = [self._answer(worker, limit) for worker in self.workers]
        for failure in filter(None, failures):
            self.close()
            raise EnvError(f"{self.factory}: {failure}")

    def _answer(self, worker: "Worker", limit: float) -> str:
        try:
            return worker.answer(max(limit - time.monotonic(), 0.0))
        except TimeoutError:
            worker.process.kill()
            return (
                f"{self._where(worker.job)}: no answer for {self.deadline:g} s; "
                "if that is how long it takes, give the environment a longer deadline."
            )
        except (EOFError, ConnectionError):
            code = worker.end(CLOSING)
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            return f"{self._where(worker.job)}: its worker process ended {how}."

    def _where(self, job: Job) -> str:
        """Name the copy that a silent worker was busy with."""
        busy = np.flatnonzero(self.records["busy"][job.first : job.last])
        if not len(busy):
            return f"copies {job.first} to {job.last - 1}"
        row = job.first + int(busy[0])
        return f"copy {row} at step {self.records['step'][row]} of its episode"


class Worker:
    """One process, and this end of its pipe."""

    def __init__(self, job: Job, memory: int):
        self.job = job
        self.pipe, theirs = Pipe()
        packages = [(".".join(("coterie", *part)), str(PACKAGE.joinpath(*part))) for part in PARTS]
        path = [str(entry) for entry in sys.path]
        boot = BOOT.format(path=path, packages=packages, pipe=theirs.fileno(), memory=memory)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", boot],  # nothing from the working directory
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), memory),
                process_group=0,
                env={**THREADS, **os.environ, "JAX_PLATFORMS": "cpu"},
            )
        self.send_bytes(job.text())

    def send(self, what: int, number: int) -> None:
        """Send a command; a dead worker is noticed when it should answer."""
        self.send_bytes(COMMAND.pack(what, number))

    def send_bytes(self, message: bytes) -> None:
        try:
            self.pipe.send_bytes(message)
        except OSError:
            return

    def answer(self, patience: float) -> str:
        """Return the reply within `patience` seconds; else raise `TimeoutError` or `EOFError`."""
        if not self.pipe.poll(patience):
            raise TimeoutError
        return self.pipe.recv_bytes().decode()

    def end(self, patience: float) -> int:
        """Wait for the process to end by itself, then end it; return its exit code."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _shared_file(size: int) -> Any:
    """An unnamed file of `size` bytes, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        file = open(os.memfd_create("coterie"), "r+b")  # noqa: SIM115 (the caller closes it)
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115
    file.truncate(size)
    return file


def _close(workers: list[Worker]) -> None:
    """Close the workers' pipes, which ends them; kill those that do not end."""
    for worker in workers:
        worker.pipe.close()
    limit = time.monotonic() + CLOSING
    for worker in workers:
        worker.end(max(limit - time.monotonic(), 0.0))
