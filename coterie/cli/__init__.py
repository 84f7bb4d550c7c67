"""The command line: `coterie VERB ...`. Options come from the dataclasses themselves."""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from coterie.cli.answers import QUIET, Answer, agrees, report
from coterie.cli.completion import completion_verb
from coterie.cli.fleet import FLEET
from coterie.cli.reports import REPORTS
from coterie.cli.sweeps import sweep_verb
from coterie.cli.training import TRAINING
from coterie.errors import CoterieError, CoterieWarning, brief, require, unknown
from coterie.internal.trust import decide_by

USAGE = """\
usage: coterie VERB ...

  train ALGORITHM ENV        train a team; `coterie train dpo spread --help` shows the options
  compare ALGORITHM... ENV   train several algorithms on one environment; curves and a table
  sweep ALGORITHM ENV        train it with several values of its options: --actor-lr 1e-4,3e-4
  fleet ALGORITHM ENV        train a team with a process for each agent, over a network
  agent FLEET                be one process of a fleet: --agent NAME
  gather FLEET               put the policies of a fleet's agents together
  resume RUN                 continue a run that was stopped
  config ALGORITHM ENV       print every option as a file, for `coterie train --config FILE`
  evaluate RUN               play environments with a trained team
  plot RUN...                draw learning curves
  watch RUN                  make an animation of a trained team
  export RUN                 write its policies as ONNX, StableHLO or NumPy files
  check ENV                  play an environment at random and report its faults
  graph FAMILY               draw a communication graph, and report how fast a team agrees
  claims FIGURE              reproduce a figure of a paper, and judge its claims
  list                       list algorithms, environments, graphs, faults, loggers and figures
  completion SHELL           print a script that completes words in bash, zsh or fish

Every verb takes --json (its answer for programs) and --quiet (no progress, no advice).

A first run, about a minute:  coterie train dpo spread --steps 300000
Algorithms and environments by name (`coterie list`), `pettingzoo:mpe2.simple_spread_v3`,
`gymnasium:CartPole-v1`, `jumanji:RobotWarehouse-v0`, `jaxmarl:hanabi` or `smax:2s3z` for another
library's environment, or `module:Class` for your own."""

LONGEST = 1_500
"""Characters of an error on the command line."""

VERBS: dict[str, Callable[[list[str]], Answer | None]] = {
    **TRAINING,
    "sweep": sweep_verb,
    **FLEET,
    **REPORTS,
    "completion": completion_verb,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; a user's mistake is one sentence on standard error and exit code 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    if not given:
        print(USAGE)
        sys.exit(2)
    try:
        if given[0] in ("-h", "--help", "--version"):
            _about(*given)
            return
        with decide_by(agrees):
            _run(given[0], given[1:])
    except CoterieError as error:
        report(f"coterie: {_sentence(error)}")
        sys.exit(2)
    except BrokenPipeError:  # whoever read has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{brief(str(error.filename), 400)}: " if error.filename else ""
        report(f"coterie: {place}{error.strerror or error}.")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _sentence(error: CoterieError) -> str:
    """An error's sentence, of which a terminal takes all: what others said may be of any length."""
    return brief(str(error), LONGEST)


def _about(asked: str, *surplus: str) -> None:
    """Print the usage, or the version."""
    more = brief(" ".join(surplus))
    require(not surplus, f"{more!r} cannot stand behind {asked}: coterie VERB --help is of a verb.")
    print(version("coterie") if asked == "--version" else USAGE)
    sys.exit(0)


def _open_streams() -> None:
    """Give a process whose standard streams were closed some that go nowhere.

    Otherwise the next file that is opened takes the place of one of them.
    """
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:
            place = os.open(os.devnull, os.O_RDWR)
            if place != number:
                os.dup2(place, number)
            setattr(sys, stream, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _run(verb: str, arguments: list[str]) -> None:
    """Run a verb, and print its answer."""
    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)
    words = [word for word in arguments if word not in ("--json", "--quiet")]
    as_json = "--json" in arguments
    # What others print, as some environments do, is no part of the answer, which comes after it.
    aside = not {"-h", "--help"} & set(arguments)
    before = QUIET.set("--quiet" in arguments)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(sys.stderr if aside else sys.stdout),
        ):
            warnings.showwarning = _advised(warnings.showwarning)
            answer = VERBS[verb](words)
    finally:
        QUIET.reset(before)
    if answer:
        answer.show(as_json)
        if answer.code:
            sys.exit(answer.code)


def _advised(usual: Callable[..., None]) -> Callable[..., None]:
    """Return a function that shows warnings: ours as one sentence, those of others as `usual`."""

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if not issubclass(category, CoterieWarning):
            usual(message, category, *where)
        elif not QUIET.get():
            report(f"coterie: warning: {message}")

    return show
