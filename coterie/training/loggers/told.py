"""What has been told to a service that forgets nothing, so that a resumed run repeats nothing."""

import json
from pathlib import Path
from typing import Any

from coterie.internal.files import read_json, write_whole
from coterie.training.loggers.logger import Kind
from coterie.training.run import Run


class Told:
    """By seed: the name that the service has for it, and the steps of the last rows told.

    It is kept as a file of the run's folder, if there is one. A resumed run gives the same rows
    again, so that those up to the last one told can be left out. Who is killed between a row and
    this file tells that one row twice.
    """

    def __init__(self, run: Run, service: str):
        self._path: Path | None = run.folder / f"{service}.json" if run.saved else None
        self._seeds: dict[str, dict[str, Any]] = {}
        if self._path is not None and self._path.exists():
            self._seeds = read_json(self._path)

    def name(self, seed: int) -> str | None:
        """The service's name for a seed; none if it has not heard of it."""
        return self._seeds.get(str(seed), {}).get("id")

    def call(self, seed: int, name: str) -> None:
        """Keep the service's name for a seed."""
        self._seeds[str(seed)] = {"id": name}
        self._write()

    def has(self, kind: Kind, seed: int, steps: int) -> bool:
        """Whether a row was told, maybe by an earlier process."""
        return steps <= self._seeds.get(str(seed), {}).get(kind, -1)

    def add(self, kind: Kind, seed: int, steps: int) -> None:
        """A row is told."""
        self._seeds[str(seed)][kind] = steps
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            write_whole(self._path, json.dumps(self._seeds, indent=2) + "\n")
