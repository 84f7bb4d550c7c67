"""Protocol for loggers: three methods, called in one process, in the order of events."""

import importlib.util
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from coterie.errors import require
from coterie.internal.extras import install
from coterie.training.metrics import Row
from coterie.training.run import Run

Kind = Literal["training", "evaluation"]


@runtime_checkable
class Logger(Protocol):
    """Receiver of a run's numbers while it trains; a class of one's own needs no base.

    A run that was stopped goes on from its latest checkpoint, and the rows after it are logged
    again with the same numbers (but `seconds`). `kept_steps` says where that is.
    """

    def start(self, run: Run) -> None:
        """Prepare for a run that starts or goes on; `run.describe()` has the hyper-parameters."""

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Receive a row of numbers: of a block that is trained, or of an evaluation.

        seed:  which repetition.
        steps: the environment steps that it has been trained for.
        row:   numbers by name; for all agents, and `name/agent`. NaN where there is none.
        """

    def finish(self) -> None:
        """Close what is open: training is over, stopped, or has failed."""


def hyper_parameters(run: Run) -> dict[str, bool | int | float | str]:
    """Return the whole configuration of a run by flat names: `algorithm.learning_rate`."""
    parts = {name: value for name, value in run.describe().items() if isinstance(value, dict)}
    return {
        f"{part}.{name}": _plain(value)
        for part, values in parts.items()
        for name, value in values.items()
    }


def numbers(kind: Kind, row: Row) -> dict[str, float]:
    """Return the numbers of a row to draw over its steps, by names such as `training/return`."""
    return {
        f"{kind}/{name}": value
        for name, value in row.items()
        if name != "steps" and not np.isnan(value)
    }


def require_extra(logger: str, package: str) -> None:
    """Raise `ConfigError` if the package that a logger writes with is not installed."""
    require(
        importlib.util.find_spec(package) is not None,
        f"the logger {logger} needs the package {package}: {install(logger)}.",
    )


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
