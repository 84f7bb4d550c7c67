"""The folder of a sweep: its plan, the configurations and logs of its trials, and their runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie.errors import RunError, require
from coterie.internal.files import write_whole
from coterie.internal.reading import read_json
from coterie.sweeps.trial import Trial, read_trial
from coterie.training.run_files import SWEEP

FORMAT = 1


@dataclass(frozen=True)
class SweepFolder:
    """Folder of a sweep.

    path: its place.
    plan: what makes it this sweep and no other: space, search, column and configuration.
    """

    path: Path
    plan: Mapping[str, Any]

    @property
    def file(self) -> Path:
        """File of the plan and the trials."""
        return self.path / SWEEP

    def run(self, trial: Trial) -> Path:
        """Run folder of a trial."""
        return self.path / trial.name

    def configuration(self, trial: Trial) -> Path:
        """Configuration of a trial, as `coterie config` writes it."""
        return self.path / "configurations" / f"{trial.name}.toml"

    def log(self, trial: Trial) -> Path:
        """Log of the process of a trial."""
        return self.path / "logs" / f"{trial.name}.txt"

    def read(self) -> list[Trial]:
        """The trials so far; `RunError` if something else is in the folder."""
        if not self.path.exists() or self._empty():
            return []
        require(
            self.file.is_file(),
            f"{self.path} already exists and is no sweep: choose another --folder.",
            RunError,
        )
        told = read_json(self.file)
        require(
            isinstance(told, dict) and told.get("format") == FORMAT,
            f"{self.file} is no sweep of this version: choose another --folder.",
            RunError,
        )
        differing = [key for key in self.plan if told.get(key) != self.plan[key]]
        require(
            not differing,
            f"{self.path} has a sweep with another {' and '.join(differing)}: choose another "
            "--folder, or repeat its command.",
            RunError,
        )
        try:
            return [read_trial(number, each) for number, each in enumerate(told["trials"])]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RunError(f"{self.file} is damaged: {error!r}; restore it from a copy.") from None

    def write(self, trials: Sequence[Trial]) -> None:
        """Write the plan and the trials, whole."""
        told = {"format": FORMAT, **self.plan, "trials": [each.describe() for each in trials]}
        write_whole(self.file, json.dumps(told, indent=1) + "\n")

    def _empty(self) -> bool:
        """True if nothing is there, but for a lock or what a killed process left unfinished."""
        return self.path.is_dir() and all(p.name.startswith(".") for p in self.path.iterdir())
