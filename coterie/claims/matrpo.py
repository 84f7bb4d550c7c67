"""The figures of the MATRPO paper (Li & He)."""

from collections.abc import Mapping
from dataclasses import replace

from coterie.algorithms import ITRPO, MATRPO, Algorithm, NetworkedAC
from coterie.centralized import CTRPO, MAPPO
from coterie.claims.figure import Claim, Figure, Panel
from coterie.claims.questions import above, close, every, widest, within
from coterie.games import SpreadMATRPO, TreasureMATRPO
from coterie.games.game import Game
from coterie.train.settings import Settings

SETTINGS = Settings(
    steps=600_000,
    games=10,
    seeds=5,
    graph="ring",
    block=20,
    evaluations=30,
    evaluation_games=256,
    checkpoints=3,
)
# Chosen on navigation with three agents, seeds 100 and 101, 500,000 steps: discounts from
# {0.995, 0.95}, 200 or 1000 steps in a batch, step sizes of critics from {3e-4, 1e-3, 3e-3} and of
# MAPPO from {5e-4, 1e-3}, bounds of divergence from {0.003, 0.01}; for FDMARL step sizes of the
# policy from {3e-4, 1e-3}, of the critic from {1e-3, 5e-3} and traces from {0, 0.9}, 250,000 steps.
# They are the defaults of trust-region methods, and serve all games and teams.
BATCH, DISCOUNT, HIDDEN = 200, 0.95, (128, 128)
LEARNER = MATRPO()
METHODS: Mapping[str, Algorithm] = {
    "matrpo": LEARNER,
    "c-trpo": CTRPO(),
    "i-trpo": ITRPO(),
    "fdmarl": NetworkedAC(
        horizon=BATCH,
        discount=DISCOUNT,
        trace=0.9,
        critic_rate=1e-3,
        critic_epochs=20,
        hidden=HIDDEN,
        critic_hidden=HIDDEN,
        activation="selu",
    ),
    "mappo": MAPPO(
        horizon=BATCH,
        discount=DISCOUNT,
        minibatches=1,
        learning_rate=1e-3,
        critic_learning_rate=1e-3,
        hidden=HIDDEN,
        activation="selu",
    ),
}


def _panel(game: Game, names: tuple[str, str, str, str], *more: Claim) -> Panel:
    """All methods in a game; `names` are the claims against C-TRPO, I-TRPO, FDMARL and MAPPO."""
    central, independent, networked, ppo = names
    steadier = widest("fdmarl", "matrpo", "c-trpo", "i-trpo", "mappo")
    claims = (
        Claim(central, "MATRPO is level with C-TRPO", close("matrpo", "c-trpo")),
        Claim(independent, "MATRPO ends above I-TRPO", above("matrpo", "i-trpo")),
        Claim(
            networked,
            "MATRPO ends above FDMARL, whose seeds differ most",
            every(above("matrpo", "fdmarl"), steadier),
        ),
        Claim(ppo, "MATRPO is level with MAPPO", close("matrpo", "mappo")),
        *more,
    )
    return Panel(game, METHODS, SETTINGS, claims)


def figure_3a() -> Figure:
    """MATRPO, figure 3(a): three agents cover three landmarks, and one of them is paid."""
    covered = Claim(
        "M3",
        "every landmark lies under an agent",
        within("matrpo", SpreadMATRPO.agent_radius),
        "distance",
    )
    game = SpreadMATRPO()
    return Figure({"navigation-3": _panel(game, ("M3", "M4", "M5", "M6"), covered)})


def figure_3b() -> Figure:
    """MATRPO, figure 3(b): eight agents collect treasures, and two of them are paid for it."""
    return Figure({"treasure-8": _panel(TreasureMATRPO(), ("M7", "M8", "M9", "M10"))})


def figure_4() -> Figure:
    """MATRPO, figure 4(a): navigation with six agents."""
    return Figure({"navigation-6": _panel(SpreadMATRPO(agents=6), ("M11", "M11", "M11", "M11"))})


def figure_5() -> Figure:
    """MATRPO, figure 5, for navigation with three agents: region, penalty and rounds."""
    regions = {f"region {d:g}": replace(LEARNER, divergence=d) for d in (0.001, 0.01)}
    penalties = {f"penalty {b:g}": replace(LEARNER, penalty=b) for b in (0.1, 9.0)}
    rounds = {f"{k} rounds": replace(LEARNER, admm_rounds=k) for k in (10, 30)}
    claims = (
        Claim("M13", "the region matters little", close("matrpo", *regions)),
        Claim("M14", "a small penalty helps", above("penalty 0.1", "matrpo", "penalty 9")),
        Claim(
            "M15",
            "more rounds help up to a point",
            every(above("30 rounds", "10 rounds"), close("30 rounds", "matrpo")),
        ),
    )
    methods = {"matrpo": LEARNER, **regions, **penalties, **rounds}
    return Figure({"navigation-3": Panel(SpreadMATRPO(), methods, SETTINGS, claims)})
