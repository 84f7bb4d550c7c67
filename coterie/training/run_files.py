"""The files of a run, and what can be read of it without its code."""

import abc
import hashlib
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie.errors import CoterieError, RunError, require
from coterie.internal.reading import read_json
from coterie.internal.trust import reading
from coterie.policies.metadata import SUFFIX

FORMAT = 3

CONFIGURATION = "run.json"
"""File that makes a folder a run's."""
SWEEP = "sweep.json"
"""File that makes a folder a sweep's."""

LONGEST_NAME = 100
"""Letters that the name of an agent's file may have."""


class RunFiles(abc.ABC):
    """Base of runs: their names, and the places of their files."""

    folder: Path
    method: str
    env_name: str

    @property
    @abc.abstractmethod
    def seeds(self) -> range:
        """The seeds of its repetitions."""

    @property
    def title(self) -> str:
        """A short name for plots."""
        return f"{self.method} on {self.env_name}"

    @property
    def configuration(self) -> Path:
        """File of its algorithm, environment and settings."""
        return self.folder / CONFIGURATION

    def seed_folder(self, seed: int) -> Path:
        """Folder of one repetition."""
        return self.folder / f"seed-{seed}"

    def checkpoints(self, seed: int) -> Path:
        """Folder of its checkpoints."""
        return self.seed_folder(seed) / "checkpoints"

    def metrics(self, seed: int) -> Path:
        """Its training numbers, one row per block."""
        return self.seed_folder(seed) / "metrics.csv"

    def evaluations(self, seed: int) -> Path:
        """Its evaluations, one row each."""
        return self.seed_folder(seed) / "evaluation.csv"

    def traffic(self, seed: int) -> Path:
        """Table of the traffic of its links, one row per payload and direction."""
        return self.seed_folder(seed) / "traffic.csv"

    def policy_file(self, seed: int, agent: str) -> Path:
        """One agent's trained policy."""
        return self.seed_folder(seed) / "policies" / f"{agent_file(agent)}{SUFFIX}"


@dataclass(frozen=True)
class RunSummary(RunFiles):
    """A run of which only numbers are read: no code that it names is needed, or run."""

    folder: Path
    method: str
    env_name: str
    first: int
    count: int

    @property
    def seeds(self) -> range:
        return range(self.first, self.first + self.count)


def read_summary(folder: str | Path) -> RunSummary:
    """The names and seeds of the run in a folder, to plot and tabulate it; as errors `open_run`'s.

    Its algorithm and environment may be absent from this machine, or not to be trusted.
    """
    folder = Path(folder)
    with reading_configuration(folder) as told:
        path, names = folder / CONFIGURATION, (told["algorithm"]["name"], told["env"]["name"])
        seeds = told["settings"]["seed"], told["settings"]["seeds"]
        require(
            all(isinstance(name, str) for name in names) and all(type(n) is int for n in seeds),
            f"{path} names {names} and the seeds {seeds}: restore it from a copy.",
            RunError,
        )
        return RunSummary(folder, *names, *seeds)


@contextmanager
def reading_configuration(folder: Path) -> Iterator[dict[str, Any]]:
    """The content of `run.json`; errors of the block are `RunError`s that name the file."""
    path = folder / CONFIGURATION
    require_run(folder)
    told = read_json(path)
    try:
        require(
            told["format"] == FORMAT,
            f"{folder} was written in format {told['format']}; this version reads {FORMAT}.",
            RunError,
        )
        with reading(path):
            yield told
    except RunError:
        raise
    except CoterieError as error:
        raise RunError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} is not a run's configuration: {error!r}.") from None


def require_run(folder: Path) -> None:
    """Raise `RunError` unless a folder is a run's; it says what the folder is instead."""
    require(
        folder.is_dir(), f"{folder} is not a folder: name one that `coterie train` made.", RunError
    )
    if not (folder / CONFIGURATION).exists():
        raise RunError(f"{folder} {_instead(folder)}")


def inner_runs(folder: Path) -> list[Path]:
    """The run folders in the folder of a comparison, a sweep or a figure."""
    return sorted(path.parent for path in folder.glob(f"*/{CONFIGURATION}"))


def _instead(folder: Path) -> str:
    """Say what a folder without a run's configuration is, and what to name in its place."""
    inner = inner_runs(folder)
    one = f"name one of its {len(inner)} runs, as {inner[0]}" if inner else "it has no runs yet"
    if (folder / SWEEP).exists():
        return (
            "is the folder of a sweep: the `coterie sweep` command that began it goes on with it; "
            f"for one trial, {one}."
        )
    if inner:
        return (
            "is the folder of several runs: the `coterie compare` or `coterie claims` command that "
            f"began it goes on with all; for one, {one}."
        )
    if any(folder.glob("seed-*")):
        return f"is a run folder that has lost its {CONFIGURATION}: restore it from a copy."
    around = [each for each in (*folder.parents,)[:3] if (each / CONFIGURATION).exists()]
    where = around[0] if around else "one that `coterie train` made, as in runs/"
    return f"is no run folder, for it has no {CONFIGURATION}: name {where}."


def file_name(name: str) -> str:
    """A name as part of a file's name.

    >>> file_name("../red team/1")
    '..-red-team-1'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def agent_file(name: str) -> str:
    """An agent's name as a file's, another one for each name.

    What is no letter, digit or `_.-~` is percent-encoded, and so is a dot that would hide the file;
    of a long name the rest is a hash.

    >>> agent_file("agent_0"), agent_file("red/1"), agent_file(".."), len(agent_file("x" * 300))
    ('agent_0', 'red%2F1', '%2E.', 100)
    """
    plain = re.sub(r"^\.", "%2E", urllib.parse.quote(name, safe=""))
    if len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{plain[: LONGEST_NAME - 17]}-{digest}"
