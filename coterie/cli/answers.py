"""Answers of a verb: lines for people, or JSON for programs; and whether progress is shown."""

import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from coterie.errors import printable
from coterie.internal.terminal import Lasting, stderr_console
from coterie.internal.trust import trust_code

QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether nothing but errors is said on standard error."""


WIDEST = 10_000
"""Characters in a line of a file or a pipe."""


@dataclass(frozen=True)
class Answer:
    """Answer of a verb in two forms: for programs, and for people.

    data:  values that JSON can hold, and arrays, paths and dataclasses besides.
    lines: sentences and tables.
    code:  the exit code.
    """

    data: Mapping[str, Any]
    lines: list[Any] = field(default_factory=list)
    code: int = 0

    def show(self, as_json: bool) -> None:
        """Print it on standard output."""
        if as_json:
            print(json.dumps(plain(self.data), indent=2, allow_nan=False))
            return
        for line in self.lines:
            if isinstance(line, str):
                print(printable(line))
            else:
                Out().print(Printable(line))


@dataclass(frozen=True)
class Printable:
    """A table, or the like, whose text is safe to print."""

    shown: Any

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for part in console.render(self.shown, options):
            yield part if part.control else Segment(printable(part.text), part.style)


class Out(Console):
    """Standard output, which shows names as they are; where it is no terminal, wide enough for
    every table."""

    def __init__(self) -> None:
        super().__init__(markup=False, emoji=False)
        if not self.is_terminal:
            self.width = WIDEST

    def on_broken_pipe(self) -> None:
        """Leave it to the command line: whoever read has heard enough."""
        raise BrokenPipeError


def report(sentence: str, end: str = "\n") -> None:
    """Print a sentence on standard error."""
    print(printable(sentence), file=Lasting(), end=end, flush=True)


def agrees(sentence: str) -> bool:
    """Ask at a terminal whether code may be run; `False` where nobody can answer."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    report(f"coterie: {sentence} Run it? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def trusting(given: bool) -> AbstractContextManager[None]:
    """A context in which code that files name is trusted, if `--trust` was given."""
    return trust_code() if given else nullcontext()


def console() -> Console:
    """Console for progress: standard error, or silent if `QUIET` is set."""
    return stderr_console(QUIET.get())


def plain(value: Any) -> Any:
    """A value as JSON can hold it; a number that is not finite is null.

    >>> plain({"mean": np.float32(0.5), "reached": math.inf, "files": ("a.png",)})
    {'mean': 0.5, 'reached': None, 'files': ['a.png']}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
