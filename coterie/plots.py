"""Pictures and tables of runs on disk, from their names and numbers alone: no code of theirs runs.

Modules that draw are imported where they are used: loading matplotlib takes a tenth of a run's
start.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from coterie.errors import RunError, require
from coterie.internal.files import write_whole
from coterie.report.columns import column_of
from coterie.report.curve import Curve
from coterie.report.line import Line, lines_to_csv, team_line
from coterie.report.marl_eval import marl_eval
from coterie.report.profile import profiles
from coterie.report.table import summary_table, to_csv
from coterie.results import agents_in, curve, curves_of, having, of_payloads, over_bytes
from coterie.training.run_files import (
    CONFIGURATION,
    RunFiles,
    RunSummary,
    inner_runs,
    read_summary,
    reading_configuration,
)

Axis = Literal["steps", "bytes"]
Format = Literal["png", "pdf", "svg"]
OF_AGENTS = ("episode_return", "entropy", "kl", "critic_loss", "policy_loss", "gradient_norm")
"""Training numbers that `plot_run` draws agent by agent; and the bytes that they send."""
MOST_AGENTS = 7
"""Agents with a line of their own; more of them are a mean and a range."""


def plot_runs(
    runs: Sequence[RunFiles],
    path: str | Path,
    column: str = "episode_return",
    x: Axis = "steps",
    labels: Sequence[str] = (),
    formats: Sequence[Format] = (),
    lower_is_better: bool | None = None,
) -> list[Curve]:
    """Curves of one column of several runs as a picture, with a panel for each environment.

    runs:    from `open_run`, or from `read_summary`, which needs no code of a run.
    path:    the picture; beside it lie the points that it shows (`.csv`) and the runs in numbers
             (`-summary.csv`).
    column:  a column of the evaluations or, if they do not have it, of the training table.
    x:       the horizontal axis: environment steps, or the bytes that one agent has sent.
    labels:  the runs' names; by default their methods, or their folders if methods coincide.
    formats: the formats to write instead of the one that `path` ends in.
    lower_is_better: the direction of the column; by default as `report.columns` knows it.

    Returns the curves over environment steps. Raises `RunError` for a column that is not there.
    """
    from coterie.report.plot import plot_panels

    found = _measured(runs, column, labels, lower_is_better)
    over, drawn = "Environment steps", found.curves
    if x == "bytes":
        over = "Bytes sent by an agent"
        drawn = [over_bytes(one, run) for one, run in zip(drawn, found.runs, strict=True)]
    panels = _by_env([(one.env, one.as_line()) for one in drawn])
    shown = panels if len(panels) > 1 else {"": next(iter(panels.values()))}
    plot_panels(shown, path, _title(found.runs, panels), found.ylabel, over, formats=formats)
    write_whole(Path(path).with_suffix(".csv"), lines_to_csv(panels, x))
    write_whole(summary_file(path), to_csv(summary_table(found.curves)))
    return found.curves


def plot_profile(
    runs: Sequence[RunFiles],
    path: str | Path,
    column: str = "episode_return",
    labels: Sequence[str] = (),
    formats: Sequence[Format] = (),
    lower_is_better: bool | None = None,
) -> list[Curve]:
    """Performance profiles of several runs: the share of seeds that end above each score.

    Several environments are one profile, of scores that are normalized in each between the worst
    and the best seed. The arguments, the table beside the picture and the result are `plot_runs`'s.
    """
    from coterie.report.plot import plot_curves

    found = _measured(runs, column, labels, lower_is_better)
    profile = profiles(found.curves)
    scores = f"{found.ylabel} at the end"
    if profile.normalized:
        scores += ", normalized (0: the worst seed of an environment, 1: its best)"
    ylabel = f"Share of seeds {profile.side} it"
    title = f"Performance profile: {_together(profile.envs)}"
    plot_curves(profile.lines, path, title, ylabel, scores, formats=formats)
    told = lines_to_csv({" and ".join(profile.envs): profile.lines}, "score", "share")
    write_whole(Path(path).with_suffix(".csv"), told)
    return found.curves


def plot_run(run: RunFiles, formats: Sequence[Format] = ("png",)) -> list[Path]:
    """The pictures of one run: its learning curve, and its training numbers agent by agent.

    More than seven agents are drawn as their mean and range. Methods that send have panels for
    each payload: its consensus error, and the share of its messages that was lost.
    """
    from coterie.report.files import pictures_at
    from coterie.report.plot import plot_panels

    returns, agents = (run.folder / "plots" / name for name in ("return.png", "agents.png"))
    plot_runs([run], returns, formats=formats)
    panels = {}
    for name, team in agents_in(run, (*OF_AGENTS, "bytes")).items():
        panels |= _panel(run, name, {f"{name}/{agent}": agent for agent in team})
    for name in of_payloads(run, ("consensus_error", "lost")):
        panels |= _panel(run, name, {name: "team"})
    if not panels:  # every number is 0
        return pictures_at(returns, formats)
    plot_panels(panels, agents, run.title, formats=formats)
    return [*pictures_at(returns, formats), *pictures_at(agents, formats)]


def write_marl_eval(
    runs: Sequence[RunFiles],
    path: str | Path,
    column: str = "episode_return",
    labels: Sequence[str] = (),
) -> Path:
    """Write the runs' evaluations as JSON for marl-eval, which reads them without Coterie.

    A run's absolute metric, which marl-eval asks for, is its last evaluation.
    """
    found = _measured(runs, column, labels)
    seeds = [run.seeds for run in found.runs]
    told = marl_eval(zip(found.curves, seeds, strict=True), column)
    write_whole(Path(path), json.dumps(told, indent=1, allow_nan=False) + "\n")
    return Path(path)


def read_runs(folders: Iterable[str | Path]) -> list[RunSummary]:
    """The runs in these folders; a folder of runs, as `compare` and `claim` leave them, stands for
    all of its runs. A run that is named twice is there once."""
    found = [read_summary(run) for folder in folders for run in _runs_in(Path(folder))]
    return list({run.folder.resolve(): run for run in found}.values())


def summary_file(path: str | Path) -> Path:
    """The table of the runs in numbers that lies beside a picture."""
    return Path(path).with_name(f"{Path(path).stem}-summary.csv")


def _runs_in(folder: Path) -> list[Path]:
    if (folder / CONFIGURATION).exists():
        return [folder]
    return inner_runs(folder) or [folder]


@dataclass(frozen=True)
class _Measured:
    """Curves of the runs that have a column, and the name of their axis."""

    runs: list[RunFiles]
    curves: list[Curve]
    ylabel: str


def _measured(
    runs: Sequence[RunFiles], column: str, labels: Sequence[str], lower: bool | None = None
) -> _Measured:
    """A curve of each run, by its label and its environment."""
    require(len(runs) > 0, "there is no run to draw: name a run folder.", RunError)
    envs, told = _envs(runs), column_of(column)
    places = list(zip(runs, labels or _labels(runs, envs), envs, strict=True))
    found, training = having(runs, column)
    lower = told.lower_is_better if lower is None else lower
    curves = [
        replace(curve(run, column, label, training), env=env, lower_is_better=lower)
        for run, label, env in places
        if run in found
    ]
    return _Measured(found, curves, f"{told.label}, per training block" if training else told.label)


def _envs(runs: Sequence[RunFiles]) -> list[str]:
    """The runs' environments: their names, and the options in which those of one name differ."""
    told = [_env(run) for run in runs]
    return [run.env_name + _apart(env, told) for run, env in zip(runs, told, strict=True)]


def _env(run: RunFiles) -> dict[str, Any]:
    with reading_configuration(run.folder) as told:
        return dict(told["env"])


def _apart(env: dict[str, Any], others: Sequence[dict[str, Any]]) -> str:
    """The options of an environment that others of its name have otherwise."""
    same = [other for other in others if other["name"] == env["name"]]
    options = [name for name in env if any(other.get(name) != env[name] for other in same)]
    told = ", ".join(f"{name.replace('_', ' ')} {env[name]}" for name in options)
    return f" ({told})" if told else ""


def _labels(runs: Sequence[RunFiles], envs: Sequence[str]) -> list[str]:
    """The runs' methods or, if two in an environment coincide, the ends of their folders' paths."""
    parts = [run.folder.resolve().parts for run in runs]
    depths = range(1, max(map(len, parts)) + 1)
    tails = (["/".join(part[-depth:]) for part in parts] for depth in depths)
    for labels in ([run.method for run in runs], *tails):
        if len(set(zip(envs, labels, strict=True))) == len(runs):
            return labels
    raise RunError("a run is there twice: give each one a label of its own.")


def _by_env(named: Iterable[tuple[str, Line]]) -> dict[str, list[Line]]:
    panels: dict[str, list[Line]] = {}
    for env, line in named:
        panels.setdefault(env, []).append(line)
    return panels


def _title(runs: Sequence[RunFiles], envs: Iterable[str]) -> str:
    names = list(envs)
    return runs[0].title if len(runs) == 1 else _together(names)


def _together(envs: Sequence[str]) -> str:
    return envs[0] if len(envs) == 1 else f"{len(envs)} environments"


def _panel(run: RunFiles, name: str, labels: dict[str, str]) -> dict[str, list[Line]]:
    """The panel of a training number; none if nobody has it, or it is zero throughout."""
    try:
        curves = curves_of(run, labels, training=True)
    except RunError:
        return {}  # no episode has ended
    if not any(np.any(one.values) for one in curves):
        return {}
    lines = [one.as_line() for one in curves]
    if len(lines) > 1 and all(np.array_equal(one.values, curves[0].values) for one in curves):
        lines = [replace(lines[0], label="every agent")]  # which would hide one another
    elif len(lines) > MOST_AGENTS:
        lines = [team_line(lines)]
    return {column_of(name).title: lines}
