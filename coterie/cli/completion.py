"""A script by which a shell completes the words of a command.

The script holds all the names and their options, so that a shell need not start Python for a word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from coterie.catalogue import ALGORITHMS
from coterie.cli.answers import Answer
from coterie.cli.options import node_of
from coterie.cli.parse import parse_only
from coterie.cli.records import (
    Claims,
    Comparison,
    Evaluate,
    Export,
    Fleet,
    Graphs,
    Nothing,
    Plot,
    Process,
    Resume,
    Source,
    Sweeping,
    Training,
    Watch,
)
from coterie.cli.words import Given, split
from coterie.envs import ENVS
from coterie.errors import unknown
from coterie.listing import names
from coterie.network import Communication
from coterie.training.settings import Settings

SHELLS = {"bash": "bash", "zsh": "bash", "fish": "fish"}
"""The template of each shell; zsh runs bash's through `bashcompinit`."""
RECORDS = {
    "train": (Settings, Communication, Source),
    "compare": (Settings, Communication, Comparison),
    "sweep": (Settings, Communication, Sweeping),
    "fleet": (Settings, Communication, Fleet),
    "agent": (Process,),
    "gather": (Nothing,),
    "config": (Settings, Communication, Training),
    "resume": (Resume,),
    "evaluate": (Evaluate,),
    "plot": (Plot,),
    "watch": (Watch,),
    "export": (Export,),
    "check": (),
    "graph": (Graphs,),
    "claims": (Claims,),
    "list": (Nothing,),
    "completion": (Nothing,),
}
DEPTH = 2
"""How many parts within parts are proposed: a kind may be made of its own sort again."""
COMMON = ("--json", "--quiet", "--help")


@dataclass(frozen=True)
class Table:
    """Words that a script completes.

    options: those of each verb, algorithm and environment, with their dashes.
    words:   the values that an option may have, where they are few.
    """

    options: Mapping[str, Sequence[str]]
    words: Mapping[str, Sequence[str]]


def completion_verb(arguments: list[str]) -> Answer:
    """Print a script that completes words in a shell."""
    known = f"source <(coterie completion bash); one of {', '.join(SHELLS)}"
    (shell,), options = split(arguments, "completion SHELL", 1, help=known)
    parse_only("completion SHELL", Nothing, options)
    script = completion(shell)
    return Answer({"shell": shell, "script": script}, [script.rstrip("\n")])


def completion(shell: str) -> str:
    """Write a script that completes verbs, names and options in bash, zsh or fish.

    Raises `ConfigError` for another shell.

    >>> "complete -F _coterie coterie" in completion("bash")
    True
    """
    if shell not in SHELLS:
        raise unknown("shell", shell, SHELLS)
    template = Template((Path(__file__).parent / f"completion.{SHELLS[shell]}").read_text())
    table, known = _table(), names()
    case = _bash_case if SHELLS[shell] == "bash" else _fish_case
    script = template.substitute(
        verbs=" ".join(RECORDS),
        algorithms=" ".join(ALGORITHMS),
        environments=" ".join(ENVS),
        graphs=" ".join(known["graphs"]),
        figures=" ".join(known["figures"]),
        shells=" ".join(SHELLS),
        options=case(table.options),
        words=case(table.words),
    )
    start = "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n"
    return start + script if shell == "zsh" else script


def _table() -> Table:
    options: dict[str, Sequence[str]] = {}
    words: dict[str, dict[str, None]] = {}
    for name, value in [*ALGORITHMS.items(), *ENVS.items()]:
        options[name] = _options_of(value, words)
    for verb, records in RECORDS.items():
        found = [option for record in records for option in _options_of(record, words)]
        options[verb] = [*found, *COMMON]
    return Table(options, {name: list(each) for name, each in words.items()})


def _options_of(value: Any, words: dict[str, dict[str, None]]) -> list[str]:
    """The options of a value whatever kinds its parts are of; notes the words that they take."""
    found: dict[str, None] = {}
    pending: list[dict[str, Given]] = [{}]
    while pending:
        given = pending.pop()
        for node in node_of(value, "", given=given).groups:
            for option in node.shown:
                if f"--{option.typed[0]}" in found:
                    continue
                found |= dict.fromkeys(f"--{name}" for name in option.typed)
                known = [word for word in option.words if word != "module:Class"]
                if known:
                    words.setdefault(f"--{option.name}", {}).update(dict.fromkeys(known))
                if option is node.choice and option.name.count(".") < DEPTH:
                    kinds = [Given(f"--{option.name}", (word,)) for word in known]
                    pending += [{**given, option.name: kind} for kind in kinds]
    return list(found)


def _bash_case(rows: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"    {name}) echo {' '.join(each)} ;;" for name, each in rows.items())


def _fish_case(rows: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(
        f"        case {name}\n            string split ' ' -- '{' '.join(each)}'"
        for name, each in rows.items()
    )
