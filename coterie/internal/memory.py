"""Available memory, so that work that would not fit is refused before it begins."""

import os
from pathlib import Path

from coterie.errors import ConfigError, CoterieError, require

GROUP = Path("/sys/fs/cgroup")
SYSTEM = Path("/proc/meminfo")


def available(system: Path = SYSTEM, group: Path = GROUP) -> int:
    """Available bytes without swapping, for the machine and for the container that we are in.

    Where the system does not say (macOS), all the memory of the machine.
    """
    try:
        free = _numbers(system)["MemAvailable:"] * 1024
    except (OSError, KeyError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit, used = (int((group / f"memory.{k}").read_text()) for k in ("max", "current"))
        return min(free, limit - used + _numbers(group / "memory.stat")["file"])
    except (OSError, KeyError, ValueError):  # no container, or one without a limit
        return free


def require_room(
    needed: int, what: str, remedy: str, kind: type[CoterieError] = ConfigError
) -> None:
    """Raise an error of this kind with the two numbers if so many bytes cannot be had."""
    free = available()
    require(
        needed <= free,
        f"{what} would take {size(needed)}, but {size(free)} of memory are available: {remedy}.",
        kind,
    )


def size(count: int) -> str:
    """A number of bytes as people say it.

    >>> size(631_250_000), size(20_000_000_000_000)
    ('631 MB', '20,000 GB')
    """
    return f"{count / 1e9:,.0f} GB" if count >= 1e10 else f"{count / 1e6:,.0f} MB"


def _numbers(path: Path) -> dict[str, int]:
    """The first number of each line, by its name."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {line[0]: int(line[1]) for line in lines}
