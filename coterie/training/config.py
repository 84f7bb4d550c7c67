"""A run's configuration as a TOML file: every option by its name, to be repeated or changed."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from coterie.algorithms import Algorithm
from coterie.bounds import Option, options_of
from coterie.catalogue import ALGORITHMS, make_algorithm, make_env
from coterie.envs.game import Env
from coterie.errors import ConfigError, CoterieError, require, unknown
from coterie.internal.parts import Part, kind_of, part_of
from coterie.internal.reading import read_text
from coterie.internal.trust import reading
from coterie.training.run import (
    MEMORY,
    Run,
    new_run,
    remember_code,
    require_trusted_loggers,
    settings_of,
)
from coterie.training.settings import Settings

NOTHING = "none"
"""How `None` is written: TOML has no word for it."""
SECTIONS = ("algorithm", "env", "settings", "output")


@dataclass(frozen=True)
class Config:
    """Configuration of a training: algorithm, environment, settings, loggers and folder."""

    method: str
    algorithm: Algorithm
    env_name: str
    env: Env
    settings: Settings
    loggers: tuple[str, ...] = ("csv",)
    plots: bool = True
    folder: Path | None = None

    def to_toml(self) -> str:
        """The file that `read_config` reads; a folder is left out, as a run needs a new one.

        Code that it names is trusted from now on: who has it written down has it here.
        """
        run = self.run.describe()
        remember_code(run)
        rule = dict(run["algorithm"])
        if self.method in ALGORITHMS:  # part of what the name stands for, and no option
            rule.pop("information", None)
        told = {
            "algorithm": _written(type(self.algorithm), rule),
            "env": _written(type(self.env), run["env"]),
            "settings": _written(Settings, run["settings"]),
            "output": {"loggers": list(self.loggers), "plots": self.plots},
        }
        return tomli_w.dumps(told)

    @property
    def run(self) -> Run:
        """The run that it describes, nowhere on disk."""
        made = new_run(self.algorithm, self.env, self.settings, MEMORY, self.loggers)
        return dataclasses.replace(made, method=self.method, env_name=self.env_name)


MISSING = "name a file that `coterie config` wrote"


def read_config(path: str | Path) -> Config:
    """The configuration in a file of `coterie config`; what it leaves out is as by default.

    Code that it names is run only if it is trusted, see `trust_code`. Raises `ConfigError` with a
    sentence that names the file and the key.
    """
    try:
        told = tomllib.loads(read_text(Path(path), missing=MISSING))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not a TOML file: {error}.") from None
    for section in told:
        _within(path, "the file", lambda name=section: _require_known(name, SECTIONS))
        require(isinstance(told[section], dict), f"{path}: {section} is not a table: [{section}].")
    with reading(Path(path)):
        method, rule = _named(path, told, "algorithm", make_algorithm)
        world, env = _named(path, told, "env", make_env)
        given = told.get("settings", {})
        settings = _within(path, "[settings]", lambda: settings_of(_read(Settings, given)))
        output = _within(path, "[output]", lambda: _output(told.get("output", {})))
    return Config(method, rule, world, env, settings, **output)


def _named(path: str | Path, told: Mapping[str, Any], section: str, make: Any) -> tuple[str, Any]:
    """The name and the value of a section."""
    fields = dict(told.get(section, {}))
    name = fields.pop("name", None)
    require(isinstance(name, str), f'{path}: [{section}] has no name: write name = "...".')
    where = f"[{section}]"
    require(
        name not in ALGORITHMS or "information" not in fields,
        f"{path}: {where} information is no option: what {name} may know is part of its name.",
    )
    preset = _within(path, where, lambda: make(name))
    return name, _within(path, where, lambda: make(name, **_read(type(preset), fields)))


def _output(told: Mapping[str, Any]) -> dict[str, Any]:
    for name in told:
        _require_known(name, ("loggers", "plots", "folder"))
    loggers, folder = told.get("loggers", ["csv"]), told.get("folder")
    plots = told.get("plots", True)
    words = isinstance(loggers, list) and all(isinstance(one, str) for one in loggers)
    require(words, f"loggers must be a list of names, not {loggers!r}.")
    require_trusted_loggers(loggers)
    require(isinstance(plots, bool), f"plots must be true or false, not {plots!r}.")
    require(folder is None or isinstance(folder, str), f"folder must be a path, not {folder!r}.")
    return {
        "loggers": tuple(loggers),
        "plots": plots,
        "folder": None if folder is None else Path(folder),
    }


def _within(path: str | Path, where: str, work: Any) -> Any:
    """Return the result of `work`; its errors name their place in the file."""
    try:
        return work()
    except CoterieError as error:
        raise ConfigError(f"{path}: {where} {error}") from None
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: {where} cannot be read: {error!r}.") from None


def _require_known(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise unknown("key", name, known)


def _written(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as TOML can hold them; a word that may be missing is left out if it is."""
    words = {option.name for option in options_of(kind) if option.kind is str}
    return {n: _told(each) for n, each in told.items() if each is not None or n not in words}


def _told(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _told(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_told(each) for each in value]
    return NOTHING if value is None else value


def _read(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as they are described: `None` again, and numbers where 1 was written for 1.0."""
    known = {option.name: option for option in options_of(kind)}
    return {
        name: _read_field(known.get(name), each, getattr(kind, name, None))
        for name, each in told.items()
    }


def _read_field(option: Option | None, told: Any, usual: Any) -> Any:
    """One field, of the kind that it is declared to be; what is not known is refused later.

    usual: its default, whose kind a part is of that does not name one.
    """
    if option and option.optional and option.kind is not str and told == NOTHING:
        return None
    if option and option.kind is float and type(told) is int:
        told = float(told)
    named = isinstance(told, Mapping) and "kind" in told
    declared = type(usual) if isinstance(usual, Part) and not named else option and option.kind
    value = _read_part(declared, told)
    if option and not isinstance(value, Mapping) and not _has_tables(value):
        option.require(value)
    return value


def _has_tables(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(each, Mapping) for each in value)


def _read_part(declared: Any, told: Any) -> Any:
    """A part's fields by those of its kind."""
    if isinstance(told, list | tuple):
        return tuple(_read_part(declared, each) for each in told)
    if not isinstance(told, Mapping):
        return told
    kind = declared
    if isinstance(told.get("kind"), str):
        kind = kind_of(told["kind"], part_of(declared) or Part)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _read(kind, told)
    return {name: _read_part(None, each) for name, each in told.items()}
