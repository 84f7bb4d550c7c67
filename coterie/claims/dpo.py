"""Figure 2 of the DPO paper: five agents spread, line up and circle; DPO against IPPO and IQL.

    python -m coterie.claims.dpo runs/dpo-figure-2

trains 3 games x 3 methods x 5 seeds, draws the figure and judges claims D10 to D15.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from coterie.algorithms import DPO, IPPO, IQL, Algorithm
from coterie.api import compare
from coterie.files import write_whole
from coterie.games import Circle, Line, Spread
from coterie.games.game import Game
from coterie.report.compare import Comparison, ends_above
from coterie.report.curve import Curve
from coterie.report.plot import plot_panels
from coterie.report.table import summary_table, to_markdown
from coterie.startup import prepare
from coterie.train.settings import Settings

AGENTS = 5
GAMES: Mapping[str, Game] = {
    "spread": Spread(agents=AGENTS),
    "line": Line(agents=AGENTS),
    "circle": Circle(agents=AGENTS),
}
# Learning rates were chosen on spread, seeds 100 and 101, one million steps.
METHODS: Mapping[str, Algorithm] = {
    "dpo": DPO(horizon=25, learning_rate=2e-3, critic_learning_rate=2e-3),
    "ippo": IPPO(horizon=25, learning_rate=2e-3, critic_learning_rate=2e-3),
    "iql": IQL(horizon=25, updates=16),
}
SETTINGS = Settings(games=64, seeds=5, evaluations=40, evaluation_games=128)
# Long enough for the curves to flatten; the same for every method.
STEPS: Mapping[str, int] = {"spread": 3_000_000, "line": 2_000_000, "circle": 1_500_000}
CLAIMS = {
    "spread": {"D10": "ippo", "D13": "iql"},
    "line": {"D11": "ippo", "D14": "iql"},
    "circle": {"D12": "ippo", "D15": "iql"},
}
TAIL = 3  # evaluations that a final value is the mean of


def verdicts(game: str, curves: list[Curve]) -> dict[str, Comparison]:
    """The claims about one game: does DPO end above the others?"""
    named = {curve.label: curve for curve in curves}
    return {
        claim: ends_above(named["dpo"], named[other], TAIL) for claim, other in CLAIMS[game].items()
    }


def main(folder: Path) -> None:
    """Train what is not trained yet, draw, judge."""
    panels, lines = {}, []
    for name, game in GAMES.items():
        settings = replace(SETTINGS, steps=STEPS[name])
        curves = compare(METHODS, game, settings, folder / name)
        panels[name] = curves
        lines += [f"**{name}**\n", to_markdown(summary_table(curves, TAIL))]
        lines += [f"- {claim}: {found}" for claim, found in verdicts(name, curves).items()]
        lines.append("")
        plot_panels(panels, folder / "figure-2.png", ylabel="return")
        write_whole(folder / "verdicts.md", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    prepare(SETTINGS.seeds)
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/dpo-figure-2"))
