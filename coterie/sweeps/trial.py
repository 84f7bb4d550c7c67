"""Trials of a sweep: a point, a run folder, and what came of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from coterie.errors import RunError, require
from coterie.sweeps.space import Point, label

State = Literal["running", "stopped", "finished", "failed", "pruned"]
ENDED: tuple[State, ...] = ("finished", "pruned")
"""States of a trial that is not taken up again."""


@dataclass(frozen=True)
class Trial:
    """One trial of a sweep.

    number:   its place, from 0 on.
    point:    its values.
    sentence: why it failed.
    """

    number: int
    point: Point
    state: State = "running"
    sentence: str = ""

    @property
    def name(self) -> str:
        """The name of its folder.

        >>> Trial(7, {"seed": "1"}).name
        'trial-007'
        """
        return f"trial-{self.number:03d}"

    @property
    def title(self) -> str:
        """Name and values, for tables and lines."""
        return f"{self.name}: {label(self.point)}"

    def describe(self) -> dict[str, Any]:
        """The trial as JSON can hold it."""
        return {"values": dict(self.point), "state": self.state, "sentence": self.sentence}


@dataclass(frozen=True)
class History:
    """A trial and its evaluations so far, for those searches that learn from them.

    values: interquartile means over seeds by environment steps; higher ones are better.
    """

    trial: Trial
    values: Mapping[int, float]


def read_trial(number: int, told: Mapping[str, Any]) -> Trial:
    """The trial that `Trial.describe` has described; `RunError` for anything else."""
    values, state, sentence = (told[key] for key in ("values", "state", "sentence"))
    words = [*values, *values.values(), sentence]
    require(
        all(isinstance(word, str) for word in words) and state in get_args(State),
        f"trial {number} of sweep.json is none: restore the file from a copy.",
        RunError,
    )
    return Trial(number, values, state, sentence)
