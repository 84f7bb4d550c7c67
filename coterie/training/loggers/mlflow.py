"""MLflow: an MLflow run for each seed."""

import importlib
import os
import re
import time
from typing import Any

from coterie.training.loggers.logger import Kind, hyper_parameters, numbers, require_extra
from coterie.training.loggers.told import Told
from coterie.training.metrics import Row
from coterie.training.run import Run

MANY = 100  # parameters or metrics that MLflow takes at once


class MLflow:
    """MLflow, an MLflow run for each seed; its own variables say where (extra `mlflow`)."""

    def __init__(self) -> None:
        require_extra("mlflow", "mlflow")
        self._opened: set[int] = set()

    def start(self, run: Run) -> None:
        """Note which rows MLflow has already."""
        mlflow: Any = importlib.import_module("mlflow")
        self._run, self._told = run, Told(run, "mlflow")
        self._entities, self._client = mlflow.entities, mlflow.MlflowClient()

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Send the numbers of a row."""
        if self._told.has(kind, seed, steps):
            return
        if seed not in self._opened:
            self._open(seed)
        now = int(time.time() * 1000)
        named = {_allowed(name): value for name, value in numbers(kind, row).items()}
        metric = self._entities.Metric
        self._send(seed, metrics=[metric(n, value, now, steps) for n, value in named.items()])
        self._told.add(kind, seed, steps)

    def finish(self) -> None:
        """Say that the runs have ended."""
        for seed in self._opened:
            self._client.set_terminated(self._name(seed))

    def _open(self, seed: int) -> None:
        """Begin a seed's run in MLflow, or go on with it."""
        if self._told.name(seed) is None:
            title = f"{self._run.title}, seed {seed}"
            made = self._client.create_run(self._experiment(), run_name=title)
            self._told.call(seed, made.info.run_id)
            known = {**hyper_parameters(self._run), "seed": seed}
            param = self._entities.Param
            self._send(seed, params=[param(name, str(value)) for name, value in known.items()])
        else:
            self._client.update_run(self._name(seed), status="RUNNING")
        self._opened.add(seed)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "coterie")
        found = self._client.get_experiment_by_name(name)
        return self._client.create_experiment(name) if found is None else found.experiment_id

    def _send(self, seed: int, **items: list[Any]) -> None:
        """As many parameters or metrics at once as MLflow takes."""
        for kind, values in items.items():
            for first in range(0, len(values), MANY):
                part = {kind: values[first : first + MANY]}
                self._client.log_batch(self._name(seed), **part)

    def _name(self, seed: int) -> str:
        return str(self._told.name(seed))


def _allowed(name: str) -> str:
    """A name as MLflow takes it.

    Its store on disk keeps names as files, so that `return` and `return/agent-0` could not both be:
    after the kind, a full stop stands for the slash.

    >>> _allowed("training/return/agent#0")
    'training/return.agent-0'
    """
    kind, _, rest = name.partition("/")
    return re.sub(r"[^\w\-./ :]", "-", f"{kind}/{rest.replace('/', '.')}")
