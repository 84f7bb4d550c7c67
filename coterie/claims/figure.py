"""A figure of a paper: what is trained for it, how it is drawn, and what it is said to show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coterie.algorithms import Algorithm
from coterie.api import compare
from coterie.claims.questions import TAIL, Question
from coterie.files import write_whole
from coterie.games.game import Game
from coterie.report.curve import Curve
from coterie.report.plot import plot_panels
from coterie.report.table import summary_table, to_markdown
from coterie.train.settings import Settings


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper and the question that answers it; `name` as in the claims' list."""

    name: str
    says: str
    ask: Question


@dataclass(frozen=True)
class Panel:
    """One plot: methods that play one game with the same seeds and budget.

    references: known values such as an optimum, drawn as lines; computed only when they are needed.
    """

    game: Game
    methods: Mapping[str, Algorithm]
    settings: Settings
    claims: tuple[Claim, ...] = ()
    references: Mapping[str, Callable[[], float]] = field(default_factory=dict)


def make_figure(panels: Mapping[str, Panel], picture: Path) -> str:
    """Train what is not trained yet, draw, judge; returns the tables and verdicts as Markdown.

    Leaves the `picture`, the verdicts beside it (`.md`), and one folder of runs for each panel:
    figures in one folder share the runs of panels with one name.
    """
    drawn, lines = {}, []
    known: dict[str, float] = {}
    for name, panel in panels.items():
        drawn[name] = compare(panel.methods, panel.game, panel.settings, picture.parent / name)
        if not drawn[name]:
            return "stopped; the same command goes on"
        known |= {label: value() for label, value in panel.references.items()}
        named = {curve.label: curve for curve in (*drawn[name], *map(_point, known.items()))}
        lines += [f"**{name}**\n", to_markdown(summary_table(drawn[name], TAIL))]
        lines += [f"- {c.name} ({c.says}): {c.ask(named)}" for c in panel.claims]
        lines.append("")
        plot_panels(drawn, picture, ylabel="return", references=known)
        write_whole(picture.with_suffix(".md"), "\n".join(lines))
    return "\n".join(lines)


def _point(named: tuple[str, float]) -> Curve:
    """A known value as a curve."""
    label, value = named
    return Curve(label, np.zeros(1), np.full((1, 1), value))
