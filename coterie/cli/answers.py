"""Answers of a verb: lines for people, or JSON for programs; and whether progress is shown."""

import dataclasses
import json
import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console

from coterie.internal.terminal import stderr_console

QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether nothing but errors is said on standard error."""


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
                print(line)
            else:
                Console().print(line)


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
