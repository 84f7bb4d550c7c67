"""The figures of the MATRPO paper (Li & He)."""

from dataclasses import replace

from coterie.algorithms import ITRPO, MATRPO, Algorithm, NetworkedQAC
from coterie.centralized import CTRPO, MAPPO
from coterie.claims.assertions import above, close, every, keeps_up, widest, within
from coterie.claims.figure import Claim, Figure, Panel
from coterie.envs import SpreadMATRPO, TreasureMATRPO
from coterie.training.settings import Settings

SETTINGS = Settings(
    steps=600_000,
    games=10,
    seeds=5,
    block=20,
    evaluations=30,
    evaluation_games=256,
    checkpoints=3,
)
# Chosen on navigation with three agents, seeds 100 and 101, 500,000 steps: discounts from
# {0.995, 0.95}, 200 or 1000 steps in a batch, step sizes of critics from {3e-4, 1e-3, 3e-3} and of
# MAPPO from {5e-4, 1e-3}, bounds of divergence from {0.003, 0.01}; for FDMARL step sizes of the
# policy from {3e-4, 1e-3}, of the critic from {1e-3, 5e-3}, 5 or 20 steps of the critic for each of
# the policy, 250,000 steps.
# They are the defaults of trust-region methods, and serve all teams in navigation.
LEARNER = MATRPO()


def _methods(learner: MATRPO, joint: float) -> dict[str, Algorithm]:
    """MATRPO and the baselines, with its batch, discount, damping and layers.

    joint: C-TRPO's bound on the divergence of the joint policy.
    """
    discount, hidden, damping = learner.discount, learner.hidden, learner.damping
    return {
        "matrpo": learner,
        "c-trpo": CTRPO(divergence=joint, damping=damping, discount=discount, hidden=hidden),
        "i-trpo": ITRPO(
            divergence=learner.divergence, damping=damping, discount=discount, hidden=hidden
        ),
        "fdmarl": NetworkedQAC(
            horizon=learner.horizon,
            discount=discount,
            critic_epochs=20,
            hidden=hidden,
            critic_hidden=hidden,
            activation=learner.activation,
        ),
        "mappo": MAPPO(
            horizon=learner.horizon,
            discount=discount,
            minibatches=1,
            learning_rate=1e-3,
            critic_learning_rate=1e-3,
            hidden=hidden,
            activation=learner.activation,
        ),
    }


NAVIGATORS = _methods(LEARNER, joint=LEARNER.divergence)

# Chosen on treasures with eight agents, seeds 100 and 101, 120,000 to 400,000 steps: discounts from
# {0.9, 0.95, 0.995}, dampings from {0.01, 0.1, 1}, C-TRPO's bounds from {0.003, 0.01, 0.03, 0.1};
# for MATRPO its step from {exact, boundary}, penalties from {0.1, 1, 5}, bounds from {0.01, 0.03}
# and rounds from {30, 100, 200}. Layers are half as wide as the paper's, for time.
TREASURE = replace(SETTINGS, steps=300_000, block=10, evaluations=15)
COLLECTOR = MATRPO(
    divergence=0.01,
    conjugate_steps=10,
    damping=0.1,
    discount=0.995,
    hidden=(64, 64),
    penalty=5.0,
    step="boundary",
    ratios="linear",
)
COLLECTORS = _methods(COLLECTOR, joint=0.03)


def _level(names: tuple[str, str, str, str]) -> tuple[Claim, ...]:
    """What figure 3 is said to show; `names` are against C-TRPO, I-TRPO, FDMARL and MAPPO."""
    central, independent, networked, ppo = names
    steadier = widest("fdmarl", "matrpo", "c-trpo", "i-trpo", "mappo")
    return (
        Claim(central, "MATRPO is level with C-TRPO", close("matrpo", "c-trpo")),
        Claim(independent, "MATRPO ends above I-TRPO", above("matrpo", "i-trpo")),
        Claim(
            networked,
            "MATRPO ends above FDMARL, whose seeds differ most",
            every(above("matrpo", "fdmarl"), steadier),
        ),
        Claim(ppo, "MATRPO is level with MAPPO", close("matrpo", "mappo")),
    )


def _no_lower(name: str) -> tuple[Claim, ...]:
    """What figure 4 is said to show: "comparable or superior performance to the baselines"."""
    baselines = ("c-trpo", "i-trpo", "fdmarl", "mappo")
    return tuple(
        Claim(name, f"MATRPO ends no lower than {baseline}", keeps_up("matrpo", baseline))
        for baseline in baselines
    )


def figure_3a() -> Figure:
    """MATRPO, figure 3(a): three agents cover three landmarks, and one of them is paid."""
    covered = Claim(
        "M3",
        "every landmark lies under an agent",
        within("matrpo", SpreadMATRPO.agent_radius),
        "distance",
    )
    claims = (*_level(("M3", "M4", "M5", "M6")), covered)
    return Figure({"navigation-3": Panel(SpreadMATRPO(), NAVIGATORS, SETTINGS, claims)})


def figure_3b() -> Figure:
    """MATRPO, figure 3(b): eight agents collect treasures, and two of them are paid for it."""
    claims = _level(("M7", "M8", "M9", "M10"))
    return Figure({"treasure-8": Panel(TreasureMATRPO(), COLLECTORS, TREASURE, claims)})


def figure_4() -> Figure:
    """MATRPO, figure 4: navigation with six agents, and treasures with twelve."""
    game, larger = SpreadMATRPO(agents=6), TreasureMATRPO(agents=12)
    shorter = replace(TREASURE, steps=160_000, evaluations=8)
    return Figure(
        {
            "navigation-6": Panel(game, NAVIGATORS, SETTINGS, _no_lower("M11")),
            "treasure-12": Panel(larger, COLLECTORS, shorter, _no_lower("M12")),
        }
    )


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
