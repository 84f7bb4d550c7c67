"""The verb that trains with several values of some options: sweep."""

import dataclasses
import shlex
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from coterie.cli.answers import Answer, console
from coterie.cli.options import Node
from coterie.cli.records import Sweeping
from coterie.cli.spelled import spellings
from coterie.cli.training import base_of, configured, label_of, nodes_of
from coterie.cli.words import Given, bare, negated
from coterie.errors import require
from coterie.internal.signals import exit_code
from coterie.report.table import to_rich
from coterie.sweeps.api import run_sweep
from coterie.sweeps.result import SweepResult
from coterie.sweeps.search import Grid, Random, Search
from coterie.sweeps.space import Axis, Choice, Point, Range, Space, corners, range_in, require_space
from coterie.sweeps.study import TPE, Median
from coterie.sweeps.trial import Trial
from coterie.training.config import Config
from coterie.training.settings import Settings

Words = Mapping[str, Given]
ABOUT = """
An option with commas has several values, and every combination of them is a trial:
  --actor-lr 1e-4,3e-4    --actor.hidden-sizes "64,64 64"    --normalize-rewards yes,no
With --search random or tpe, LOW..HIGH is a range, as --actor-lr 1e-4..1e-2; it is uniform in the
logarithm if its ends are positive and a factor of ten or more apart."""
SWITCH = ("yes", "no")
"""Values of an option that is switched on and off, where they are listed."""
OWN = {field.name.replace("_", "-") for field in dataclasses.fields(Sweeping)}
"""Options of the verb's own, which are none of a trial's."""
KEPT = ("config", "trust", "loggers")
"""Those of them that a training has, too."""


def sweep_verb(arguments: list[str]) -> Answer:
    """Train one method with several values of its options."""
    base, given = base_of("sweep", arguments, from_file=True, settings=Settings(seeds=3))
    base = dataclasses.replace(base, plots=False)
    output = Sweeping(base.folder, base.loggers)
    space = {name: axis for name in given if (axis := _axis(name, given[name].words))}
    if space:
        require_space(space)
    first = _at(given, next(corners(space)))
    chosen = configured("sweep", base, output, first, ABOUT)[1]
    space = _numbers(space, nodes_of(base, output, first))

    def configure(point: Point) -> Config:
        return configured("sweep", base, output, _at(given, point))[0]

    named = label_of(f"sweep-{base.method}-{base.env_name}")
    result = run_sweep(
        space,
        configure,
        chosen.folder or Path("runs") / named,
        _search(chosen),
        chosen.launcher,
        console(),
        chosen.column,
        Median() if chosen.prune else None,
    )
    if not result.finished:
        console().print("The same command goes on with the sweep.", highlight=False)
    return _answer(result, partial(_command, base, given))


def _axis(name: str, words: Sequence[str]) -> Axis | None:
    """The values that an option lists, with commas between them; `None` if it has one value.

    >>> _axis("actor.hidden-sizes", ["64", "64,", "128"])
    Choice(words=('64 64', '128'))
    >>> _axis("graph", ["ring,geometric:0.2,seed=1,star"])
    Choice(words=('ring', 'geometric:0.2,seed=1', 'star'))
    """
    if name in OWN or name.startswith("launcher."):
        return None
    text = " ".join(words)
    values = _values(text, spellings()[name].names) if name in spellings() else _split(text)
    return Choice(tuple(values)) if len(values) > 1 else range_in(text, whole=False)


def _split(text: str) -> list[str]:
    return [" ".join(value.split()) for value in text.split(",")]


def _values(text: str, names: Sequence[str]) -> list[str]:
    """Values that may have commas of their own: what follows one is a value if it is a name."""
    values: list[str] = []
    for piece in _split(text):
        head = piece.partition(" ")[0]
        if values and ":" in values[-1] and ":" not in head and head not in names:
            values[-1] += f",{piece}"
        else:
            values.append(piece)
    return values


def _numbers(space: Space, nodes: Mapping[str, Node]) -> Space:
    """The space with ranges of whole numbers, where an option's are."""
    groups = [group for node in nodes.values() for group in node.groups]
    kinds = {option.name: option.kind for group in groups for option in group.shown}

    def of(name: str, axis: Axis) -> Axis:
        whole = int in (bare(kinds[name]), *typing.get_args(bare(kinds[name])))
        if not isinstance(axis, Range) or not whole:
            return axis
        require(
            axis.low.is_integer() and axis.high.is_integer(),
            f"--{name} is a whole number, and so are the ends of its range: write 1..8.",
        )
        return dataclasses.replace(axis, whole=True)

    return {name: of(name, axis) for name, axis in space.items()}


def _at(given: Words, point: Point) -> Words:
    """The options of the trial at a point."""
    told = {name: each for name, each in given.items() if name not in point}
    for name, word in point.items():
        typed = given[name].typed
        if word in SWITCH:
            told[name if word == "yes" else negated(name)] = Given(typed, ())
        else:
            told[name] = Given(typed, tuple(word.split()))
    return told


def _search(chosen: Sweeping) -> Search:
    if chosen.search == "grid":
        require(
            chosen.trials is None,
            "--trials is for --search random or tpe: a grid tries every combination.",
        )
        return Grid()
    kind = {"random": Random, "tpe": TPE}[chosen.search]
    return kind(chosen.trials or kind.trials, chosen.search_seed)


def _command(base: Config, given: Words, trial: Trial, config: Config) -> str:
    """The command that trains a trial's configuration with other seeds."""
    names = [] if "config" in given else [base.method, base.env_name]
    words = ["coterie", "train", *names]
    for name, each in _at(given, trial.point).items():
        dropped = name in OWN and name not in KEPT
        if not (dropped or name in ("seed", "seeds") or name.startswith("launcher.")):
            words += [f"--{name}", *each.words]
    words += ["--seeds", str(config.settings.seeds), "--seed", str(config.settings.seed)]
    return shlex.join(words)


def _answer(result: SweepResult, command: Callable[[Trial, Config], str]) -> Answer:
    """The table, what became of the other trials, and the best command."""
    trials = [{"trial": trial.name, **trial.describe()} for trial in result.trials]
    data: dict[str, Any] = {"folder": result.folder, "finished": result.finished}
    data |= {"trials": trials, "table": result.table, "best": None, "files": result.files}
    lines: list[Any] = [to_rich(result.table)] if result.table else []
    lines += [_sentence(trial) for trial in result.having("failed", "pruned", "stopped")]
    lines += map(str, result.files)
    if result.best and result.config:
        said = command(result.best, result.config)
        data["best"] = {"trial": result.best.name, "command": said}
        lines += [f"The best of them, {result.best.name}, with seeds that no trial had:", said]
    failed = 0 if result.table else 2
    return Answer(data, lines, failed if result.finished else exit_code())


def _sentence(trial: Trial) -> str:
    return f"{trial.title}: {trial.state}{f', {trial.sentence}' if trial.sentence else ''}"
