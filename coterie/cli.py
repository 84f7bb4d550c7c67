"""The command line: `coterie VERB ...`. Options come from the dataclasses themselves."""

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from coterie.errors import ConfigError, CoterieError, CoterieWarning, require, unknown
from coterie.internal.jax_config import prepare

USAGE = """\
usage: coterie VERB ...

  train ALGORITHM ENV        train a team; `coterie train dpo spread --help` shows the options
  compare ALGORITHM... ENV   train several algorithms on one environment; curves and a table
  resume RUN                 continue a run that was stopped
  evaluate RUN               play environments with a trained team
  plot RUN...                draw learning curves
  watch RUN                  a moving picture of a trained team
  check ENV                  play an environment at random and say what is wrong with it
  graph FAMILY               who may talk to whom: a picture, and how fast a team agrees
  claims FIGURE              make a figure of a paper again, and judge what it is said to show
  list                       every name: algorithms, environments, graphs, faults, loggers, figures

A first run, about a minute:  coterie train dpo spread --steps 300000
Algorithms and environments by name (`coterie list`), `pettingzoo:mpe2.simple_spread_v3` for any
PettingZoo environment, or `module:Class` for your own."""

NAMES = """\
`coterie list` shows the names. The options are those of the algorithm, of the environment and of
the run: give the names first, then --help, as in `coterie train dpo spread --help`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; a user's mistake is one sentence on standard error and exit code 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--version"]:
        print(version("coterie"))
        sys.exit(0)
    if not given or given[0] in ("-h", "--help"):
        print(USAGE)
        sys.exit(0 if given else 2)
    verb, *rest = given
    sys.path.insert(0, "")  # `module:Class` is looked for here, too
    try:
        if verb not in VERBS:
            raise unknown("verb", verb, VERBS)
        with warnings.catch_warnings():
            warnings.showwarning = _advised(warnings.showwarning)
            VERBS[verb](rest)
    except CoterieError as error:
        print(f"coterie: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # whoever read has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"coterie: {place}{error.strerror or error}.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _advised(usual: Callable[..., None]) -> Callable[..., None]:
    """How to show warnings: ours as their sentence alone, those of others as `usual`."""

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, CoterieWarning):
            print(f"coterie: warning: {message}", file=sys.stderr)
        else:
            usual(message, category, *where)

    return show


def _train(arguments: list[str]) -> None:
    names, options = _split(arguments, "train ALGORITHM ENV", 2)
    method, world = names
    from coterie.catalogue import make_algorithm, make_env

    parts = {"algorithm": make_algorithm(method), "env": make_env(world)}
    chosen = _parse(f"train {method} {world}", parts, options, 1, Training())
    prepare(chosen.settings.seeds)
    from coterie.api import train

    output = chosen.output
    run = train(
        chosen.algorithm,
        chosen.env,
        _settings(chosen),
        output.folder,
        loggers=output.loggers,
        plots=output.plots,
    )
    if run.finished:
        left = "numbers, plots, checkpoints" if output.plots else "numbers, checkpoints"
        print(f"{run.folder}: {left} and one policy file per agent")


def _compare(arguments: list[str]) -> None:
    names, options = _split(arguments, "compare ALGORITHM ALGORITHM... ENV", 3, more=True)
    *methods, world = names
    from coterie.catalogue import make_algorithm, make_env

    require(len(set(methods)) == len(methods), f"{' '.join(methods)}: name each algorithm once.")
    parts = {_identifier(name): make_algorithm(name) for name in methods}
    chosen = _parse(
        f"compare {' '.join(names)}", {**parts, "env": make_env(world)}, options, 5, Comparison()
    )
    prepare(chosen.settings.seeds)
    from coterie.api import compare
    from coterie.report.table import summary_table, to_rich

    folder = chosen.output.folder or Path("runs") / _plain(f"compare-{'-'.join(names)}")
    rules = {name: getattr(chosen, _identifier(name)) for name in methods}
    output = chosen.output
    curves = compare(
        rules, chosen.env, _settings(chosen), folder, x=output.x, loggers=output.loggers
    )
    if not curves:
        print("The same command goes on with the comparison.", file=sys.stderr)
        return
    Console().print(to_rich(summary_table(curves), world))
    print(f"{folder}/comparison.png and .csv")


def _resume(arguments: list[str]) -> None:
    (folder,), options = _split(arguments, "resume RUN", 1)
    _refuse(options, "resume RUN")
    from coterie.training.run import open_run

    prepare(open_run(folder).settings.seeds)
    from coterie.api import resume

    if resume(folder).finished:
        print(f"{folder}: done")


def _evaluate(arguments: list[str]) -> None:
    (folder,), options = _split(arguments, "evaluate RUN", 1)
    chosen = _read(Evaluate, options, "evaluate RUN")
    prepare(1)
    from coterie.api import evaluate

    for seed, scores in evaluate(folder, chosen.episodes, chosen.key).items():
        each = " ".join(f"{value:.2f}" for value in scores.returns.mean(axis=0))
        info = " ".join(f"{name} {value.mean():.3g}" for name, value in scores.info.items())
        print(
            f"seed {seed}: return {scores.returns.mean():.2f} (agents: {each}) "
            f"over {chosen.episodes} episodes of {scores.lengths.mean():.1f} steps; {info}"
        )


def _plot(arguments: list[str]) -> None:
    folders, options = _split(arguments, "plot RUN...", 1, more=True)
    chosen = _read(Plot, options, "plot RUN...")
    from coterie.api import plot_run, plot_runs
    from coterie.report.table import summary_table, to_rich
    from coterie.training.run import open_run

    runs = [open_run(folder) for folder in folders]
    if len(runs) == 1 and (chosen.out, chosen.column, chosen.x) == (
        None,
        "episode_return",
        "steps",
    ):
        print(*plot_run(runs[0]), sep="\n")
        return
    over = "-over-bytes" * (chosen.x == "bytes")
    place = runs[0].folder / "plots" / f"{_plain(chosen.column)}{over}.png"
    out = chosen.out or (place if len(runs) == 1 else Path("comparison.png"))
    curves = plot_runs(runs, out, chosen.column, chosen.x)
    Console().print(to_rich(summary_table(curves)))
    print(out, out.with_suffix(".csv"), sep="\n")


def _watch(arguments: list[str]) -> None:
    (folder,), options = _split(arguments, "watch RUN", 1)
    chosen = _read(Watch, options, "watch RUN")
    prepare(1)
    from coterie.api import watch

    print(*watch(folder, chosen.seed, chosen.episodes), sep="\n")


def _check(arguments: list[str]) -> None:
    (name,), options = _split(arguments, "check ENV", 1)
    from coterie.catalogue import make_env

    chosen = _parse_only(f"check {name}", {"env": make_env(name)}, options)
    from coterie.envs.check import check_env
    from coterie.envs.checks.rules import HINT

    found = check_env(chosen.env)
    print(*(found or [f"{name}: nothing wrong found"]), sep="\n")
    sys.exit(2 if any(not sentence.startswith(HINT) for sentence in found) else 0)


def _claims(arguments: list[str]) -> None:
    (name,), options = _split(arguments, "claims FIGURE", 1)
    from coterie.claims.catalogue import figure_of

    figure = figure_of(name)
    chosen = _read(Claims, options, f"claims {name}")
    prepare(figure.seeds)
    paper, _, number = name.rpartition("-")
    picture = (chosen.folder or Path("runs") / paper) / f"figure-{number}.png"
    print(figure.make(picture))
    print(picture, picture.with_suffix(".md"), sep="\n")


def _graph(arguments: list[str]) -> None:
    from coterie.graph import FAMILIES, WEIGHTS, graph_of, read_family

    about = {"families": _summaries(FAMILIES), "weights": _summaries(WEIGHTS)}
    (text,), options = _split(
        arguments, "graph FAMILY --agents N", 1, help="\n".join(_lines(about))
    )
    kind = read_family(text)
    chosen = _read(Graphs, options, f"graph {text}")
    graph = graph_of(kind, chosen.agents, chosen.weights)
    from coterie.report.facts import facts_table, graph_facts
    from coterie.report.topology import draw_graph

    facts = graph_facts(graph, chosen.payload)
    title = f"{text}, {chosen.agents} agent{'s' * (chosen.agents > 1)}"
    out = chosen.out or Path("runs") / f"graph-{_plain(text)}.png"
    draw_graph(graph, out, kind.places(chosen.agents), title)
    Console().print(facts_table(facts, title))
    print(out)


def _list(arguments: list[str]) -> None:
    _refuse(arguments, "list")
    from coterie.catalogue import ABOUT, ALGORITHMS, ENVS, PETTINGZOO
    from coterie.claims.catalogue import FIGURES
    from coterie.graph import FAMILIES, WEIGHTS
    from coterie.network import CHANNELS, SCHEDULES
    from coterie.training.loggers import LOGGERS

    any_environment = {
        f"{PETTINGZOO}...": "Any PettingZoo ParallelEnv, as pettingzoo:package.module."
    }
    parts = {
        "algorithms": {name: ABOUT[name] for name in ALGORITHMS},
        "environments": _summaries(ENVS) | any_environment,
        "graphs": _summaries(FAMILIES),
        "weights": _summaries(WEIGHTS),
        "schedules": _summaries(SCHEDULES),
        "channels": _summaries(CHANNELS),
        "loggers": _summaries(LOGGERS),
        "figures": _summaries(FIGURES),
    }
    print(*_lines(parts), sep="\n")


def _parse(
    prog: str, parts: dict[str, Any], options: list[str], seeds: int, output: "Output"
) -> Any:
    """The options of a training verb: those of its parts, of the run, and of where it writes."""
    parts = {**parts, "settings": _typed_settings()(seeds=seeds), "output": output}
    return _parse_only(prog, parts, options)


def _typed_settings() -> Any:
    """The run's settings, whose communication is typed in words."""
    from coterie.graph import (
        FAMILIES,
        WEIGHTS,
        Ring,
        metropolis,
        name_of_rule,
        read_family,
        read_weights,
    )
    from coterie.internal.parse_spec import name_of, signatures
    from coterie.network import (
        CHANNELS,
        SCHEDULES,
        Communication,
        Static,
        read_channel,
        read_schedule,
    )
    from coterie.training.settings import Settings

    def typed(read: Callable[[str], Any], name: Callable[[Any], str], metavar: str) -> Any:
        return Annotated[
            Any,
            tyro.constructors.PrimitiveConstructorSpec(
                nargs=1,
                metavar=metavar,
                instance_from_str=lambda words: read(words[0]),
                is_instance=lambda value: True,
                str_from_instance=lambda value: [name(value)],
            ),
        ]

    def helped(kind: Any, about: str, choices: Sequence[str]) -> Any:
        return Annotated[kind, tyro.conf.arg(help=f"{about}: {', '.join(choices)}.")]

    own = "or module:Class[:...] of your own"
    graph = typed(read_family, lambda value: name_of(value, FAMILIES), "GRAPH")
    weights = typed(read_weights, name_of_rule, "RULE")
    schedule = typed(read_schedule, lambda value: name_of(value, SCHEDULES), "SCHEDULE")
    channel = typed(read_channel, lambda value: name_of(value, CHANNELS), "CHANNEL")
    declared: list[Any] = [
        (
            "graph",
            helped(graph, "Who may talk to whom", [*signatures(FAMILIES), own]),
            field(default=Ring()),
        ),
        (
            "weights",
            helped(weights, "What a neighbour's value weighs", [*WEIGHTS, "or module:function"]),
            field(default=metropolis),
        ),
        (
            "schedule",
            helped(schedule, "Which links are up when", [*signatures(SCHEDULES), own]),
            field(default=Static()),
        ),
        (
            "channels",
            helped(
                tuple[channel, ...],
                "What can happen to messages, in this order",
                [*signatures(CHANNELS), own],
            ),
            field(default=()),
        ),
    ]
    talk = make_dataclass("Typed", declared, bases=(Communication,), frozen=True)
    kind = Annotated[talk, tyro.conf.arg(name="")]
    return make_dataclass(
        "Settings",
        [("communication", kind, field(default=talk()))],
        bases=(Settings,),
        frozen=True,
        namespace={"__doc__": Settings.__doc__},
    )


def _settings(chosen: Any) -> Any:
    """The settings among the options, as those that Python makes."""
    from coterie.network import Communication
    from coterie.training.run import options
    from coterie.training.settings import Settings

    talk = Communication(**options(chosen.settings.communication, Communication))
    return Settings(**{**options(chosen.settings, Settings), "communication": talk})


def _parse_only(prog: str, parts: dict[str, Any], options: list[str]) -> Any:
    """Options from frozen values: their fields, with their present numbers as defaults.

    The parts in `PLAIN` need no prefix; others have their name for one.
    """
    declared: list[Any] = []
    for name, value in parts.items():
        kind = Annotated[type(value), tyro.conf.arg(name="" if name in PLAIN else name)]
        declared.append((name, kind, field(default=value)))
    return _read(make_dataclass("Options", declared), options, prog)


def _read(kind: Any, options: list[str], prog: str) -> Any:
    """A `kind` from the options; what is wrong with them as one sentence."""
    said, options = io.StringIO(), [_whole(word) for word in options]
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, args=options, prog=f"coterie {prog}")
    except SystemExit as end:
        if not end.code:
            raise
        about = _gist(said.getvalue(), list(_options(kind)))
        raise ConfigError(f"{about}; see coterie {prog} --help.") from None


def _whole(word: str) -> str:
    """`1e6` as `1000000`, the way people write budgets."""
    number = re.fullmatch(r"\d+(\.\d+)?[eE]\+?\d+", word)
    return f"{float(word):.0f}" if number and float(word).is_integer() else word


def _options(kind: Any, prefix: str = "") -> Iterator[str]:
    """The options that a dataclass stands for."""
    for part in fields(kind):
        if is_dataclass(part.default) and part.name not in WORDS:
            yield from _options(part.default, "" if part.name in PLAIN else f"{part.name}.")
        else:
            yield prefix + part.name.replace("_", "-")


def _gist(box: str, options: list[str]) -> str:
    """What the box that tyro draws around an error says first, and names that may be meant.

    They are those that tyro proposes, or the `options` whose words begin with the letters that were
    typed: `--lr`.
    """
    _, *lines = [line.strip(" │╰╯") for line in box.splitlines()]
    parts = "\n".join("" if not line.strip("─-") else line for line in lines).split("\n\n")
    first = " ".join(next(part for part in parts if part.strip()).split("\n")).strip().rstrip(".")
    near = [line.split()[0].rstrip(",") for line in lines if line.startswith("--")]
    meant = [name for name in near if name.strip("-")] if "you meant" in box else []
    typed = re.match(r"Unrecognized options: --(\w+)", first)
    if typed and not meant:
        meant = [f"--{name}" for name in options if _initials(name) == typed[1].lower()]
    return f"{first} (did you mean {' or '.join(meant)}?)" if meant else first


def _initials(option: str) -> str:
    """`lr` of `learning-rate`; a prefix such as `ippo.` does not count."""
    return "".join(word[:1] for word in option.rpartition(".")[2].split("-"))


def _split(
    arguments: list[str], usage: str, count: int, more: bool = False, help: str = NAMES
) -> tuple[list[str], list[str]]:
    """Leading names and the options after them; `help` is for who asks without a name."""
    flags = [i for i, word in enumerate(arguments) if word.startswith("-")]
    end = flags[0] if flags else len(arguments)
    names, options = arguments[:end], arguments[end:]
    if options[:1] in (["-h"], ["--help"]) and len(names) < count:
        print(f"usage: coterie {usage} [options]\n\n{help}")
        sys.exit(0)
    require(
        len(names) == count or (more and len(names) > count),
        f"usage: coterie {usage} [options]; got {len(names)} name(s): {' '.join(names)}",
    )
    return names, options


def _refuse(options: list[str], usage: str) -> None:
    if options in (["-h"], ["--help"]):
        print(f"usage: coterie {usage}")
        sys.exit(0)
    require(not options, f"coterie {usage} takes no option {' '.join(options)}.")


def _identifier(name: str) -> str:
    return _plain(name).replace("-", "_")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name)


def _summaries(kinds: Mapping[str, Any]) -> dict[str, str]:
    """The first line of what each name's docstring says."""
    return {name: (kind.__doc__ or "").strip().splitlines()[0] for name, kind in kinds.items()}


def _lines(parts: dict[str, dict[str, str]]) -> list[str]:
    """Names under their headings, each with what it is."""
    width = max(len(name) for part in parts.values() for name in part)
    return [
        line
        for title, part in parts.items()
        for line in (title, *(f"  {name:<{width}}  {about}" for name, about in part.items()))
    ]


PLAIN = ("algorithm", "env", "settings", "output", "communication")
WORDS = ("graph", "schedule")  # values of many parts that are typed as a word


@dataclass(frozen=True)
class Output:
    """Where a run is written."""

    folder: Path | None = None
    """Where to write; must be new. By default a folder in runs/."""
    loggers: tuple[str, ...] = ("csv",)
    """Who is told the numbers: csv (always), tensorboard, wandb, mlflow, or module:Class."""


@dataclass(frozen=True)
class Training(Output):
    """Where a run is written, and whether it is drawn."""

    plots: bool = True
    """Draw the run when it is finished; `coterie plot RUN` does it later."""


@dataclass(frozen=True)
class Drawn:
    """How curves are drawn."""

    x: Literal["steps", "bytes"] = "steps"
    """What the curves are drawn over: environment steps, or the bytes that one agent has sent."""


@dataclass(frozen=True)
class Comparison(Drawn, Output):
    """Where a comparison is written, and how it is drawn."""


@dataclass(frozen=True)
class Evaluate:
    """Play environments with a trained team."""

    episodes: int = 256
    """How many episodes."""
    key: int = 0
    """The seed of the environments and of the agents' choices."""


@dataclass(frozen=True)
class Graphs:
    """Say what a graph means for a team, and draw it."""

    agents: int
    """How many agents."""
    weights: str = "metropolis"
    """What a neighbour's value weighs: metropolis, max-degree, uniform or lazy."""
    payload: int = 4
    """What an agent sends to each neighbour in a round, in bytes; 4 is a float32 number."""
    out: Path | None = None
    """The picture; its suffix decides the format. By default runs/graph-FAMILY.png."""


@dataclass(frozen=True)
class Claims:
    """Make a figure of a paper again."""

    folder: Path | None = None
    """Where to write; by default runs/PAPER. The same folder goes on with what was stopped."""


@dataclass(frozen=True)
class Plot(Drawn):
    """Draw learning curves."""

    column: str = "episode_return"
    """Which column of the evaluations."""
    out: Path | None = None
    """The picture; its suffix decides the format. One run has its own place in its folder."""


@dataclass(frozen=True)
class Watch:
    """Draw a trained team at play."""

    seed: int | None = None
    """Which repetition; the first by default."""
    episodes: int = 3
    """How many episodes."""


VERBS: dict[str, Callable[[list[str]], None]] = {
    "train": _train,
    "compare": _compare,
    "resume": _resume,
    "evaluate": _evaluate,
    "plot": _plot,
    "watch": _watch,
    "check": _check,
    "graph": _graph,
    "claims": _claims,
    "list": _list,
}
