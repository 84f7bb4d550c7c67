"""Loggers by their names."""

from collections.abc import Sequence

from coterie.errors import unknown
from coterie.internal.parse_spec import imported
from coterie.training.loggers.logger import Logger
from coterie.training.loggers.mlflow import MLflow
from coterie.training.loggers.table import Csv
from coterie.training.loggers.tensorboard import TensorBoard
from coterie.training.loggers.wandb import Wandb

LOGGERS: dict[str, type[Logger]] = {
    "csv": Csv,
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "mlflow": MLflow,
}


def made(names: Sequence[str]) -> list[Logger]:
    """A logger for each name: one of `LOGGERS`, or `module:Class` for one's own.

    A run's own tables are written whether `csv` is named or not, so it is left out here.

    Raises `ConfigError` for a name that is unknown, or whose package is not installed.
    """
    return [_kind(name)() for name in dict.fromkeys(names) if name != "csv"]


def _kind(name: str) -> type[Logger]:
    if ":" in name:
        return imported(name, Logger, "give it the methods start, log and finish")
    if name not in LOGGERS:
        raise unknown("logger", name, LOGGERS)
    return LOGGERS[name]
