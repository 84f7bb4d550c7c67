"""The figures of the MATRPO paper (Li & He)."""

from dataclasses import replace
from typing import Any

from coterie.algorithms import ITRPO, MATRPO, Algorithm, NetworkedQAC
from coterie.algorithms.trpo import DirectionCoefficients
from coterie.centralized import CTRPO, MAPPO
from coterie.claims.assertions import above, close, every, largest_seed_variance, not_worse, within
from coterie.claims.figure import Claim, Figure, Panel
from coterie.envs import SpreadMATRPO, TreasureMATRPO
from coterie.rl.models import MLP
from coterie.training.settings import Settings

SETTINGS = Settings(
    steps=600_000,
    num_envs=10,
    seeds=5,
    updates_per_block=20,
    num_evals=30,
    eval_episodes=256,
    num_checkpoints=3,
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
    discount, damping = learner.discount, learner.damping
    models: dict[str, Any] = {"actor": learner.actor, "critic": learner.critic}
    return {
        "matrpo": learner,
        "c-trpo": replace(CTRPO, max_kl=joint, damping=damping, discount=discount, **models),
        "i-trpo": ITRPO(max_kl=learner.max_kl, damping=damping, discount=discount, **models),
        "fdmarl": NetworkedQAC(
            rollout_length=learner.rollout_length,
            discount=discount,
            actor_lr=1e-3,
            critic_lr=5e-3,
            critic_epochs=20,
            entropy_coef=0.01,
            **models,
        ),
        "mappo": replace(
            MAPPO,
            rollout_length=learner.rollout_length,
            discount=discount,
            minibatches=1,
            actor_lr=1e-3,
            critic_lr=1e-3,
            **models,
        ),
    }


NAVIGATORS = _methods(LEARNER, joint=LEARNER.max_kl)

# Chosen on treasures with eight agents, seeds 100 and 101, 120,000 to 400,000 steps: discounts from
# {0.9, 0.95, 0.995}, dampings from {0.01, 0.1, 1}, C-TRPO's bounds from {0.003, 0.01, 0.03, 0.1};
# for MATRPO its step from {exact, boundary}, penalties from {0.1, 1, 5}, bounds from {0.01, 0.03}
# and rounds from {30, 100, 200}. Layers are half as wide as the paper's, for time.
TREASURE = replace(SETTINGS, steps=300_000, updates_per_block=10, num_evals=15)
COLLECTOR = MATRPO(
    max_kl=0.01,
    cg_iters=10,
    damping=0.1,
    discount=0.995,
    actor=MLP((64, 64), "selu"),
    critic=MLP((64, 64), "selu"),
    penalty=5.0,
    step_rule="boundary",
    ratio_exchange=DirectionCoefficients(),
)
COLLECTORS = _methods(COLLECTOR, joint=0.03)


def _level(names: tuple[str, str, str, str]) -> tuple[Claim, ...]:
    """Claims of the paper on figure 3; `names` are against C-TRPO, I-TRPO, FDMARL and MAPPO."""
    central, independent, networked, ppo = names
    steadier = largest_seed_variance("fdmarl", "matrpo", "c-trpo", "i-trpo", "mappo")
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
    """Claims of the paper on figure 4: "comparable or superior performance to the baselines"."""
    baselines = ("c-trpo", "i-trpo", "fdmarl", "mappo")
    return tuple(
        Claim(name, f"MATRPO ends no lower than {baseline}", not_worse("matrpo", baseline))
        for baseline in baselines
    )


def figure_3a() -> Figure:
    """MATRPO, figure 3(a): three agents cover three landmarks, and one of them is paid."""
    covered = Claim(
        "M3",
        "every landmark lies under an agent",
        within("matrpo", SpreadMATRPO.agent_radius),
        "info/distance",
    )
    claims = (*_level(("M3", "M4", "M5", "M6")), covered)
    return Figure({"navigation-3": Panel(SpreadMATRPO(), NAVIGATORS, SETTINGS, claims)})


def figure_3b() -> Figure:
    """MATRPO, figure 3(b): eight agents collect treasures, and two of them are paid for it."""
    claims = _level(("M7", "M8", "M9", "M10"))
    return Figure({"treasure-8": Panel(TreasureMATRPO(), COLLECTORS, TREASURE, claims)})


def figure_4() -> Figure:
    """MATRPO, figure 4: navigation with six agents, and treasures with twelve."""
    env, larger = SpreadMATRPO(agents=6), TreasureMATRPO(agents=12)
    shorter = replace(TREASURE, steps=160_000, num_evals=8)
    return Figure(
        {
            "navigation-6": Panel(env, NAVIGATORS, SETTINGS, _no_lower("M11")),
            "treasure-12": Panel(larger, COLLECTORS, shorter, _no_lower("M12")),
        }
    )


def figure_5() -> Figure:
    """MATRPO, figure 5, for navigation with three agents: region, penalty and rounds."""
    regions = {f"region {d:g}": replace(LEARNER, max_kl=d) for d in (0.001, 0.01)}
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
