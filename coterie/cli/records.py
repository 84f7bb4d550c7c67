"""The options of the verbs that are neither an algorithm's, nor an environment's, nor a run's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from coterie.bounds import AtLeast, AtMost, require_bounds
from coterie.sweeps.launcher import Launcher, Local
from coterie.sweeps.search import MOST

FILMED = 1_000
"""Most episodes of a picture: more take longer to look at than anyone has."""
FILMED_STEPS = 10_000
"""Most steps of an episode that are shown."""


class Options:
    """Options of a verb, whose bounds are checked when they are given."""

    def __post_init__(self) -> None:
        require_bounds(self)


@dataclass(frozen=True)
class Trust(Options):
    """Trust in a run folder."""

    trust: bool = False
    """Run the code that its files name (module:Class, factories); read it first."""


@dataclass(frozen=True)
class Output(Options):
    """Output of a run: its folder and its loggers."""

    folder: Path | None = None
    """Folder of the results; must be new. By default a folder in runs/."""
    loggers: tuple[str, ...] = ("csv",)
    """Loggers of the run's numbers: csv (always), tensorboard, wandb, mlflow, or module:Class."""


@dataclass(frozen=True)
class Training(Output):
    """Output and plots of a run."""

    plots: bool = True
    """Draw the run when it is finished; `coterie plot RUN` does it later."""


@dataclass(frozen=True)
class Source(Training):
    """Configuration file, output and plots of a run."""

    config: Path | None = None
    """The file of `coterie config` that has the algorithm, the environment and their options."""
    trust: bool = False
    """Run the code that the file names (module:Class, factories); read it first."""


@dataclass(frozen=True)
class Drawn(Options):
    """Axis of the curves."""

    x: Literal["steps", "bytes"] = "steps"
    """Horizontal axis of the curves: environment steps, or the bytes that one agent has sent."""


@dataclass(frozen=True)
class Comparison(Drawn, Output):
    """Output of a comparison, and the axis of its curves."""


@dataclass(frozen=True)
class Fleet(Output):
    """Output and patience of a fleet."""

    patience: Annotated[float, AtLeast(0.01)] = 10.0
    """Seconds that a message is waited for, until it counts as lost."""


@dataclass(frozen=True)
class Process(Options):
    """One process of a fleet."""

    agent: str = ""
    """Name of the agent that it is."""
    world: bool = False
    """Be the world, and no agent."""
    incarnation: Annotated[int, AtLeast(0)] = 0
    """How often this process was started before."""


@dataclass(frozen=True)
class Sweeping(Output):
    """Search, launcher and output of a sweep."""

    config: Path | None = None
    """The file of `coterie config` that has the algorithm, the environment and their options."""
    trust: bool = False
    """Run the code that the file names (module:Class, factories); read it first."""
    search: Literal["grid", "random", "tpe"] = "grid"
    """Search of the values: all combinations, at random, or by the results so far (needs
    coterie[sweep])."""
    trials: Annotated[int | None, AtLeast(1), AtMost(MOST)] = None
    """Number of trials, for random and tpe; by default 20."""
    search_seed: Annotated[int, AtLeast(0)] = 0
    """Seed of random and tpe."""
    prune: bool = False
    """End a trial whose evaluations fall behind the median of the others (needs coterie[sweep])."""
    column: str = "episode_return"
    """Column of the evaluations; trials are compared by the last one."""
    launcher: Launcher = Local()
    """Where the processes of the trials run."""


@dataclass(frozen=True)
class Nothing(Options):
    """Verb without options of its own."""


@dataclass(frozen=True)
class Resume(Trust):
    """Continue a run."""

    plots: bool = True
    """Draw the run when it is finished; `coterie plot RUN` does it later."""


@dataclass(frozen=True)
class Evaluate(Trust):
    """Play environments with a trained team; `--env.OPTION` changes an option of its
    environment."""

    episodes: Annotated[int, AtLeast(1)] = 256
    """Number of episodes."""
    key: Annotated[int, AtLeast(0)] = 0
    """The seed of the environments and of the agents' choices."""


@dataclass(frozen=True)
class Graphs(Options):
    """Report the neighbours, agreement and traffic of a graph, and draw it."""

    agents: Annotated[int, AtLeast(1)]
    """Number of agents."""
    weights: str = "metropolis"
    """Weights of the neighbours' values: metropolis, max-degree, uniform or lazy."""
    payload: Annotated[int, AtLeast(0)] = 4
    """Bytes that an agent sends to each neighbour in a round; 4 is a float32 number."""
    out: Path | None = None
    """The picture; its suffix decides the format. By default runs/graph-FAMILY.png."""


@dataclass(frozen=True)
class Claims(Options):
    """Make a figure of a paper again."""

    folder: Path | None = None
    """Folder of the results; by default runs/PAPER. The same folder continues stopped runs."""


@dataclass(frozen=True)
class Plot(Drawn):
    """Draw learning curves."""

    column: str = "episode_return"
    """Column to draw: of the evaluations or, if they do not have it, of the training table."""
    lower_is_better: bool | None = None
    """Rank lower numbers first; by default for losses, errors, lengths and the like."""
    profile: bool = False
    """Draw performance profiles: the share of seeds that end above each score."""
    formats: tuple[Literal["png", "pdf", "svg"], ...] = ()
    """Formats to write: png, pdf, svg; by default the one that --out ends in, or png."""
    out: Path | None = None
    """The picture; its suffix decides the format. By default in the folder that is drawn."""
    marl_eval: Path | None = None
    """Write the runs for marl-eval, too: a JSON file."""


@dataclass(frozen=True)
class Export(Trust):
    """Export trained policies to another runtime."""

    format: Literal["onnx", "stablehlo", "numpy"] = "onnx"
    """Format of the files: an ONNX graph, StableHLO as jax.export serializes it, or the policy file
    itself, which needs NumPy alone."""
    seed: Annotated[int | None, AtLeast(0)] = None
    """Seed of the repetition; the first by default."""
    out: Path | None = None
    """Folder of the files; by default RUN/seed-SEED/exports."""


@dataclass(frozen=True)
class Watch(Trust):
    """Draw a trained team at play; `--env.OPTION` changes an option of its environment."""

    seed: Annotated[int | None, AtLeast(0)] = None
    """Seed of the repetition; the first by default."""
    episodes: Annotated[int, AtLeast(1), AtMost(FILMED)] = 3
    """Number of episodes."""
    steps: Annotated[int, AtLeast(1), AtMost(FILMED_STEPS)] = 200
    """Most steps of an episode that are shown."""
    out: Path | None = None
    """The moving picture, a .gif or .mp4, with a still beside it. By default in the run's
    folder."""
