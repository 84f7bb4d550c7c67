"""The verbs that train: train, compare, resume, config."""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from coterie.api import compare, resume, train
from coterie.catalogue import make_algorithm, make_env
from coterie.cli.answers import Answer, console, trusting
from coterie.cli.options import Node, node_of
from coterie.cli.parse import parse, parse_only
from coterie.cli.records import Comparison, Output, Resume, Source, Training
from coterie.cli.words import Given, Misspelled, scan, split
from coterie.errors import require
from coterie.internal.jax_config import prepare
from coterie.internal.signals import exit_code
from coterie.plots import summary_file
from coterie.report.table import summary_table, to_rich
from coterie.results import curve
from coterie.training.config import Config, read_config
from coterie.training.run import Run
from coterie.training.run_files import file_name, read_summary
from coterie.training.settings import Settings


def train_verb(arguments: list[str]) -> Answer:
    """Train a team."""
    told = _config("train", arguments)
    prepare(told.settings.seeds)
    run = train(
        told.algorithm,
        told.env,
        told.settings,
        told.folder,
        console(),
        told.loggers,
        told.plots,
    )
    return _trained(run)


def _trained(run: Run) -> Answer:
    """The result of a run, and what can be done with it."""
    data: dict[str, Any] = {"folder": run.folder, "finished": run.finished}
    if not run.finished:
        return Answer(data, code=exit_code())
    values = curve(run).values
    before, after = float(values[:, 0].mean()), float(values[:, -1].mean())
    data["return"] = {"before": before, "after": after}
    lines = [
        f"{run.folder}: return {after:.2f} at the end, {before:.2f} before training",
        f"coterie watch {run.folder} shows the team at play, coterie evaluate {run.folder} plays "
        "more episodes",
    ]
    return Answer(data, lines)


def config_verb(arguments: list[str]) -> Answer:
    """Print the options of a training as a file."""
    text = _config("config", arguments).to_toml()
    return Answer(tomllib.loads(text), [text.rstrip("\n")])


def compare_verb(arguments: list[str]) -> Answer:
    """Train several algorithms on one environment."""
    names, options = split(arguments, "compare ALGORITHM ALGORITHM... ENV", 3, more=True)
    *methods, world = names
    require(len(set(methods)) == len(methods), f"{' '.join(methods)}: name each algorithm once.")
    given = scan(options)
    nodes = {
        f"algorithm {name}": node_of(make_algorithm(name), name, f"{label_of(name)}.", given)
        for name in methods
    }
    nodes |= world_nodes(world, make_env(world), given)
    nodes |= run_nodes(Settings(seeds=5), Comparison(), given)
    chosen = parse(f"compare {' '.join(names)}", nodes, given)
    settings, output = settings_in(chosen), chosen["output"]
    prepare(settings.seeds)
    folder = output.folder or Path("runs") / label_of(f"compare-{'-'.join(names)}")
    rules = {name: chosen[f"algorithm {name}"] for name in methods}
    curves = compare(rules, chosen["env"], settings, folder, console(), output.x, output.loggers)
    data: dict[str, Any] = {"folder": folder, "finished": bool(curves)}
    if not curves:
        console().print("The same command goes on with the comparison.", highlight=False)
        return Answer(data, code=exit_code())
    rows, picture = summary_table(curves), folder / "comparison.png"
    files = [picture, picture.with_suffix(".csv"), summary_file(picture)]
    data |= {"table": rows, "files": files}
    return Answer(data, [to_rich(rows, world), *map(str, files)])


def resume_verb(arguments: list[str]) -> Answer:
    """Continue a run."""
    (folder,), options = split(arguments, "resume RUN", 1)
    chosen = parse_only("resume RUN", Resume, options)
    prepare(len(read_summary(folder).seeds))
    with trusting(chosen.trust):
        return _trained(resume(folder, console(), plots=chosen.plots))


def _config(verb: str, arguments: list[str]) -> Config:
    """Read the configuration of a training: from names or a file, with options on top of either."""
    base, given = base_of(verb, arguments, from_file=verb == "train")
    output: Any = Training(base.folder, base.loggers, base.plots)
    if verb == "train":
        output = Source(**vars(output))
    config, chosen = configured(verb, base, output, given)
    return dataclasses.replace(config, plots=chosen.plots, folder=chosen.folder)


def base_of(
    verb: str, arguments: list[str], from_file: bool, settings: Settings = Settings()
) -> tuple[Config, Mapping[str, Given]]:
    """The configuration that names, or a file where it may, stand for; and the options given."""
    flags = [i for i, word in enumerate(arguments) if word.startswith("-")]
    end = flags[0] if flags else len(arguments)
    given = scan(arguments[end:])
    if from_file and "config" in given:
        return _from_file(arguments[:end], given), given
    usage = f"{verb} ALGORITHM ENV" + " | --config FILE" * from_file
    (method, world), _ = split(arguments, usage, 2)
    return Config(method, make_algorithm(method), world, make_env(world), settings), given


def configured(
    verb: str, base: Config, output: Any, given: Mapping[str, Given], about: str = ""
) -> tuple[Config, Any]:
    """The configuration with the given options, and the value of those that are the verb's own."""
    chosen = parse(
        f"{verb} {base.method} {base.env_name}", nodes_of(base, output, given), given, about
    )
    config = dataclasses.replace(
        base,
        algorithm=chosen["algorithm"],
        env=chosen["env"],
        settings=settings_in(chosen),
        loggers=chosen["output"].loggers,
    )
    return config, chosen["output"]


def nodes_of(base: Config, output: Any, given: Mapping[str, Given]) -> dict[str, Node]:
    """The options of a training, and those of the verb's own."""
    nodes = {"algorithm": algorithm_node(base.method, base.algorithm, given)}
    nodes |= world_nodes(base.env_name, base.env, given)
    return nodes | run_nodes(base.settings, output, given)


def _from_file(names: list[str], given: Mapping[str, Given]) -> Config:
    """The configuration in a file, which the names on the command line may only repeat."""
    words = given["config"].words
    require(len(words) == 1, "--config must be one file", Misspelled)
    with trusting("trust" in given and not given["trust"].words):
        told = read_config(words[0])
    both = [told.method, told.env_name]
    require(
        not names or names == both,
        f"{words[0]} is of {' '.join(both)}, not of {' '.join(names)}: leave out the names.",
    )
    return told


def algorithm_node(name: str, value: Any, given: Mapping[str, Given]) -> Node:
    """The options of an algorithm."""
    return node_of(value, f"algorithm {name}", given=given)


def world_nodes(name: str, value: Any, given: Mapping[str, Given]) -> dict[str, Node]:
    """The options of an environment."""
    return {"env": node_of(value, f"environment {name}", given=given)}


def run_nodes(settings: Settings, output: Output, given: Mapping[str, Given]) -> dict[str, Node]:
    """The options of a run, its network's in a group of their own."""
    return {
        "communication": node_of(settings.communication, "communication", given=given),
        "settings": node_of(settings, "training", given=given),
        "output": node_of(output, "output", given=given),
    }


def settings_in(chosen: Mapping[str, Any]) -> Settings:
    """The settings among the values that options have made."""
    return dataclasses.replace(chosen["settings"], communication=chosen["communication"])


def label_of(name: str) -> str:
    """A name as the prefix of options, or as a part of a folder's."""
    return file_name(name).replace(".", "-").replace("_", "-")


TRAINING: dict[str, Callable[[list[str]], Answer]] = {
    "train": train_verb,
    "compare": compare_verb,
    "resume": resume_verb,
    "config": config_verb,
}
