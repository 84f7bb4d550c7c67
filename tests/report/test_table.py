"""Tables: the right numbers in the right order, in three forms."""

import csv
import dataclasses
import io
import itertools

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
        "|  | final | 95 % interval | best | P(beats best) "
        "| to 90 % | steps | sent | seeds | time |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| high | 10 | 9 to 11 | 10 | 0.50 | 1k | 2.5M | 1.5 MB | 3 | 1:15 min |",
        "| low | 2 | 2 to 2 | 3 | 0.00 | never | 2.5M |  | 3 |  |",
        "",
        "low: cut at 2500000.",
    ]


def test_csv_can_be_read_back(rows):
    back = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [row["label"] for row in back] == ["high", "low"]
    assert [float(row["reached"]) for row in back] == [1000, np.inf]
    assert [row["seconds"] for row in back] == ["75.0", ""]


def test_rows_know_when_lower_is_better():
    steps = np.array([0, 10, 20])
    good, bad = (
        Curve(label, steps, np.tile([9.0, *ends], (3, 1)), lower_is_better=True)
        for label, ends in (("good", (0.5, 1.0)), ("bad", (8.0, 7.0)))
    )
    first, second = summary_table([bad, good])
    assert (first.label, first.best, first.reached) == ("good", 0.5, 10)
    assert (second.label, second.best, second.reached) == ("bad", 7.0, np.inf)
    assert (first.improvement, second.improvement, second.improvement_high) == (0.5, 0, 0)


def test_each_environment_has_a_best_of_its_own():
    steps, ends = np.array([0, 10]), {("a", "x"): 1, ("b", "x"): 2, ("a", "y"): 900, ("b", "y"): 8}
    rows = summary_table(
        [
            Curve(label, steps, np.array([[0, end]] * 3), env=env)
            for (label, env), end in ends.items()
        ]
    )
    assert [(row.env, row.label) for row in rows] == [*zip("xxyy", "baab", strict=True)]
    assert [row.reached for row in rows] == [10, np.inf, 10, np.inf]
    assert to_markdown(rows).startswith("| environment |  | final |")


def printed(rows, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(to_rich(rows, "spread"))
    return console.export_text()


def test_the_table_fits_every_terminal_and_never_cuts_a_number(rows):
    long = [
        dataclasses.replace(row, label=f"my.module.with.a.long.name:{row.label}") for row in rows
    ]
    for told, width in itertools.product((rows, long), (30, 45, 60, 80, 200)):
        text = printed(told, width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text and " 10 " in text
        assert width < 45 or "9 to 11" in text
        assert "low: cut at 2500000" in text.replace("\n", "").replace(" " * 2, "") or told is long
    assert "1:15 min" in printed(rows, 200) and "left out" not in printed(rows, 200)
    assert "left out for width: steps, time" in printed(rows, 80)


def test_no_curves_no_table():
    with pytest.raises(RunError, match="no curve"):
        summary_table([])
