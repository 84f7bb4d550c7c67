"""Record of the rows sent to a service, so that a resumed run sends none of them again."""

import json
from pathlib import Path
from typing import Any

from coterie.internal.files import write_whole
from coterie.internal.reading import read_json
from coterie.training.loggers.logger import Kind
from coterie.training.run import Run


class Told:
    """Record by seed: the service's name for it, and the steps of the last rows sent.

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
        """Return the service's name for a seed; `None` if it has none yet."""
        return self._seeds.get(str(seed), {}).get("id")

    def call(self, seed: int, name: str) -> None:
        """Keep the service's name for a seed."""
        self._seeds[str(seed)] = {"id": name}
        self._write()

    def has(self, kind: Kind, seed: int, steps: int) -> bool:
        """True if a row was sent, maybe by an earlier process."""
        return steps <= self._seeds.get(str(seed), {}).get(kind, -1)

    def add(self, kind: Kind, seed: int, steps: int) -> None:
        """Note that a row was sent."""
        self._seeds[str(seed)][kind] = steps
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            write_whole(self._path, json.dumps(self._seeds, indent=2) + "\n")
