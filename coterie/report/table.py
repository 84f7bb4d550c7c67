"""Curves as a table: one row per method, for a terminal, a page or a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich import box
from rich.table import Table

from coterie.errors import RunError, require
from coterie.report.compare import level
from coterie.report.curve import Curve
from coterie.report.formatting import duration, short, volume
from coterie.report.statistics import steps_to

HEADINGS = ("", "final", "95 % interval", "best", "to 90 %", "steps", "sent", "seeds", "time")


@dataclass(frozen=True)
class Row:
    """One curve in numbers.

    final, low, high: the interquartile mean at the end and its 95 % interval.
    best:             the highest interquartile mean on the way.
    reached:          the first step at ninety per cent of the best row's final value (see
                      `compare.level`); infinity if it never was.
    steps, seeds:     the end of the curve, and its number of runs.
    sent:             the bytes that one agent has sent, if known.
    seconds:          the wall time of one seed, if known.
    note:             a remark on the numbers for the reader.
    """

    label: str
    final: float
    low: float
    high: float
    best: float
    reached: float
    steps: float
    sent: float | None
    seeds: int
    seconds: float | None
    note: str


def summary_table(curves: Sequence[Curve], tail: int = 1) -> list[Row]:
    """One `Row` for each curve, the highest final value first.

    tail: the number of last points of each seed that are averaged into its final value.
    """
    require(len(curves) > 0, "there is no curve to put into a table.", RunError)
    goal = level(max(curves, key=lambda curve: curve.final(tail).point), tail=tail)
    rows = [_row(curve, goal, tail) for curve in curves]
    return sorted(rows, key=lambda row: -row.final)


def to_markdown(rows: Sequence[Row]) -> str:
    """The table as GitHub-flavoured Markdown, notes below it."""
    lines = [HEADINGS, (":--", *["--:"] * (len(HEADINGS) - 1)), *map(_cells, rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return table + "".join(f"\n{row.label}: {row.note}.\n" for row in rows if row.note)


def to_csv(rows: Sequence[Row]) -> str:
    """The table with full precision, one column per field of `Row`; unknown times are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, Row.__dataclass_fields__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def to_rich(rows: Sequence[Row], title: str | None = None) -> Table:
    """The table for `rich.print`, notes below it."""
    notes = "; ".join(f"{row.label}: {row.note}" for row in rows if row.note)
    table = Table(
        title=title,
        caption=notes or None,
        title_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for i, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _row(curve: Curve, goal: float, tail: int) -> Row:
    line = curve.line
    return Row(
        curve.label,
        *curve.final(tail),
        best=float(line.max()),
        reached=float(steps_to(curve.steps, line, goal)),
        steps=float(curve.steps[-1]),
        sent=curve.sent,
        seeds=curve.seeds,
        seconds=curve.seconds,
        note=curve.note,
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.label,
        f"{row.final:.4g}",
        f"{row.low:.4g} to {row.high:.4g}",
        f"{row.best:.4g}",
        short(row.reached) if np.isfinite(row.reached) else "never",
        short(row.steps),
        "" if row.sent is None else volume(row.sent),
        str(row.seeds),
        "" if row.seconds is None else duration(row.seconds),
    )
