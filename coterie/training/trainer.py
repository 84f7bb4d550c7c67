"""Blocks and stopping: a run in progress, with the host in between. One loop for every method."""

import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack

import jax
import numpy as np

from coterie.errors import advise
from coterie.training.evaluate import reraise_env_error
from coterie.training.loggers import Logger
from coterie.training.loggers.logger import Kind
from coterie.training.metrics import (
    Row,
    evaluation_row,
    require_sound,
    require_sound_state,
    training_row,
)
from coterie.training.programs import Programs, fetched
from coterie.training.recording import Recorder
from coterie.training.run import Run
from coterie.training.seeds import Places, SeedRun
from coterie.training.watcher import Watcher


class Trainer:
    """A run in progress: its programs, its recorder, its loggers and its watcher.

    loggers: told every row, in this order, before anything is kept.
    """

    def __init__(
        self,
        run: Run,
        programs: Programs,
        recorder: Recorder,
        loggers: Sequence[Logger],
        watcher: Watcher,
    ):
        self.run, self.programs, self.setup = run, programs, programs.setup
        self.places = Places(run, self.setup)
        self._recorder, self._loggers, self._watcher = recorder, loggers, watcher

    def fresh(self, seed: int) -> SeedRun:
        """A repetition before its first block."""
        team = self.places.place(seed, self.programs.start(jax.random.key(seed)))
        return SeedRun.of(seed, team, self.setup.names)

    def restored(self, seed: int) -> SeedRun:
        """A repetition as it was kept last."""
        repetition = self.fresh(seed)
        team = self._recorder.restore(repetition)
        if team is not None:
            advise(
                self.setup.vector.resumable or self._is_checkpoint(repetition),
                f"seed {seed} goes on between two of its --num-checkpoints, with new episodes: "
                "these environments cannot be saved, and its numbers will differ from those of a "
                "run that was not stopped.",
            )
            repetition.team = self.places.place(seed, self.programs.restaged(team))
        return repetition

    def train(self, repetitions: list[SeedRun]) -> bool:
        """Train until every repetition is done; False if the watcher stopped it before."""
        with ExitStack() as open_loggers, reraise_env_error(self.setup.vector, self.setup.judged):
            for logger in self._loggers:
                logger.start(self.run)
                open_loggers.callback(logger.finish)
            for repetition in repetitions:
                if repetition.blocks_done == 0 and not self._watcher.stopping():
                    self._score(repetition)
            while (waiting := self._waiting(repetitions)) and not self._watcher.stopping():
                # Repetitions that were stopped apart catch up, so that all do the same block.
                first = min(repetition.blocks_done for repetition in waiting)
                self._train_block([r for r in waiting if r.blocks_done == first])
            for repetition in waiting:
                self._keep(repetition)
        return not waiting

    def _waiting(self, repetitions: list[SeedRun]) -> list[SeedRun]:
        """Repetitions that are not at the end."""
        return [r for r in repetitions if r.blocks_done < self.setup.blocks.number]

    def _train_block(self, repetitions: list[SeedRun]) -> None:
        started = time.perf_counter()
        done = repetitions[0].blocks_done
        first, last = map(self.setup.blocks.updates_after, (done, done + 1))
        reports = []
        groups = self.places.groups(repetitions)
        for group in groups:
            # Only dispatched here: groups on different devices run at the same time.
            teams = [repetition.team for repetition in group]
            worlds = self.places.worlds(group)
            teams, said = self.programs.advance(teams, worlds, np.int32(last - first))
            for repetition, team in zip(group, teams, strict=True):
                repetition.team = team
            reports += said
        for repetition, report in zip(itertools.chain(*groups), reports, strict=True):
            report = jax.tree.map(lambda each: each[: last - first], fetched(report))
            require_sound(report, self.setup.names, first + 1)
            repetition.blocks_done += 1
            repetition.ledger.add(report)
            row = training_row(report, self.setup.names)
            self._log_block(repetition, row, time.perf_counter() - started)
        for repetition in repetitions:
            self._look(repetition)

    def _log_block(self, repetition: SeedRun, row: Row, seconds: float) -> None:
        repetition.seconds += seconds
        self._log("training", repetition, {"seconds": round(repetition.seconds, 3), **row})

    def _look(self, repetition: SeedRun) -> None:
        """Evaluate and keep where it is due."""
        settings, blocks = self.run.settings, self.setup.blocks
        block = repetition.blocks_done
        if blocks.is_due(settings.num_evals, block):
            self._score(repetition)
        if self._is_checkpoint(repetition):
            # Environments that no checkpoint can hold start afresh, in a run that goes on, too.
            repetition.team = self.programs.restaged(repetition.team)
            self._keep(repetition)
        elif time.monotonic() - repetition.kept_at > 60 * settings.checkpoint_minutes:
            self._keep(repetition)

    def _is_checkpoint(self, repetition: SeedRun) -> bool:
        """True if the run is kept after this block, however long it took."""
        times = self.run.settings.num_checkpoints
        return self.setup.blocks.is_due(times, repetition.blocks_done)

    def _score(self, repetition: SeedRun) -> None:
        self._require_sound(repetition)
        key = jax.random.fold_in(jax.random.key(repetition.seed), 2**31 + repetition.blocks_done)
        world = self.places.world(repetition.seed)
        scores = fetched(self.programs.evaluate(repetition.team, key, world))
        row = evaluation_row(scores, self.setup.names, repetition.ledger.bytes)
        self._log("evaluation", repetition, row)

    def _keep(self, repetition: SeedRun) -> None:
        """Have a repetition kept, unless it is."""
        if repetition.kept == repetition.blocks_done:
            return
        self._require_sound(repetition)
        self._recorder.keep(repetition)
        repetition.kept_at = time.monotonic()

    def _log(self, kind: Kind, repetition: SeedRun, row: Row) -> None:
        steps = self.setup.blocks.steps_after(repetition.blocks_done)
        row = {"steps": float(steps), **row}
        for logger in self._loggers:
            logger.log(kind, repetition.seed, steps, row)

    def _require_sound(self, repetition: SeedRun) -> None:
        sound = fetched(self.programs.sound(repetition.team.agents))
        done = self.setup.blocks.updates_after(repetition.blocks_done)
        require_sound_state(sound, self.setup.names, done)
