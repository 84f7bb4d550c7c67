"""A figure of a paper: what is trained for it, how it is drawn, and what it is said to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coterie.algorithms import Algorithm
from coterie.api import compare
from coterie.claims.questions import TAIL, Question
from coterie.files import write_whole
from coterie.games.game import Game
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

    references: known values, drawn as lines, such as an optimum.
    """

    game: Game
    methods: Mapping[str, Algorithm]
    settings: Settings
    claims: tuple[Claim, ...] = ()
    references: Mapping[str, float] = field(default_factory=dict)


def make_figure(panels: Mapping[str, Panel], folder: Path) -> str:
    """Train what is not trained yet, draw, judge; returns what `verdicts.md` says.

    Leaves `figure.png` and `verdicts.md` in `folder`, and one folder of runs for each panel.
    """
    drawn, lines = {}, []
    references = {k: v for panel in panels.values() for k, v in panel.references.items()}
    for name, panel in panels.items():
        drawn[name] = compare(panel.methods, panel.game, panel.settings, folder / name)
        if not drawn[name]:
            return "stopped; the same command goes on"
        named = {curve.label: curve for curve in drawn[name]}
        lines += [f"**{name}**\n", to_markdown(summary_table(drawn[name], TAIL))]
        lines += [f"- {c.name} ({c.says}): {c.ask(named)}" for c in panel.claims]
        lines.append("")
        plot_panels(drawn, folder / "figure.png", ylabel="return", references=references)
        write_whole(folder / "verdicts.md", "\n".join(lines))
    return "\n".join(lines)
