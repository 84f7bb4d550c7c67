"""Strength of every method with its defaults on the standard tasks, at equal steps and seeds."""

from dataclasses import replace

from coterie.algorithms import Algorithm
from coterie.catalogue import ALGORITHMS
from coterie.claims.assertions import improves
from coterie.claims.figure import Claim, Figure, Panel
from coterie.envs import Commons, RoverTower, Spread, SpreadFarama, Treasure
from coterie.envs.game import Env
from coterie.graph import Ring
from coterie.network import Communication
from coterie.training.settings import Settings

METHODS = (
    *("ippo", "dpo", "mappo", "iql", "iddpg", "itrpo", "ctrpo", "matrpo"),
    *("networked-ac", "networked-q", "central-ac"),
    *("maddpg", "maac", "coma", "f2a2-ddpg", "f2a2-td3", "f2a2-sac", "f2a2-isac", "f2a2-coma"),
)
"""Methods with networks for any environment, or for discrete actions; without ablations."""

TASKS: dict[str, tuple[Env, int]] = {
    "spread-farama": (SpreadFarama(), 1_000_000),
    "spread-5": (Spread(agents=5), 1_000_000),
    "rover-tower": (RoverTower(), 1_000_000),
    "treasure": (Treasure(), 3_000_000),
    "commons": (Commons(), 250_000),
}
"""Tasks, and the environment steps of each method in it."""


def defaults() -> Figure:
    """All methods with their defaults; those that talk do so on a ring."""
    settings = Settings(
        seeds=5,
        num_evals=20,
        eval_episodes=128,
        num_checkpoints=1,
        communication=Communication(Ring()),
    )
    panels = {
        name: _panel(env, replace(settings, steps=steps)) for name, (env, steps) in TASKS.items()
    }
    return Figure(panels)


def _panel(env: Env, settings: Settings) -> Panel:
    methods = _players(env)
    learns = Claim("S1", "every method ends above its start", improves(*methods))
    return Panel(env, methods, settings, (learns,))


def _players(env: Env) -> dict[str, Algorithm]:
    """The methods that can choose this environment's actions."""
    continuous = any(spec.action.continuous for spec in env.specs)
    playing = ("any", "continuous" if continuous else "discrete")
    methods = {name: ALGORITHMS[name] for name in METHODS}
    return {name: a for name, a in methods.items() if a.information.action_space in playing}
