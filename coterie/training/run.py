"""A run on disk: its configuration, its numbers, its checkpoints, one policy file per agent."""

import dataclasses
import hashlib
import json
import os
import platform
import re
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from coterie.algorithms import Algorithm, Information
from coterie.catalogue import algorithm_name, changed, env_name, make_algorithm, make_env
from coterie.envs.game import Env
from coterie.envs.joint_agent import as_one
from coterie.errors import ConfigError, CoterieError, RunError, require
from coterie.internal.files import read_json, write_whole
from coterie.internal.parts import Codec, describe
from coterie.network import Communication
from coterie.policies import SUFFIX
from coterie.training.settings import Blocks, Settings

FORMAT = 3

LONGEST_NAME = 100

MEMORY = Path(os.devnull)
"""The folder of a run that is kept in memory: nothing can be written there."""


@dataclass(frozen=True)
class Run:
    """Training on disk: algorithm, environment, settings, and the folder of the results."""

    folder: Path
    method: str
    algorithm: Algorithm
    env_name: str
    env: Env
    settings: Settings
    loggers: tuple[str, ...] = ()
    """The names of those who are told what happens, besides the run's own tables."""

    @property
    def saved(self) -> bool:
        """True if the run is on disk; otherwise it is kept in memory, with the folder `MEMORY`."""
        return self.folder != MEMORY

    @property
    def title(self) -> str:
        """A short name for plots."""
        return f"{self.method} on {self.env_name}"

    @property
    def played(self) -> Env:
        """The environment as it is played: by the team as one agent, if the method acts at a
        centre."""
        return as_one(self.env) if self.algorithm.information.joint_control else self.env

    @property
    def seeds(self) -> range:
        """The seeds of its repetitions."""
        return range(self.settings.seed, self.settings.seed + self.settings.seeds)

    def seed_folder(self, seed: int) -> Path:
        """Folder of one repetition."""
        return self.folder / f"seed-{seed}"

    def checkpoints(self, seed: int) -> Path:
        """Folder of its checkpoints."""
        return self.seed_folder(seed) / "checkpoints"

    def metrics(self, seed: int) -> Path:
        """Its training numbers, one row per block."""
        return self.seed_folder(seed) / "metrics.csv"

    def evaluations(self, seed: int) -> Path:
        """Its evaluations, one row each."""
        return self.seed_folder(seed) / "evaluation.csv"

    def traffic(self, seed: int) -> Path:
        """Table of the traffic of its links, one row per payload and direction."""
        return self.seed_folder(seed) / "traffic.csv"

    def policy_file(self, seed: int, agent: str) -> Path:
        """One agent's trained policy."""
        return self.seed_folder(seed) / "policies" / f"{agent_file(agent)}{SUFFIX}"

    def owner(self, seed: int) -> dict[str, Any]:
        """Identity of one repetition, which its files carry."""
        told = {key: self.describe()[key] for key in ("algorithm", "env", "settings")}
        text = json.dumps(told, sort_keys=True)
        return {"seed": seed, "run": hashlib.sha256(text.encode()).hexdigest()[:16]}

    @property
    def blocks(self) -> Blocks:
        """The blocks of each repetition."""
        return self.settings.blocks(self.algorithm.rollout_length)

    @property
    def finished(self) -> bool:
        """True if every repetition has been trained to the end."""
        last = f"{self.blocks.updates + 1:09d}"
        return all((self.checkpoints(seed) / last).is_dir() for seed in self.seeds)

    @property
    def steps(self) -> int:
        """The environment steps of one repetition, rounded up to whole updates."""
        return self.blocks.steps

    def require_new(self) -> None:
        """Raise `RunError` if the folder is in use."""
        require(
            not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir())),
            f"{self.folder} already exists: choose another folder, or continue the run in it with "
            f"`coterie resume {self.folder}`.",
            RunError,
        )

    def create(self) -> None:
        """Make the folder and write the configuration; refuses a folder that is in use."""
        self.require_new()
        write_whole(self.folder / "run.json", json.dumps(self.describe(), indent=2) + "\n")

    def describe(self) -> dict[str, Any]:
        """The configuration, enough to repeat the run."""
        return {
            "format": FORMAT,
            "algorithm": {"name": self.method, **described(self.algorithm)},
            "env": {"name": self.env_name, **described(self.env)},
            "settings": {
                **options(self.settings),
                "communication": self.settings.communication.describe(),
            },
            "loggers": list(self.loggers),
            "versions": {
                "coterie": version("coterie"),
                "jax": version("jax"),
                "python": platform.python_version(),
            },
        }


def new_run(
    algorithm: str | Algorithm,
    env: str | Env,
    settings: Settings,
    folder: str | Path | None = None,
    loggers: tuple[str, ...] = (),
) -> Run:
    """A run that is not yet on disk; by default in `runs/<algorithm>-<environment>-<time>`."""
    method = algorithm if isinstance(algorithm, str) else algorithm_name(algorithm)
    world = env if isinstance(env, str) else env_name(env)
    rule = make_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    played = make_env(env) if isinstance(env, str) else env
    if folder is None:
        plain = file_name(f"{method}-{world}")
        folder = Path("runs") / f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"
    return Run(Path(folder), method, rule, world, played, settings, loggers)


def open_run(folder: str | Path) -> Run:
    """The run in a folder; `RunError` if it is not one, is half written or damaged."""
    folder = Path(folder)
    require(
        folder.is_dir(), f"{folder} is not a folder: name one that `coterie train` made.", RunError
    )
    told = read_json(folder / "run.json")
    try:
        require(
            told["format"] == FORMAT,
            f"{folder} was written in format {told['format']}; this version reads {FORMAT}.",
            RunError,
        )
        algorithm, env = dict(told["algorithm"]), dict(told["env"])
        method, world = algorithm.pop("name"), env.pop("name")
        return Run(
            folder,
            method,
            make_algorithm(method, **algorithm),
            world,
            make_env(world, **env),
            settings_of(told["settings"]),
            tuple(map(str, told.get("loggers", ()))),
        )
    except RunError:
        raise
    except CoterieError as error:
        raise RunError(f"{folder / 'run.json'}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder / 'run.json'} is not a run's configuration: {error!r}.") from None


def settings_of(told: Mapping[str, Any]) -> Settings:
    """The settings that a configuration tells; what it leaves out is as by default."""
    talk = {**Communication().describe(), **told.get("communication", {})}
    try:
        communication = Communication.described(talk)
    except (TypeError, KeyError, ConfigError) as error:
        raise ConfigError(f"communication: {str(error).rstrip('.')}.") from None
    return changed(Settings(), {**told, "communication": communication})


def described(value: Any) -> dict[str, Any]:
    """The fields of an algorithm or environment as JSON can hold them, parts with their kinds."""
    return {name: describe(each, INFORMATION) for name, each in options(value).items()}


INFORMATION: Codec = Information, lambda value: described(value), lambda told: Information(**told)
"""What an algorithm may know, where that is one of its fields."""


def file_name(name: str) -> str:
    """A name as part of a file's name.

    >>> file_name("../red team/1")
    '..-red-team-1'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def agent_file(name: str) -> str:
    """An agent's name as a file's, another one for each name.

    What is no letter, digit or `_.-~` is percent-encoded; of a long name the rest is a hash.

    >>> agent_file("agent_0"), agent_file("red/1"), len(agent_file("x" * 300))
    ('agent_0', 'red%2F1', 100)
    """
    plain = urllib.parse.quote(name, safe="")
    if len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{plain[: LONGEST_NAME - 17]}-{digest}"


def options(value: Any, kind: Any = None) -> dict[str, Any]:
    """The fields of a dataclass by their names, or those that it has from its base `kind`.

    >>> options(Settings(), kind=Settings)["num_envs"]
    64
    """
    names = (field.name for field in dataclasses.fields(kind or value))
    return {name: getattr(value, name) for name in names}
