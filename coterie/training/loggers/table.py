"""Tables: CSV files that grow by rows."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from coterie.errors import RunError, require
from coterie.internal.files import write_whole
from coterie.internal.reading import TABLE, read_text
from coterie.training.checkpoint import kept_steps
from coterie.training.loggers.logger import Kind
from coterie.training.metrics import Row
from coterie.training.run import Run


class Csv:
    """The run's own tables, metrics.csv and evaluation.csv of each seed; always written."""

    def __init__(self) -> None:
        self._tables: dict[tuple[Kind, int], Table] = {}

    def start(self, run: Run) -> None:
        """Cut the tables back to the checkpoints from which the run goes on."""
        for seed in run.seeds:
            self._tables["training", seed] = Table(run.metrics(seed))
            self._tables["evaluation", seed] = Table(run.evaluations(seed))
        for (_, seed), table in self._tables.items():
            table.cut(kept_steps(run, seed))

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Add a row to one of the tables."""
        self._tables[kind, seed].append(row)

    def finish(self) -> None:
        """Nothing is left to write."""


class Table:
    """A CSV file that grows by rows; what was written is never lost, half rows never appear."""

    def __init__(self, path: Path):
        self.path = path
        self._columns: list[str] = []

    def append(self, row: Row) -> None:
        """Add a row; the first one decides the columns.

        Raises `RunError` if a later row has others, or if the table is gone.
        """
        fresh = not self.path.exists()
        require(
            not (fresh and self._columns),
            f"{self.path} is gone: it, or its folder, was moved or deleted during the training; "
            "put it back and continue with `coterie resume`, or train anew.",
            RunError,
        )
        if fresh:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._columns = list(row)
        elif not self._columns:
            self._columns = next(csv.reader(io.StringIO(read_text(self.path, TABLE))), [])
        require_columns(str(self.path), self._columns, row)
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow({name: _short(value) for name, value in row.items()})
        with self.path.open("a") as file:
            file.write(text.getvalue())

    def cut(self, steps: int) -> None:
        """Forget the rows after `steps` environment steps, before a run is resumed from there."""
        if not self.path.exists():
            return
        # A process that was killed may have left a part of a line at the end.
        whole = [
            li for li in read_text(self.path, TABLE).splitlines(keepends=True) if li.endswith("\n")
        ]
        if not whole:
            return self.path.unlink()
        header, *lines = whole
        kept = [line for line in lines if _number(line.split(",", 1)[0], self.path) <= steps]
        return write_whole(self.path, "".join([header, *kept]))


def require_columns(table: str, columns: Iterable[str], row: Row) -> None:
    """Raise `RunError` unless a row has the columns of its table, in whatever order."""
    more = sorted(row.keys() - set(columns))
    less = sorted(set(columns) - row.keys())
    require(
        not more and not less,
        f"{table}: the columns are those of the first row, but this row has "
        f"{', '.join(more) or 'nothing'} in addition and lacks {', '.join(less) or 'nothing'}; "
        "give every row the same names, NaN where there is no number.",
        RunError,
    )


def read_table(path: Path) -> dict[str, np.ndarray]:
    """The columns of a table; blanks are NaN."""
    rows: list[dict[Any, Any]] = list(csv.DictReader(io.StringIO(read_text(path, TABLE))))
    names = [name for name in rows[0] if name] if rows else []
    return {n: np.array([_number(row[n], path) for row in rows]) for n in names}


def _number(text: str | None, path: Path) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError:
        raise RunError(f"{path} holds {text!r} where a number belongs.") from None


def _short(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.9g}"
