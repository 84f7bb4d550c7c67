"""Record by which an environment describes its checks."""

from collections.abc import Callable
from typing import NamedTuple

from coterie.envs.checks.episode import Play
from coterie.envs.checks.rules import Rule


def _nothing() -> list[str]:
    """Do nothing: there is nothing to close."""
    return []


class Plays(NamedTuple):
    """Random play in an environment, and in an equal one that has not been played yet."""

    used: Play
    fresh: Play


class Checks(NamedTuple):
    """Checks of an environment before training in it.

    faults: the faults found before anything is played, one sentence each.
    plays:  random play; `None` if it is too faulty to be played.
    rules:  rules that its episodes must keep beside `RULES`.
    close:  closes the environments that are played, and returns a sentence for each failure.
    """

    faults: list[str]
    plays: Plays | None = None
    rules: tuple[Rule, ...] = ()
    close: Callable[[], list[str]] = _nothing
