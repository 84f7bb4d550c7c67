"""Launchers: where the processes of a sweep's trials run."""

import abc
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from coterie.bounds import AtLeast
from coterie.internal.parts import Part


class Job(abc.ABC):
    """Process of a trial, wherever it runs."""

    @abc.abstractmethod
    def poll(self) -> int | None:
        """Its exit code; `None` as long as it runs, or waits to run."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ask it to save and end, as SIGTERM does."""


class Launcher(Part, abc.ABC):
    """Launcher of processes; derive from this for one of your own.

    A launcher may hold nothing but options. `check` is called before anything is on disk.
    """

    def check(self) -> None:
        """Raise `ConfigError` if it cannot be used here."""

    @abc.abstractmethod
    def slots(self, seeds: int) -> int:
        """Trials of so many seeds that run, or wait to run, at a time."""

    @abc.abstractmethod
    def submit(self, command: Sequence[str], log: Path, seeds: int) -> Job:
        """Start a command in the working directory.

        log:   the file that takes what the command says.
        seeds: the seeds that train side by side, and the cores that they use.
        """


@dataclass(frozen=True)
class LocalJob(Job):
    """Process on this machine."""

    process: "subprocess.Popen[bytes]"

    def poll(self) -> int | None:
        return self.process.poll()

    def stop(self) -> None:
        self.process.terminate()


@dataclass(frozen=True)
class Local(Launcher, name="local"):
    """Processes on this machine, each in a session of its own."""

    workers: Annotated[int | None, AtLeast(1)] = None
    """Trials at a time; by default the cores, divided by the seeds of a trial."""

    def slots(self, seeds: int) -> int:
        return self.workers or max(1, cores() // min(seeds, cores()))

    def submit(self, command: Sequence[str], log: Path, seeds: int) -> Job:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at a terminal is the sweep's, which tells it
            )
        return LocalJob(process)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
