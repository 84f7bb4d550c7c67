"""Tables: the right numbers in the right order, in three forms."""

import csv
import io

import numpy as np
import pytest
from rich.console import Console

from coterie.errors import RunError
from coterie.report.curve import Curve
from coterie.report.table import summary_table, to_csv, to_markdown, to_rich


@pytest.fixture
def rows():
    steps = np.array([0, 1000, 2_500_000])
    low = Curve("low", steps, np.tile([0.0, 3.0, 2.0], (3, 1)), note="cut at 2500000")
    high = Curve("high", steps, np.array([[0, 9, 9], [0, 9, 10], [0, 9, 11]]), 75.0, 1.5e6)
    return summary_table([low, high])


def test_rows_are_sorted_and_exact(rows):
    high, low = rows
    assert (high.label, high.final, high.low, high.high, high.best) == ("high", 10, 9, 11, 10)
    assert (high.reached, high.steps, high.seeds, high.seconds) == (1000, 2_500_000, 3, 75)
    assert (high.sent, low.sent) == (1.5e6, None)
    assert (low.final, low.best, low.reached, low.seconds) == (2, 3, np.inf, None)


def test_markdown(rows):
    assert to_markdown(rows).splitlines() == [
        "|  | final | 95 % interval | best | to 90 % | steps | sent | seeds | time |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| high | 10 | 9 to 11 | 10 | 1k | 2.5M | 1.5 MB | 3 | 1:15 min |",
        "| low | 2 | 2 to 2 | 3 | never | 2.5M |  | 3 |  |",
        "",
        "low: cut at 2500000.",
    ]


def test_csv_can_be_read_back(rows):
    back = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [row["label"] for row in back] == ["high", "low"]
    assert [float(row["reached"]) for row in back] == [1000, np.inf]
    assert [row["seconds"] for row in back] == ["75.0", ""]


def test_the_terminal_table_fits_and_shows_the_notes(rows):
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(to_rich(rows, "spread"))
    text = console.export_text()
    assert "9 to 11" in text and "low: cut at 2500000" in text and "…" not in text


def test_no_curves_no_table():
    with pytest.raises(RunError, match="no curve"):
        summary_table([])
