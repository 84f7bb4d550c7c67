"""A figure of a paper: the methods trained for it, its plots, and the paper's statements on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console

from coterie.algorithms import Algorithm
from coterie.api import train_all
from coterie.claims.assertions import TAIL, Question
from coterie.envs.game import Env
from coterie.internal.files import write_whole
from coterie.report.columns import RETURN
from coterie.report.curve import Curve
from coterie.report.table import summary_table, to_markdown
from coterie.results import curve
from coterie.training.run import Run, new_run
from coterie.training.run_files import file_name
from coterie.training.settings import Settings


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper and the question that answers it; `name` as in the claims' list.

    column: the evaluations' column of the curves that the question is about.
    """

    name: str
    says: str
    ask: Question
    column: str = "episode_return"


@dataclass(frozen=True)
class Panel:
    """One plot: methods that play one environment with the same seeds and budget.

    references: known values such as an optimum, drawn as lines; computed only when they are needed.
    networks:   the settings of those methods that talk otherwise than the others.
    """

    env: Env
    methods: Mapping[str, Algorithm]
    settings: Settings
    claims: tuple[Claim, ...] = ()
    references: Mapping[str, Callable[[], float]] = field(default_factory=dict)
    networks: Mapping[str, Settings] = field(default_factory=dict)

    def runs(self, folder: Path) -> dict[str, Run]:
        """Each method's run, in a folder of its own."""
        return {
            label: new_run(
                method,
                self.env,
                self.networks.get(label, self.settings),
                folder / file_name(label),
            )
            for label, method in self.methods.items()
        }

    def verdicts(self, runs: Mapping[str, Run], known: Sequence[Curve] = ()) -> list[str]:
        """Return the paper's statements and their answers by runs and known values, as Markdown."""
        points = {point.label: point for point in known}
        asked = {
            column: points | {label: curve(run, column, label) for label, run in runs.items()}
            for column in {claim.column for claim in self.claims}
        }
        return [f"- {c.name} ({c.says}): {c.ask(asked[c.column])}" for c in self.claims]


@dataclass(frozen=True)
class Figure:
    """Panels side by side; figures in one folder share the runs of panels with one name."""

    panels: Mapping[str, Panel]

    @property
    def seeds(self) -> int:
        """The most seeds that train side by side."""
        return max(panel.settings.seeds for panel in self.panels.values())

    def make(self, picture: Path, console: Console | None = None) -> str | None:
        """Train the missing runs, draw, judge; return the tables and verdicts as Markdown, or None
        if it was stopped.

        Leaves the `picture`, the verdicts beside it (`.md`), and a folder of runs for each panel.
        """
        from coterie.report.plot import plot_panels  # to load matplotlib takes its time

        drawn, lines = {}, []
        known: dict[str, float] = {}
        for name, panel in self.panels.items():
            runs = panel.runs(picture.parent / name)
            if not train_all(list(runs.values()), console):
                return None
            drawn[name] = [curve(run, label=label) for label, run in runs.items()]
            known |= {label: value() for label, value in panel.references.items()}
            lines += [f"**{name}**\n", to_markdown(summary_table(drawn[name], TAIL))]
            lines += [*panel.verdicts(runs, [*map(_point, known.items())]), ""]
            plot_panels(drawn, picture, ylabel=RETURN, references=known)
            write_whole(picture.with_suffix(".md"), "\n".join(lines))
        return "\n".join(lines)


def _point(named: tuple[str, float]) -> Curve:
    """A known value as a curve."""
    label, value = named
    return Curve(label, np.zeros(1), np.full((1, 1), value))
