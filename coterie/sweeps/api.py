"""Sweeps in Python; the verb of the command line calls them."""

import dataclasses
import functools
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from coterie.algorithms import Algorithm
from coterie.catalogue import changed
from coterie.envs.game import Env
from coterie.errors import require, unknown
from coterie.internal.lock import hold
from coterie.internal.parts import option_fields
from coterie.sweeps.folder import SweepFolder
from coterie.sweeps.launcher import Launcher, Local
from coterie.sweeps.progress import SweepProgress
from coterie.sweeps.result import SweepResult, curve_of, result_of
from coterie.sweeps.runner import Plan, Runner
from coterie.sweeps.search import Grid, Pruner, Search, identity
from coterie.sweeps.space import Choice, Point, Range, Space, corners, describe, require_space
from coterie.sweeps.trial import Trial
from coterie.training import loop
from coterie.training.config import Config
from coterie.training.fit import require_used
from coterie.training.run import new_run
from coterie.training.settings import Settings

Configure = Callable[[Point], Config]
"""From a point to the configuration of its trial."""


def sweep(
    algorithm: str | Algorithm,
    env: str | Env,
    axes: Mapping[str, Sequence[Any] | Range],
    settings: Settings = Settings(seeds=3),
    folder: str | Path = "runs/sweep",
    search: Search = Grid(),
    launcher: Launcher = Local(),
    console: Console | None = None,
    column: str = "episode_return",
    pruner: Pruner | None = None,
    loggers: Sequence[str] = (),
) -> SweepResult:
    """Train one method with several values of its options; tabulate, plot and rank the trials.

    axes:     for each option its values, or a `Range` of numbers for a random search or TPE. An
              option of the algorithm, the environment, the settings or the communication is named
              as its field, and one of a part behind a dot: `"actor.hidden_sizes"`.
    settings: those of every trial, which has all the seeds.
    folder:   the folder of the trials' run folders; the same call goes on with a stopped sweep.
    search:   `Grid()`, `Random(trials=20)` or `TPE(trials=20)`.
    launcher: where trials run: `Local()`, `Slurm()`, `Ray()` or one of your own.
    column:   of the evaluations; trials are compared by the last one.
    pruner:   `Median()` ends trials that fall behind; by default none.
    loggers:  as in `train`, by name.

    Each trial is a process of its own. One that fails is listed with its sentence, and the others
    go on. Raises `ConfigError` or `RunError` with one sentence before anything is written.

    >>> result = sweep("dpo", "spread", {"actor_lr": [1e-4, 3e-4, 1e-3]})  # doctest: +SKIP
    >>> result.best.point  # doctest: +SKIP
    {'actor_lr': '0.0003'}
    """
    made = new_run(algorithm, env, settings)
    words = ("csv", *(name for name in loggers if name != "csv"))
    base = Config(made.method, made.algorithm, made.env_name, made.env, settings, words, False)
    known = {n: {_word(v): v for v in a} for n, a in axes.items() if not isinstance(a, Range)}
    space = {
        n: a if isinstance(a, Range) else Choice(tuple(map(_word, a))) for n, a in axes.items()
    }

    def configure(point: Point) -> Config:
        told = base
        for name, word in point.items():
            number = int if getattr(space[name], "whole", False) else float
            value = known[name][word] if name in known else number(word)
            told = with_option(told, name, value)
        return told

    return run_sweep(
        space, configure, folder, search, launcher, console, column=column, pruner=pruner
    )


def run_sweep(
    space: Space,
    configure: Configure,
    folder: str | Path,
    search: Search,
    launcher: Launcher,
    console: Console | None,
    column: str = "episode_return",
    pruner: Pruner | None = None,
) -> SweepResult:
    """Run the trials of a space that are left, and make the result of all.

    Everything that can be refused is refused before anything is on disk.
    """
    configure = _remembering(configure)
    first = _checked(space, configure, search, column)
    launcher.check()
    if pruner:
        pruner.check()
    plan = Plan(
        SweepFolder(Path(folder), _plan(space, first, search, column)),
        space,
        search,
        launcher,
        configure,
        first.settings.seeds,
        column,
        pruner,
    )
    with hold(Path(folder)):
        trials = plan.folder.read()
        title, total = f"{first.method} on {first.env_name}", search.count(space)
        with SweepProgress(title, total, trials, functools.partial(_said, plan), console) as bar:
            runner = Runner(plan, bar, trials)
            finished = runner.work()
        return result_of(plan, runner.trials, finished)


def with_option(config: Config, name: str, value: Any) -> Config:
    """The configuration with another value of one option, by the name of its field.

    >>> from coterie import DPO, Settings, Spread
    >>> told = Config("dpo", DPO(), "spread", Spread(), Settings())
    >>> with_option(told, "actor.activation", "relu").algorithm.actor.activation
    'relu'
    """
    head, _, rest = name.replace("-", "_").partition(".")
    talk = config.settings.communication
    places: dict[str, Any] = {"algorithm": config.algorithm, "env": config.env}
    places |= {"settings": config.settings, "communication": talk}
    names = {field.name: key for key, each in places.items() for field in option_fields(each)}
    names.pop("communication")
    if head not in names:
        raise unknown("option", name, names)
    place = names[head]
    new = _with(places[place], head, rest, value)
    if place == "communication":
        place, new = "settings", dataclasses.replace(config.settings, communication=new)
    return dataclasses.replace(config, **{place: new})


def _with(owner: Any, head: str, rest: str, value: Any) -> Any:
    if rest:
        inner, _, more = rest.partition(".")
        value = _with(getattr(owner, head), inner, more, value)
    return changed(owner, {head: value})


def _word(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _remembering(configure: Configure) -> Configure:
    """Configurations are made once for each point."""
    made: dict[tuple[str, ...], Config] = {}

    def remembered(point: Point) -> Config:
        key = tuple(point.values())
        if key not in made:
            made[key] = configure(point)
        return made[key]

    return remembered


def _checked(space: Space, configure: Configure, search: Search, column: str) -> Config:
    """The first configuration, once all that are foreseen are known to be fit."""
    require_space(space)
    for name in ("seed", "seeds"):
        require(
            name not in space,
            f"--{name} cannot be swept: every trial has all seeds, as with --seeds 3.",
        )
    search.check(space)
    first = configure(next(corners(space)))
    for each in map(configure, search.foreseen(space)):
        each.algorithm.check(each.settings.num_envs)
        require_used(each.settings.communication, {each.method: each.algorithm})
    loop.dry_run(first.run)
    return first


def _plan(space: Space, first: Config, search: Search, column: str) -> dict[str, Any]:
    """Identity of a sweep, as `sweep.json` has it."""
    told = {
        "configuration": tomllib.loads(first.to_toml()),
        "space": describe(space),
        "search": identity(search),
        "column": column,
    }
    return json.loads(json.dumps(told))


def _said(plan: Plan, trial: Trial) -> str:
    """The result of a finished trial in words."""
    return str(curve_of(plan, trial).final())
