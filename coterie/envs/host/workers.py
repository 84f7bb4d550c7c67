"""Worker processes that play copies of an environment for this one, and the handling of their
failures.

Shared memory is an unnamed file: nothing stays behind, however we end.
"""

import mmap
import os
import subprocess
import tempfile
import time
import weakref
from itertools import pairwise
from multiprocessing import Pipe
from typing import Any

import numpy as np

from coterie.envs.host.boot import ending, started
from coterie.envs.host.layout import Layout, record
from coterie.envs.host.serve import COMMAND, Job
from coterie.errors import EnvError

CLOSING = 5.0
"""Seconds that the environments have to close before their workers are ended."""


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
            return f"{self._where(worker.job)}: its worker process ended {ending(code)}."

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
        with theirs:
            shared = (theirs.fileno(), memory)
            self.process = started("serve", "serve", shared, shared)
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
