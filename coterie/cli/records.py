"""The options of the verbs that are neither an algorithm's, nor an environment's, nor a run's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Output:
    """Where a run is written."""

    folder: Path | None = None
    """Where to write; must be new. By default a folder in runs/."""
    loggers: tuple[str, ...] = ("csv",)
    """Who is told the numbers: csv (always), tensorboard, wandb, mlflow, or module:Class."""


@dataclass(frozen=True)
class Training(Output):
    """Where a run is written, and whether it is drawn."""

    plots: bool = True
    """Draw the run when it is finished; `coterie plot RUN` does it later."""


@dataclass(frozen=True)
class Source(Training):
    """Where a run's configuration comes from, where it is written, and whether it is drawn."""

    config: Path | None = None
    """The file of `coterie config` that has the algorithm, the environment and their options."""


@dataclass(frozen=True)
class Drawn:
    """How curves are drawn."""

    x: Literal["steps", "bytes"] = "steps"
    """What the curves are drawn over: environment steps, or the bytes that one agent has sent."""


@dataclass(frozen=True)
class Comparison(Drawn, Output):
    """Where a comparison is written, and how it is drawn."""


@dataclass(frozen=True)
class Nothing:
    """No option but those of every command."""


@dataclass(frozen=True)
class Evaluate:
    """Play environments with a trained team."""

    episodes: int = 256
    """How many episodes."""
    key: int = 0
    """The seed of the environments and of the agents' choices."""


@dataclass(frozen=True)
class Graphs:
    """Say what a graph means for a team, and draw it."""

    agents: int
    """How many agents."""
    weights: str = "metropolis"
    """What a neighbour's value weighs: metropolis, max-degree, uniform or lazy."""
    payload: int = 4
    """What an agent sends to each neighbour in a round, in bytes; 4 is a float32 number."""
    out: Path | None = None
    """The picture; its suffix decides the format. By default runs/graph-FAMILY.png."""


@dataclass(frozen=True)
class Claims:
    """Make a figure of a paper again."""

    folder: Path | None = None
    """Where to write; by default runs/PAPER. The same folder goes on with what was stopped."""


@dataclass(frozen=True)
class Plot(Drawn):
    """Draw learning curves."""

    column: str = "episode_return"
    """Which column of the evaluations."""
    out: Path | None = None
    """The picture; its suffix decides the format. One run has its own place in its folder."""


@dataclass(frozen=True)
class Watch:
    """Draw a trained team at play."""

    seed: int | None = None
    """Which repetition; the first by default."""
    episodes: int = 3
    """How many episodes."""
