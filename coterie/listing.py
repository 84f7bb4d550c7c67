"""Catalogue of the names that the command line knows, each with its sentence."""

from collections.abc import Mapping
from typing import Any

from coterie.catalogue import ABOUT, ALGORITHMS, ENVS
from coterie.claims.catalogue import FIGURES
from coterie.graph import FAMILIES, WEIGHTS
from coterie.internal.imports import (
    GYMNASIUM,
    GYMNASIUM_VECTOR,
    JAXMARL,
    JUMANJI,
    PETTINGZOO,
    SMAX,
)
from coterie.network import CHANNELS, SCHEDULES
from coterie.rl.models import Model
from coterie.training.loggers import LOGGERS


def names() -> dict[str, dict[str, str]]:
    """List every name by its kind, each with a sentence on what it stands for.

    The kinds are algorithms, environments, models, graphs, weights, schedules, channels, loggers
    and figures.

    >>> names()["algorithms"]["ippo"]
    'Independent PPO with clipped ratios.'
    """
    any_environment = {
        f"{PETTINGZOO}...": "Any PettingZoo ParallelEnv, as pettingzoo:package.module.",
        f"{GYMNASIUM}...": "Any Gymnasium environment, as gymnasium:CartPole-v1.",
        f"{GYMNASIUM_VECTOR}...": "Any batch of Gymnasium's VectorEnv, from my.module:make.",
        f"{JAXMARL}...": "An environment of JaxMARL, as jaxmarl:MPE_simple_spread_v3.",
        f"{JUMANJI}...": "An environment of Jumanji, as jumanji:RobotWarehouse-v0.",
        f"{SMAX}...": "A map of JaxMARL's SMAX, as smax:2s3z.",
    }
    return {
        "algorithms": {name: ABOUT[name] for name in ALGORITHMS},
        "environments": summaries(ENVS) | any_environment,
        "models": summaries(Model.KINDS),
        "graphs": summaries(FAMILIES),
        "weights": summaries(WEIGHTS),
        "schedules": summaries(SCHEDULES),
        "channels": summaries(CHANNELS),
        "loggers": summaries(LOGGERS),
        "figures": summaries(FIGURES),
    }


def summaries(kinds: Mapping[str, Any]) -> dict[str, str]:
    """Return the first line of each name's docstring."""
    return {name: (kind.__doc__ or "").strip().splitlines()[0] for name, kind in kinds.items()}
