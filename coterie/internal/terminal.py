"""Consoles on standard error that no full disk or closed terminal can stop a run with."""

import sys
from typing import Any

from rich.console import Console


class Lasting:
    """Standard error, as far as it can be written to: what it does not take is lost in silence."""

    def write(self, text: str) -> int:
        """Write as much as is taken."""
        try:
            return sys.stderr.write(text)
        except (OSError, ValueError):  # a full disk, a terminal that is gone, or a closed file
            return len(text)

    def flush(self) -> None:
        """Flush what is taken."""
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def stderr_console(quiet: bool = False) -> Console:
    """Console on standard error, which shows names as they are, and nothing if it is `quiet`."""
    return Console(file=Lasting(), quiet=quiet, markup=False, emoji=False)  # type: ignore[arg-type]
