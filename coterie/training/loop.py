"""Train: a new run, one that goes on, or one that is only tried. The one way to start them all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from coterie.internal.files import sweep
from coterie.internal.lock import hold
from coterie.training.evaluate import reraise_env_error
from coterie.training.loggers import Logger, made
from coterie.training.loggers.table import Csv
from coterie.training.memory import InMemory, MemoryRun
from coterie.training.programs import Programs
from coterie.training.recording import OnDisk, Recorder
from coterie.training.run import Run
from coterie.training.setup import set_up
from coterie.training.sizes import held, require_fits
from coterie.training.trainer import Trainer
from coterie.training.watcher import Silent, Watcher


def train(run: Run, loggers: Sequence[Logger] = (), watcher: Watcher | None = None) -> bool:
    """Train a new run in its own folder; False if it was stopped before the end.

    loggers: told what happens, besides the run's own tables and those that it names.
    """
    run.require_new()
    with hold(run.folder):
        trainer = _on_disk(run, loggers, watcher)
        with _playing(trainer):
            repetitions = [trainer.fresh(seed) for seed in run.seeds]
            run.create()
            return trainer.train(repetitions)


def resume(run: Run, loggers: Sequence[Logger] = (), watcher: Watcher | None = None) -> bool:
    """Continue a run from its latest checkpoints, bit for bit as if it had never stopped."""
    with hold(run.folder):
        trainer = _on_disk(run, loggers, watcher)
        sweep(run.folder)
        with _playing(trainer):
            repetitions = [trainer.restored(seed) for seed in run.seeds]
            return trainer.train(repetitions)


def train_in_memory(
    run: Run, loggers: Sequence[Logger] = (), watcher: Watcher | None = None
) -> MemoryRun:
    """Train a run that leaves nothing on disk; `finished` is false if it was stopped before."""
    programs, kept = Programs(set_up(run)), MemoryRun(run)
    keeper = InMemory(kept, programs)
    everybody = [keeper, *made(run.loggers), *loggers]
    trainer = _opened(run, programs, keeper, everybody, watcher)
    with _playing(trainer):
        repetitions = [trainer.fresh(seed) for seed in run.seeds]
        kept.finished = trainer.train(repetitions)
    return kept


def dry_run(run: Run) -> None:
    """Raise the errors that `train` would raise of the configuration, at next to no cost."""
    made(run.loggers)
    require_fits(run, Programs(set_up(run)))


@contextmanager
def _playing(trainer: Trainer) -> Iterator[None]:
    """Have an environment's own errors raised, and nothing left of the environments afterwards."""
    envs = trainer.setup.vector, trainer.setup.judged
    try:
        with reraise_env_error(*envs):
            yield
    finally:
        for env in envs:
            env.shutdown()


def _on_disk(run: Run, loggers: Sequence[Logger], watcher: Watcher | None) -> Trainer:
    """A trainer that writes into the run's folder."""
    everybody, programs = [Csv(), *made(run.loggers), *loggers], Programs(set_up(run))
    return _opened(run, programs, OnDisk(run, programs), everybody, watcher)


def _opened(
    run: Run,
    programs: Programs,
    recorder: Recorder,
    loggers: Sequence[Logger],
    watcher: Watcher | None,
) -> Trainer:
    """A trainer, if what it holds fits the machine."""
    require_fits(run, programs)
    watcher = watcher or Silent()
    watcher.begun(held(run, programs))
    return Trainer(run, programs, recorder, loggers, watcher)
