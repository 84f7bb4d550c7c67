"""The figures of the DPO paper (Su & Lu)."""

from collections.abc import Mapping
from dataclasses import replace

from coterie.algorithms import DPO, IPPO, IQL, Algorithm
from coterie.claims.figure import Claim, Panel
from coterie.claims.questions import above
from coterie.games import Circle, Line, Spread
from coterie.train.settings import Settings

# Learning rates were chosen on spread, seeds 100 and 101, one million steps.
PARTICLES: Mapping[str, Algorithm] = {
    "dpo": DPO(horizon=25, learning_rate=2e-3, critic_learning_rate=2e-3),
    "ippo": IPPO(horizon=25, learning_rate=2e-3, critic_learning_rate=2e-3),
    "iql": IQL(horizon=25, updates=16),
}


def figure_2() -> dict[str, Panel]:
    """DPO, figure 2: five agents spread, line up and circle."""
    settings = Settings(games=64, seeds=5, evaluations=40, evaluation_games=128)
    asked = {
        "spread": (Spread(agents=5), 3_000_000, "D10", "D13"),
        "line": (Line(agents=5), 2_000_000, "D11", "D14"),
        "circle": (Circle(agents=5), 1_500_000, "D12", "D15"),
    }
    return {
        name: Panel(
            game,
            PARTICLES,
            replace(settings, steps=steps),
            (
                Claim(first, "DPO ends above IPPO", above("dpo", "ippo")),
                Claim(second, "DPO ends above IQL", above("dpo", "iql")),
            ),
        )
        for name, (game, steps, first, second) in asked.items()
    }
