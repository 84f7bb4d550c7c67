"""TensorBoard: an event file for each seed, beside its tables."""

from typing import Any

from coterie.errors import require
from coterie.training.checkpoint import kept_steps
from coterie.training.loggers.logger import Kind, hyper_parameters, numbers, require_extra
from coterie.training.metrics import Row
from coterie.training.run import Run


class TensorBoard:
    """Event files for TensorBoard, in the folder of each seed (extra `tensorboard`)."""

    def __init__(self) -> None:
        require_extra("tensorboard", "tensorboardX")
        self._writers: dict[int, Any] = {}

    def start(self, run: Run) -> None:
        """Note where the run goes on: later rows, of an earlier process, are to be forgotten."""
        require(run.saved, "TensorBoard writes into a run's folder, and this run has none.")
        self._run = run
        self._kept = {seed: kept_steps(run, seed) for seed in run.seeds}

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Add the numbers of a row."""
        if seed not in self._writers:
            self._writers[seed] = self._opened(seed)
        for name, value in numbers(kind, row).items():
            self._writers[seed].add_scalar(name, value, steps)
        self._writers[seed].flush()

    def finish(self) -> None:
        """Write what is left."""
        for writer in self._writers.values():
            writer.close()

    def _opened(self, seed: int) -> Any:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        folder, kept = self._run.seed_folder(seed) / "tensorboard", self._kept[seed]
        # A name goes by the second it was made in, and a run may be resumed within one.
        suffix = f".{kept + 1}"
        writer: Any = SummaryWriter(str(folder), purge_step=kept + 1, filename_suffix=suffix)
        if kept < 0:
            parts = hparams(hyper_parameters(self._run), {"evaluation/return": 0.0})
            for summary in parts[:2]:  # what there is, and what it is here; its end is not known
                writer.file_writer.add_summary(summary)
        return writer
