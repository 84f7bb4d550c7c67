"""Curves as a table: one row per method, for a terminal, a page or a spreadsheet."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table

from coterie.errors import RunError, require
from coterie.report.compare import best, improvement, level
from coterie.report.curve import Curve
from coterie.report.formatting import duration, short, volume
from coterie.report.statistics import steps_to

HEADINGS = {
    "env": "environment",
    "label": "",
    "final": "final",
    "interval": "95 % interval",
    "best": "best",
    "improvement": "P(beats best)",
    "reached": "to 90 %",
    "steps": "steps",
    "sent": "sent",
    "seeds": "seeds",
    "time": "time",
}
SPARED = ("steps", "time", "best", "improvement", "seeds", "sent", "reached", "interval")
"""Columns that a narrow terminal does without, in this order."""
_WORDS = ("env", "label")
_LEAST = 12  # characters of a label in a line, before columns are left out


@dataclass(frozen=True)
class Row:
    """One curve in numbers.

    env:              its environment, if curves of several are shown.
    final, low, high: the interquartile mean at the end and its 95 % interval.
    best:             the best interquartile mean on the way.
    improvement, improvement_low, improvement_high: the probability that one of its seeds ends
                      better than one of the first row, and its 95 % interval; 0.5 for the first
                      row itself.
    reached:          the first step at ninety per cent of the first row's final value (see
                      `compare.level`); infinity if it never was.
    steps, seeds:     the end of the curve, and its number of runs.
    sent:             the bytes that one agent has sent, if known.
    seconds:          the wall time of one seed, if known.
    note:             a remark on the numbers for the reader.
    """

    env: str
    label: str
    final: float
    low: float
    high: float
    best: float
    improvement: float
    improvement_low: float
    improvement_high: float
    reached: float
    steps: float
    sent: float | None
    seeds: int
    seconds: float | None
    note: str


def summary_table(curves: Sequence[Curve], tail: int = 1) -> list[Row]:
    """One `Row` for each curve, by environment and the best final value first.

    tail: the number of last points of each seed that are averaged into its final value.
    """
    require(len(curves) > 0, "there is no curve to put into a table.", RunError)
    by_env = {env: [c for c in curves if c.env == env] for env in dict.fromkeys(_envs(curves))}
    return [row for played in by_env.values() for row in _ranked(played, tail)]


def to_markdown(rows: Sequence[Row]) -> str:
    """The table as GitHub-flavoured Markdown, notes below it."""
    keys = _keys(rows)
    marks = [":--" if key in _WORDS else "--:" for key in keys]
    cells = [[_cells(row)[key] for key in keys] for row in rows]
    lines = [[HEADINGS[key] for key in keys], marks, *cells]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return table + "".join(f"\n{row.label}: {row.note}.\n" for row in rows if row.note)


def to_csv(rows: Sequence[Row]) -> str:
    """The table with full precision, one column per field of `Row`; unknown times are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, Row.__dataclass_fields__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


@dataclass(frozen=True)
class Summary:
    """The table for `rich.print`, notes below it: with all columns for which there is room.

    Numbers are never cut; labels are broken into lines before columns are left out.
    """

    rows: Sequence[Row]
    title: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        keys, left = _keys(self.rows), []
        for spared in SPARED:
            if _narrowest(self._drawn(keys), console, options) <= options.max_width:
                break
            keys.remove(spared)
            left.append(HEADINGS[spared])
        yield self._drawn(keys, left)

    def _drawn(self, keys: Sequence[str], left: Sequence[str] = ()) -> Table:
        notes = [f"{row.label}: {row.note}" for row in self.rows if row.note]
        narrow = [f"left out for width: {', '.join(left)}"] if left else []
        table = Table(
            title=self.title,
            caption="; ".join([*notes, *narrow]) or None,
            title_justify="left",
            caption_justify="left",
            box=box.SIMPLE,
            padding=(0, 1, 0, 0),
        )
        for key in keys:
            if key in _WORDS:
                table.add_column(HEADINGS[key], overflow="fold")
            else:
                table.add_column(HEADINGS[key], justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(*(_cells(row)[key] for key in keys))
        return table


def to_rich(rows: Sequence[Row], title: str | None = None) -> Summary:
    """The table for `rich.print`."""
    return Summary(rows, title)


def _narrowest(table: Table, console: Console, options: ConsoleOptions) -> int:
    """The width of a table whose words are broken as far as they may be."""
    free = options.update(width=10_000)
    whole = Measurement.get(console, free, table).maximum
    words = [column for column in table.columns if not column.no_wrap]
    cells = [[column.header, *column.cells] for column in words]
    widths = [max(cell_len(str(cell)) for cell in column) for column in cells]
    return whole - sum(max(0, width - _LEAST) for width in widths)


def _envs(curves: Sequence[Curve]) -> list[str]:
    return [curve.env for curve in curves]


def _keys(rows: Sequence[Row]) -> list[str]:
    """The columns of the table; environments are told only where there are several."""
    several = len({row.env for row in rows}) > 1
    return [key for key in HEADINGS if several or key != "env"]


def _ranked(curves: Sequence[Curve], tail: int) -> list[Row]:
    first = best(*curves, tail=tail)
    goal = level(first, tail=tail)
    rows = [_row(curve, first, goal, tail) for curve in curves]
    return sorted(rows, key=lambda row: -first.sign * row.final)


def _row(curve: Curve, first: Curve, goal: float, tail: int) -> Row:
    beats = improvement(curve, first, tail)
    return Row(
        curve.env,
        curve.label,
        *curve.final(tail),
        float(curve.sign * (curve.sign * curve.line).max()),
        *beats,
        reached=float(steps_to(curve.steps, curve.sign * curve.line, curve.sign * goal)),
        steps=float(curve.steps[-1]),
        sent=curve.sent,
        seeds=curve.seeds,
        seconds=curve.seconds,
        note=curve.note,
    )


def _cells(row: Row) -> dict[str, str]:
    return {
        "env": row.env,
        "label": row.label,
        "final": f"{row.final:.4g}",
        "interval": f"{row.low:.4g} to {row.high:.4g}",
        "best": f"{row.best:.4g}",
        "improvement": f"{row.improvement:.2f}",
        "reached": short(row.reached) if np.isfinite(row.reached) else "never",
        "steps": short(row.steps),
        "sent": "" if row.sent is None else volume(row.sent),
        "seeds": str(row.seeds),
        "time": "" if row.seconds is None else duration(row.seconds),
    }
