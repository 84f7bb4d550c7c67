"""Parse the words of a command into values, with one sentence for each error."""

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coterie.cli.help import help_of
from coterie.cli.options import Node, node_of, require_different
from coterie.cli.words import Given, Misspelled, scan
from coterie.errors import ConfigError, brief

ENV = "env."
"""Beginning of the names of an environment's options, where they are beside a run's folder."""

Changed = Callable[[Any], Any]
"""An environment to another one, or to `None`."""


def parse(
    prog: str, nodes: Mapping[str, Node], given: Mapping[str, Given], about: str = ""
) -> dict[str, Any]:
    """The values that options make of `nodes`; prints help and leaves if that is asked for.

    about: what the help says below the usage.
    """
    groups = [group for node in nodes.values() for group in node.groups]
    require_different(groups)
    try:
        _require_known(groups, given)
        if given.keys() & ASKED:
            print(help_of(prog, groups, about))
            sys.exit(0)
        missing = [f"--{o.name}" for node in nodes.values() for o in node.missing]
        missing = [name for name in missing if name.removeprefix("--") not in given]
        if missing:
            raise Misspelled(f"Missing from coterie {prog}: {', '.join(missing)}")
        return {name: node.build(given) for name, node in nodes.items()}
    except Misspelled as error:
        raise ConfigError(f"{error}; see coterie {prog} --help.") from None


def parse_only(prog: str, kind: type, options: Sequence[str]) -> Any:
    """A value of a dataclass whose fields are all the options of a verb."""
    given = scan(options)
    node = node_of(kind, "options", given=given)
    return parse(prog, {"options": node}, given)["options"]


def parse_for_run(prog: str, kind: type, options: Sequence[str]) -> tuple[Any, Changed]:
    """A value of a verb's options, and what makes the environment of a run another one, by the
    options of the environment behind `env.`; `None` without any."""
    given = scan(options)
    world = {name: words for name, words in given.items() if name.startswith(ENV)}
    own = {name: words for name, words in given.items() if name not in world}
    chosen = parse(prog, {"options": node_of(kind, "options", given=own)}, own)["options"]

    def changed(env: Any) -> Any:
        if not world:
            return None
        node = node_of(env, f"environment {type(env).__name__}", ENV, world)
        return parse(prog, {"env": node}, world)["env"]

    return chosen, changed


def _require_known(groups: Sequence[Node], given: Mapping[str, Given]) -> None:
    known = [name for node in groups for option in node.shown for name in option.typed]
    for name, each in given.items():
        if name not in (*known, *ASKED):
            raise Misspelled(f"unknown option {brief(each.typed)}{_meant(name, known)}")


ASKED = frozenset({"h", "help"})
"""Names of the option that asks for help, without dashes."""

ELSEWHERE = {
    "gamma": ("discount",),
    "lam": ("gae-lambda",),
    "learning-rate": ("lr", "actor-lr", "critic-lr"),
    "n-steps": ("rollout-length",),
    "num-steps": ("rollout-length",),
    "n-epochs": ("epochs",),
    "num-minibatches": ("minibatches",),
    "total-timesteps": ("steps",),
    "total-steps": ("steps",),
    "n-envs": ("num-envs",),
    "clip-range": ("clip-eps",),
    "clip-coef": ("clip-eps",),
    "ent-coef": ("entropy-coef",),
    "log-dir": ("folder",),
    "output-dir": ("folder",),
    "net-arch": ("actor.hidden-sizes", "critic.hidden-sizes"),
    "hidden-size": ("actor.hidden-sizes", "critic.hidden-sizes"),
}
"""Options by the names that other libraries give them."""


def _meant(name: str, known: Sequence[str]) -> str:
    """Return names that may be meant: near ones, their last parts, or those with these initials."""
    usual = [one for one in ELSEWHERE.get(name.rpartition(".")[2], ()) if one in known]
    near = [] if usual else difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    ends = [one for one in known if one.endswith((f".{name}", f"-{name}"))]
    starts = [one for one in known if _initials(one) == name.rpartition(".")[2]]
    found = list(dict.fromkeys([*usual, *starts, *ends, *near]))[:4]
    return f" (did you mean {' or '.join(f'--{one}' for one in found)}?)" if found else ""


def _initials(option: str) -> str:
    """`lr` of `learning-rate`; a prefix such as `ippo.` does not count."""
    return "".join(word[:1] for word in option.rpartition(".")[2].split("-"))
