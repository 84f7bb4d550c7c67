"""What an environment gives to be examined with."""

from collections.abc import Callable
from typing import NamedTuple

from coterie.envs.checks.episode import Play
from coterie.envs.checks.rules import Rule


def _nothing() -> None:
    """Nothing is held."""


class Plays(NamedTuple):
    """Random play in an environment, and in an equal one that has not been played yet."""

    used: Play
    fresh: Play


class Checks(NamedTuple):
    """How an environment is examined before it is trained in.

    faults: what is wrong before anything is played, one sentence each.
    plays:  random play; `None` if it is too faulty to be played.
    rules:  what its episodes must keep beside `RULES`.
    close:  lets go of what is played.
    """

    faults: list[str]
    plays: Plays | None = None
    rules: tuple[Rule, ...] = ()
    close: Callable[[], None] = _nothing
