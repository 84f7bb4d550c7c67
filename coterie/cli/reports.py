"""The verbs that train no run of their own: evaluate, plot, watch, export, check, graph,
claims, list."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions
from rich.text import Text

from coterie.api import check_env, evaluate, watch
from coterie.catalogue import make_env
from coterie.claims.catalogue import claim, figure_of
from coterie.cli.answers import Answer, console, trusting
from coterie.cli.options import node_of
from coterie.cli.parse import parse, parse_for_run, parse_only
from coterie.cli.records import Claims, Evaluate, Export, Graphs, Nothing, Plot, Watch
from coterie.cli.training import label_of
from coterie.cli.words import scan, split
from coterie.envs.checks.rules import HINT
from coterie.exports import ExportedPolicy, export_policies
from coterie.graph import graph_of, read_family
from coterie.internal.extras import install
from coterie.internal.jax_config import prepare
from coterie.internal.signals import exit_code
from coterie.listing import names
from coterie.plots import (
    plot_profile,
    plot_run,
    plot_runs,
    read_runs,
    summary_file,
    write_marl_eval,
)
from coterie.policies.metadata import SUFFIX
from coterie.report.facts import facts_table, graph_facts
from coterie.report.files import pictures_at
from coterie.report.table import summary_table, to_rich
from coterie.training.evaluate import Scores
from coterie.training.run import open_run
from coterie.training.run_files import RunSummary


def evaluate_verb(arguments: list[str]) -> Answer:
    """Play environments with a trained team."""
    (folder,), options = split(arguments, "evaluate RUN", 1)
    chosen, changed = parse_for_run("evaluate RUN", Evaluate, options)
    prepare(1)
    data: dict[str, Any] = {"folder": folder, "episodes": chosen.episodes, "key": chosen.key}
    data["seeds"], lines = {}, []
    with trusting(chosen.trust):
        run = open_run(folder)
        env = changed(run.env)
        scored = evaluate(folder, chosen.episodes, chosen.key, env)
        agents = (run if env is None else replace(run, env=env)).played.names
    for seed, scores in scored.items():
        data["seeds"][seed] = _scores(scores, agents)
        lines.append(_sentence(seed, scores, chosen.episodes))
    return Answer(data, lines)


def _scores(scores: Scores, agents: tuple[str, ...]) -> dict[str, Any]:
    each = dict(zip(agents, scores.returns.mean(axis=0), strict=True))
    return {
        "return": scores.returns.mean(),
        "agents": {agent: np.asarray(value) for agent, value in each.items()},
        "length": scores.lengths.mean(),
        "info": {name: value.mean() for name, value in scores.info.items()},
    }


def _sentence(seed: int, scores: Scores, episodes: int) -> str:
    each = " ".join(f"{value:.2f}" for value in scores.returns.mean(axis=0))
    info = " ".join(f"{name} {value.mean():.3g}" for name, value in scores.info.items())
    return (
        f"seed {seed}: return {scores.returns.mean():.2f} (agents: {each}) "
        f"over {episodes} episodes of {scores.lengths.mean():.1f} steps; {info}"
    )


def plot_verb(arguments: list[str]) -> Answer:
    """Draw learning curves."""
    folders, options = split(arguments, "plot RUN...", 1, more=True)
    chosen = parse_only("plot RUN...", Plot, options)
    runs = read_runs(folders)
    if len(runs) == 1 and chosen == Plot(formats=chosen.formats):
        files = plot_run(runs[0], chosen.formats or ("png",))
        return Answer({"files": files}, [str(file) for file in files])
    out = chosen.out or _picture(runs, Path(folders[0]), len(folders), chosen)
    told = out, chosen.column
    look: dict[str, Any] = {"formats": chosen.formats, "lower_is_better": chosen.lower_is_better}
    files = [*pictures_at(out, chosen.formats), out.with_suffix(".csv")]
    last = []
    if chosen.marl_eval:  # before the picture, which a place that cannot be written must not leave
        last.append(write_marl_eval(runs, chosen.marl_eval, chosen.column))
    if chosen.profile:
        curves = plot_profile(runs, *told, **look)
    else:
        curves = plot_runs(runs, *told, chosen.x, **look)
        files.append(summary_file(out))
    rows = summary_table(curves)
    files += last
    return Answer({"files": files, "table": rows}, [to_rich(rows), *map(str, files)])


def _picture(runs: list[RunSummary], first: Path, named: int, chosen: Plot) -> Path:
    """The place of a picture that was given none: in the one folder that is drawn, or here."""
    kind = "-profile" * chosen.profile + "-over-bytes" * (chosen.x == "bytes")
    name = label_of(chosen.column)
    if len(runs) == 1:
        return runs[0].folder / "plots" / f"{name}{kind}.png"
    if name == label_of(Plot.column):
        name = "comparison"
    return (first if named == 1 else Path()) / f"{name}{kind}.png"


def watch_verb(arguments: list[str]) -> Answer:
    """Draw a trained team at play."""
    (folder,), options = split(arguments, "watch RUN", 1)
    chosen, changed = parse_for_run("watch RUN", Watch, options)
    prepare(1)
    with trusting(chosen.trust):
        env = changed(open_run(folder).env)
        files = watch(folder, chosen.seed, chosen.episodes, chosen.steps, chosen.out, env)
    return Answer({"files": files}, [str(file) for file in files])


def export_verb(arguments: list[str]) -> Answer:
    """Export trained policies to another runtime."""
    (folder,), options = split(arguments, "export RUN", 1)
    chosen = parse_only("export RUN", Export, options)
    prepare(1)
    with trusting(chosen.trust):
        made = export_policies(folder, chosen.format, chosen.seed, chosen.out)
    files = [{"file": each.path, "error": each.error} for each in made]
    return Answer({"format": chosen.format, "files": files}, [_exported(each) for each in made])


def _exported(made: ExportedPolicy) -> str:
    """A file, and how it was checked."""
    if made.path.suffix == SUFFIX:
        return f"{made.path}: the policy file as it is"
    if made.error is None:
        advice = install("export")
        return f"{made.path}: not checked, for ONNX Runtime is not installed: {advice}"
    return f"{made.path}: within {made.error:.1e} of the policy on random inputs"


def check_verb(arguments: list[str]) -> Answer:
    """Play an environment at random and report its faults."""
    (name,), options = split(arguments, "check ENV", 1)
    given = scan(options)
    node = node_of(make_env(name), f"environment {name}", given=given)
    found = check_env(parse(f"check {name}", {"env": node}, given)["env"])
    wrong = any(not sentence.startswith(HINT) for sentence in found)
    data = {"environment": name, "fit": not wrong, "found": found}
    return Answer(data, found or [f"{name}: nothing wrong found"], 2 if wrong else 0)


def claims_verb(arguments: list[str]) -> Answer:
    """Make a figure of a paper again."""
    (name,), options = split(arguments, "claims FIGURE", 1)
    figure = figure_of(name)
    chosen = parse_only(f"claims {name}", Claims, options)
    prepare(figure.seeds)
    said, picture = claim(name, chosen.folder, console())
    if said is None:
        return Answer({"figure": name, "verdicts": None, "files": []}, code=exit_code())
    files = [picture, picture.with_suffix(".md")]
    return Answer({"figure": name, "verdicts": said, "files": files}, [said, *map(str, files)])


def graph_verb(arguments: list[str]) -> Answer:
    """Report the neighbours, agreement and traffic of a graph, and draw it."""
    known = {kind: names()[kind] for kind in ("graphs", "weights")}
    usage = "graph FAMILY --agents N"
    (text,), options = split(arguments, usage, 1, help="\n".join(lines_of(known)))
    kind = read_family(text)
    chosen = parse_only(f"graph {text}", Graphs, options)
    graph = graph_of(kind, chosen.agents, chosen.weights)
    from coterie.report.topology import draw_graph

    facts = graph_facts(graph, chosen.payload)
    title = f"{text}, {chosen.agents} agent{'s' * (chosen.agents > 1)}"
    out = chosen.out or Path("runs") / f"graph-{label_of(text)}.png"
    draw_graph(graph, out, kind.places(chosen.agents), title)
    return Answer(
        {"graph": text, "facts": facts, "file": out}, [facts_table(facts, title), str(out)]
    )


def list_verb(arguments: list[str]) -> Answer:
    """List every name."""
    _, options = split(arguments, "list", 0)
    parse_only("list", Nothing, options)
    known = names()
    return Answer(known, [Names(known)])


Known = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Names:
    """Names under their headings, each with its sentence, in lines that the terminal has."""

    known: Known

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from map(Text, lines_of(self.known, options.max_width))


def lines_of(known: Known, room: int = 100) -> list[str]:
    """Return the names under their headings, each with its sentence, broken beside the names.

    >>> print(*lines_of({"graphs": {"ring": "every agent has two neighbours"}}, 30), sep="\\n")
    graphs
      ring  every agent has two
            neighbours
    """
    width = max(len(name) for part in known.values() for name in part)
    beside = width + 4 if room >= width + 24 else 6
    lines: list[str] = []
    for title, part in known.items():
        lines.append(title)
        for name, about in part.items():
            told = f"  {name:<{width}}  {about}"
            lines += textwrap.wrap(told, room, subsequent_indent=" " * beside) or [told]
    return lines


REPORTS: dict[str, Callable[[list[str]], Answer]] = {
    "evaluate": evaluate_verb,
    "plot": plot_verb,
    "watch": watch_verb,
    "export": export_verb,
    "check": check_verb,
    "graph": graph_verb,
    "claims": claims_verb,
    "list": list_verb,
}
