"""Weights & Biases: a W&B run for each seed, in a group for the run."""

import importlib
import os
import uuid
from typing import Any

from coterie.training.loggers.logger import Kind, hyper_parameters, numbers, require_extra
from coterie.training.loggers.told import Told
from coterie.training.metrics import Row
from coterie.training.run import Run


class Wandb:
    """Weights & Biases, a W&B run for each seed; its own variables say where (extra `wandb`).

    `WANDB_MODE=offline` writes into the run's folder, from where `wandb sync` sends it.
    """

    def __init__(self) -> None:
        require_extra("wandb", "wandb")
        self._runs: dict[int, Any] = {}

    def start(self, run: Run) -> None:
        """Note which rows W&B has already."""
        self._run, self._told = run, Told(run, "wandb")

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Send the numbers of a row."""
        if self._told.has(kind, seed, steps):
            return
        if seed not in self._runs:
            self._runs[seed] = self._opened(seed)
        self._runs[seed].log({"steps": steps, **numbers(kind, row)})
        self._told.add(kind, seed, steps)

    def finish(self) -> None:
        """Send what is left."""
        for run in self._runs.values():
            run.finish()

    def _opened(self, seed: int) -> Any:
        wandb: Any = importlib.import_module("wandb")
        name = self._told.name(seed)
        if name is None:
            name = uuid.uuid4().hex[:16]
            self._told.call(seed, name)
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "coterie"),
            group=self._run.folder.name if self._run.saved else self._run.title,
            name=f"{self._run.title}, seed {seed}",
            id=name,
            resume="allow",
            config={**hyper_parameters(self._run), "seed": seed},
            dir=self._run.folder if self._run.saved else None,
            reinit="create_new",
        )
        run.define_metric("*", step_metric="steps")
        return run
