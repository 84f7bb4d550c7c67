"""Trust in code that files name.

Whoever types `module:Class` has chosen the code behind it. A run folder, a configuration or a
policy file may come from somebody else: code that they name is run only if it has been trusted,
and everything that imports by name asks here first. What was trusted, and what was typed and then
trained, is remembered for the user, outside of every run folder.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from coterie.errors import require
from coterie.internal.imports import origin

Decide = Callable[[str], bool]
"""A function from a sentence on code that is not trusted to whether it may be run."""

_FILE: ContextVar[Path | None] = ContextVar("file", default=None)
_DECIDE: ContextVar[Decide] = ContextVar("decide", default=lambda sentence: False)
_REMEMBERED: set[str] = set()
"""What this process has remembered, also where the user's own folder cannot be written."""


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """A context in which names of code come from a file, and not from who runs the program."""
    before = _FILE.set(file)
    try:
        yield
    finally:
        _FILE.reset(before)


@contextmanager
def decide_by(decide: Decide) -> Iterator[None]:
    """A context in which `decide` is asked about code that is not trusted yet."""
    before = _DECIDE.set(decide)
    try:
        yield
    finally:
        _DECIDE.reset(before)


def trust_code() -> contextlib.AbstractContextManager[None]:
    """A context in which all code is trusted that run folders, configurations and policies name.

    It is remembered as it is now: a file that changes has to be trusted again.

    >>> with trust_code():
    ...     pass  # run = coterie.open_run("runs/from-a-colleague")
    """
    return decide_by(lambda sentence: True)


def require_trusted(name: str, module: str) -> None:
    """Raise `ConfigError` if a file names code that is not trusted.

    name:   the code as it is named.
    module: the module that would be imported for it. One that does not exist passes, for there is
            nothing to run; and so does an empty name.
    """
    file, own = _FILE.get(), name.startswith("coterie.")
    place = origin(module) if file is not None and module and not own else None
    if place is None or _marks(name, place) & _remembered():
        return
    require(
        _DECIDE.get()(f"{file} names {name}, which is code of {place} that you have not trusted."),
        f"{name} is code of {place}, which you have not trusted: read it, then add --trust (in "
        "Python: with coterie.trust_code()).",
    )
    _remember(_mark(name, place, _digest(place)))


def remember(name: str, module: str) -> None:
    """Trust code from now on, whatever becomes of its file: its user has typed its name."""
    place = origin(module) if module else None
    if place is not None and not name.startswith("coterie."):
        _remember(_mark(name, place, None))


def _marks(name: str, place: str) -> set[str]:
    """The lines by which code may be trusted: wherever it is typed, or as its file is now."""
    return {_mark(name, place, None), _mark(name, place, _digest(place))}


def _mark(name: str, place: str, content: str | None) -> str:
    return json.dumps({"code": name, "file": place, "sha256": content})


def _digest(place: str) -> str:
    try:
        return hashlib.sha256(Path(place).read_bytes()).hexdigest()
    except OSError:  # a folder, or a part of Python itself
        return ""


def store() -> Path:
    """The file that remembers trusted code, a line each: `$XDG_STATE_HOME/coterie/trusted.jsonl`,
    or else in `~/.local/state`; `RuntimeError` if there is no home."""
    home = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.local/state"
    return Path(home).expanduser() / "coterie" / "trusted.jsonl"


def _remembered() -> set[str]:
    try:
        return _REMEMBERED | set(store().read_text().splitlines())
    except (OSError, RuntimeError, UnicodeDecodeError):
        return _REMEMBERED


def _remember(mark: str) -> None:
    if mark in _remembered():
        return
    _REMEMBERED.add(mark)
    with contextlib.suppress(OSError, RuntimeError):  # nowhere to write: it is asked again
        store().parent.mkdir(parents=True, exist_ok=True)
        with store().open("a") as file:
            file.write(f"{mark}\n")
