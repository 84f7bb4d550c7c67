"""Jobs on a cluster, known by the files that they leave in the sweep's folder.

The machines of a cluster share the folder. So a job is asked to stop, and says how it ended, in the
same way whatever engine has started it, and nothing that an engine has pickled is read.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coterie.internal.reading import read_text
from coterie.internal.signals import STOPS
from coterie.sweeps.launcher import Job

FOREVER = 0
"""Minutes of a process that may run as long as it takes."""
SPARED = 0.1, 5.0
"""Share and minutes of a time limit that are kept to save: the smaller one."""
GONE = 1
"""Exit code of a process that an engine has lost."""
STOPPED = 128 + STOPS[0]
"""Exit code of a job that was taken back before it began."""


def code_file(log: Path) -> Path:
    """File of a process's exit code."""
    return log.with_suffix(".code")


def stop_file(log: Path) -> Path:
    """File that asks a process to stop."""
    return log.with_suffix(".stop")


@dataclass(frozen=True)
class AttendedJob(Job):
    """Job on a cluster.

    alive:  asks the engine whether it runs, or waits to run.
    cancel: takes it back, as long as it waits.
    """

    log: Path
    alive: Callable[[], bool]
    cancel: Callable[[], None]

    def poll(self) -> int | None:
        alive = self.alive()  # first: a job that ends now has written its code before
        if code_file(self.log).exists():
            return int(read_text(code_file(self.log)))
        if alive:
            return None
        return STOPPED if stop_file(self.log).exists() and not self.log.exists() else GONE

    def stop(self) -> None:
        stop_file(self.log).touch()
        if not self.log.exists():
            self.cancel()


def attended(command: Sequence[str], log: Path, minutes: float = FOREVER) -> list[str]:
    """The command that attends to `python -m MODULE ...`.

    >>> attended(["python", "-m", "coterie", "--version"], Path("logs/x.txt"))[1:]
    ['-m', 'coterie.sweeps.attend', 'logs/x.txt', '0', 'coterie', '--version']
    """
    share, most = SPARED
    left = minutes - min(share * minutes, most)
    words = ["-m", "coterie.sweeps.attend", str(log), f"{left:g}", *command[2:]]
    return [sys.executable, *words]


def clear(log: Path) -> None:
    """Make the folder of a log, without what an earlier job has left there."""
    log.parent.mkdir(parents=True, exist_ok=True)
    for file in (log, code_file(log), stop_file(log)):
        file.unlink(missing_ok=True)
