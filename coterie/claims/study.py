"""Study of a network's cost: the end of training against the loss, delay or noise of messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from coterie.api import train_all
from coterie.claims.assertions import TAIL
from coterie.claims.figure import Panel
from coterie.internal.files import write_whole
from coterie.plots import plot_runs
from coterie.report.columns import RETURN, column_of
from coterie.report.curve import Curve
from coterie.report.formatting import volume
from coterie.report.statistics import Interval, interval
from coterie.results import curve
from coterie.training.run import Run

LATE = 10  # a distance from agreement is a mean over this part of the training, from its end


@dataclass(frozen=True)
class Study:
    """Teams that differ in their network, and their results.

    panel:  the teams and their settings.
    axes:   the conditions that get worse: a title, and the team at each tick.
    levels: the teams that the others are compared with.
    traced: the teams whose return is drawn over the bytes that an agent has sent.
    agreed: the payload that the team is to agree on.
    """

    panel: Panel
    axes: Mapping[str, Mapping[str, str]]
    levels: tuple[str, ...]
    traced: tuple[str, ...]
    agreed: str = "critic"

    @property
    def seeds(self) -> int:
        """The seeds that train side by side."""
        return self.panel.settings.seeds

    def make(self, picture: Path, console: Console | None = None) -> str | None:
        """Train the missing runs, draw, judge; return the table and verdicts as Markdown, or None
        if it was stopped.

        Leaves the `picture`, another one over bytes (`-bytes`), the table and verdicts (`.md`), and
        a folder with the teams' runs.
        """
        from coterie.report.sweep_plot import plot_doses  # to load matplotlib takes its time

        runs = self.panel.runs(picture.parent / picture.stem)
        if not train_all(list(runs.values()), console):
            return None
        curves = {label: curve(run, label=label) for label, run in runs.items()}
        ends = {label: (curves[label].final(TAIL), self._apart(runs[label])) for label in runs}
        plot_doses(
            {title: _columns(ticks, ends) for title, ticks in self.axes.items()},
            {label: ends[label] for label in self.levels},
            (RETURN, column_of(f"{self.agreed}/consensus_error").label),
            picture,
        )
        traced = [runs[label] for label in self.traced]
        over = picture.with_stem(f"{picture.stem}-bytes")
        plot_runs(traced, over, x="bytes", labels=self.traced)
        said = "\n".join([*_table(curves, ends), "", *self.panel.verdicts(runs), ""])
        write_whole(picture.with_suffix(".md"), said)
        return said

    def _apart(self, run: Run) -> Interval | None:
        """Distance of the team from agreement at training's end; `None` if it sends nothing."""
        if not run.algorithm.information.sends:
            return None
        apart = curve(run, f"{self.agreed}/consensus_error", training=True)
        return interval(apart.values[:, -max(len(apart.steps) // LATE, 1) :].mean(axis=1))


Ends = tuple[Interval, Interval | None]


def _columns(ticks: Mapping[str, str], ends: Mapping[str, Ends]) -> list[dict[str, Interval]]:
    """The return, and the distance from agreement, by tick."""
    both = {tick: ends[label] for tick, label in ticks.items()}
    return [
        {tick: value for tick, (value, _) in both.items()},
        {tick: value for tick, (_, value) in both.items() if value is not None},
    ]


def _table(curves: Mapping[str, Curve], ends: Mapping[str, Ends]) -> list[str]:
    rows = [
        "| team | return | distance from agreement | sent by an agent |",
        "| :-- " + "| --: " * 3 + "|",
    ]
    for label, (value, apart) in ends.items():
        cells = (
            label,
            f"{value}",
            "" if apart is None else f"{apart}",
            volume(curves[label].sent or 0),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows
