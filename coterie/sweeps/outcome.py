"""Traces of a trial: its evaluations, and the last words of its process."""

import re
import signal
from collections.abc import Mapping
from pathlib import Path

from coterie.errors import RunError, brief
from coterie.results import curve
from coterie.training.run import Run

LONGEST = 400
"""Characters of a sentence in a table."""
TAIL = 20_000
"""Bytes at the end of a log that are looked through."""


def evaluations(run: Run, column: str) -> Mapping[int, float]:
    """Interquartile means over seeds of a column's evaluations so far, by environment steps; with
    their signs turned where lower is better."""
    try:
        known = curve(run, column)
    except RunError:  # there is none yet
        return {}
    line = known.sign * known.line
    return dict(zip(map(int, known.steps), map(float, line), strict=True))


def evaluated(run: Run) -> int:
    """Bytes of a run's evaluations; those of a seed without any are 0."""
    files = (run.evaluations(seed) for seed in run.seeds)
    return sum(file.stat().st_size for file in files if file.exists())


def sentence_in(log: Path, code: int) -> str:
    """Reason of a failure: the error's sentence, its last line, or the signal that ended it."""
    lines = [line.strip() for line in _tail(log) if line.strip()]
    ours = [line for line in lines if re.match(r"coterie: (?!warning: )", line)]
    if ours:
        return brief(ours[-1].removeprefix("coterie: "), LONGEST)
    if code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}, as where memory is short; see {log}."
    last = f": {lines[-1]}" if lines else ""
    return brief(f"its process ended with code {code}{last}", LONGEST)


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
