"""A run on disk: its configuration, its numbers, its checkpoints, one policy file per agent."""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from coterie.algorithms import Algorithm, Information
from coterie.catalogue import algorithm_name, changed, env_name, make_algorithm, make_env
from coterie.envs.game import Env
from coterie.envs.joint_agent import as_one
from coterie.errors import ConfigError, RunError, advise
from coterie.internal.files import write_whole
from coterie.internal.imports import module_in
from coterie.internal.lock import LOCK
from coterie.internal.parts import Codec, describe, option_fields
from coterie.internal.trust import remember, require_trusted
from coterie.network import Communication
from coterie.training.run_files import FORMAT, RunFiles, file_name, reading_configuration
from coterie.training.settings import Blocks, Settings

MEMORY = Path(os.devnull)
"""The folder of a run that is kept in memory: nothing can be written there."""


@dataclass(frozen=True)
class Run(RunFiles):
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
    def played(self) -> Env:
        """The environment as it is played: by the team as one agent, if the method acts at a
        centre."""
        return as_one(self.env) if self.algorithm.information.joint_control else self.env

    @property
    def seeds(self) -> range:
        return range(self.settings.seed, self.settings.seed + self.settings.seeds)

    def owner(self, seed: int) -> dict[str, Any]:
        """Identity of one repetition, which its files carry."""
        return {"seed": seed, "run": identity(self.describe())}

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

    @property
    def unused(self) -> bool:
        """True if nothing is in its folder, and nothing else has the folder's name."""
        if not self.folder.exists():
            return True
        return self.folder.is_dir() and {path.name for path in self.folder.iterdir()} <= {LOCK}

    def require_new(self) -> None:
        """Raise `RunError` if the folder is in use."""
        if self.unused:
            return
        more = f", or continue the run in it with `coterie resume {self.folder}`"
        more *= self.configuration.exists()
        raise RunError(f"{self.folder} already exists: choose another folder{more}.")

    def create(self) -> None:
        """Make the folder and write the configuration; refuses a folder that is in use.

        The code of the user's own that it names is trusted when the run is opened again.
        """
        self.require_new()
        told = self.describe()
        write_whole(self.configuration, json.dumps(told, indent=2) + "\n")
        remember_code(told)

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


@contextmanager
def reserved(run: Run) -> Iterator[Run]:
    """Make a folder of its own for a new run: of its name, or of that with -2, -3, ... behind it.

    A folder that is left empty vanishes again.
    """
    parent, name = run.folder.parent, run.folder.name
    fresh = not parent.exists()
    parent.mkdir(parents=True, exist_ok=True)
    tries = (parent / (name if i == 1 else f"{name}-{i}") for i in itertools.count(1))
    folder = next(path for path in tries if _made(path))
    try:
        yield dataclasses.replace(run, folder=folder)
    finally:
        with contextlib.suppress(OSError):  # something is in it
            folder.rmdir()
            if fresh:
                parent.rmdir()


def _made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def open_run(folder: str | Path) -> Run:
    """The run in a folder; `RunError` if it is not one, is half written or damaged.

    Code that it names (`module:Class`, a factory of PettingZoo's) is run only if it is trusted: if
    the run was trained by this user here, or within `coterie.trust_code()`.
    """
    folder = Path(folder)
    with reading_configuration(folder) as told:
        algorithm, env = dict(told["algorithm"]), dict(told["env"])
        method, world = algorithm.pop("name"), env.pop("name")
        loggers = tuple(map(str, told.get("loggers", ())))
        require_trusted_loggers(loggers)
        return Run(
            folder,
            method,
            make_algorithm(method, **algorithm),
            world,
            make_env(world, **env),
            settings_of(told["settings"]),
            loggers,
        )


def require_trusted_loggers(names: Iterable[str]) -> None:
    """Raise `ConfigError` if a file names a logger of somebody's own that is not trusted."""
    for name in names:
        if ":" in name:
            require_trusted(name, name.partition(":")[0])


def identity(told: Mapping[str, Any]) -> str:
    """Fingerprint of a configuration: equal for runs that train the same."""
    parts = {key: told[key] for key in ("algorithm", "env", "settings")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def remember_code(told: Mapping[str, Any]) -> None:
    """Trust the code that a configuration names, which this user has made."""
    for name in _code_in(told):
        advise(
            not name.startswith("__main__:"),
            f"{name} is defined in the program that runs now, so that no other can evaluate, watch "
            "or resume this run: move it to a module of its own, and import it from there.",
        )
        remember(name, module_in(name))


def _code_in(told: Any, key: str = "") -> Iterator[str]:
    """The names of code, `module:Class`, in a configuration."""
    if isinstance(told, Mapping):
        for inner, each in told.items():
            yield from _code_in(each, inner)
    elif isinstance(told, list):
        for each in told:
            yield from _code_in(each, key)
    elif isinstance(told, str) and key in ("name", "kind", "weights", "loggers") and ":" in told:
        yield told


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
    fields = {field.name: getattr(value, field.name) for field in option_fields(value)}
    return {name: describe(each, INFORMATION) for name, each in fields.items()}


INFORMATION: Codec = Information, lambda value: described(value), lambda told: Information(**told)
"""What an algorithm may know, where that is one of its fields."""


def options(value: Any, kind: Any = None) -> dict[str, Any]:
    """The fields of a dataclass by their names, or those that it has from its base `kind`.

    >>> options(Settings(), kind=Settings)["num_envs"]
    64
    """
    names = (field.name for field in dataclasses.fields(kind or value))
    return {name: getattr(value, name) for name in names}
