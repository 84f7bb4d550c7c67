"""Blocks and stopping: a run in progress, with the host in between. One loop for every method."""

import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack

import jax

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
from coterie.training.settings import is_due
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
            repetition.team = self.places.place(seed, self.programs.restaged(team))
        return repetition

    def train(self, repetitions: list[SeedRun]) -> bool:
        """Train until every repetition is done; False if the watcher stopped it before."""
        with ExitStack() as open_loggers, reraise_env_error(self.setup.vector, self.setup.judged):
            for logger in self._loggers:
                logger.start(self.run)
                open_loggers.callback(logger.finish)
            for repetition in repetitions:
                if repetition.blocks_done == 0:
                    self._score(repetition)
            while waiting := [r for r in repetitions if r.blocks_done < self.setup.blocks]:
                self._train_block(waiting)
                if self._watcher.stopping():
                    for repetition in waiting:
                        self._keep(repetition)
                    break
        return all(repetition.blocks_done == self.setup.blocks for repetition in repetitions)

    def _train_block(self, repetitions: list[SeedRun]) -> None:
        started = time.perf_counter()
        reports = []
        groups = self.places.groups(repetitions)
        for group in groups:
            # Only dispatched here: groups on different devices run at the same time.
            teams = [repetition.team for repetition in group]
            teams, said = self.programs.advance(teams, self.places.worlds(group))
            for repetition, team in zip(group, teams, strict=True):
                repetition.team = team
            reports += said
        for repetition, report in zip(itertools.chain(*groups), reports, strict=True):
            report = fetched(report)
            first = repetition.blocks_done * self.run.settings.updates_per_block + 1
            require_sound(report, self.setup.names, first)
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
        settings, block = self.run.settings, repetition.blocks_done
        if is_due(settings.num_evals, block, self.setup.blocks):
            self._score(repetition)
        if is_due(settings.num_checkpoints, block, self.setup.blocks):
            self._keep(repetition)

    def _score(self, repetition: SeedRun) -> None:
        self._require_sound(repetition)
        key = jax.random.fold_in(jax.random.key(repetition.seed), 2**31 + repetition.blocks_done)
        world = self.places.world(repetition.seed)
        scores = fetched(self.programs.evaluate(repetition.team, key, world))
        row = evaluation_row(scores, self.setup.names, repetition.ledger.bytes)
        self._log("evaluation", repetition, row)

    def _keep(self, repetition: SeedRun) -> None:
        """Have a repetition kept, unless it is; environments may have to start afresh."""
        if repetition.kept == repetition.blocks_done:
            return
        self._require_sound(repetition)
        repetition.team = self.programs.restaged(repetition.team)
        self._recorder.keep(repetition)

    def _log(self, kind: Kind, repetition: SeedRun, row: Row) -> None:
        steps = repetition.blocks_done * self.setup.block_steps
        row = {"steps": float(steps), **row}
        for logger in self._loggers:
            logger.log(kind, repetition.seed, steps, row)

    def _require_sound(self, repetition: SeedRun) -> None:
        sound = fetched(self.programs.sound(repetition.team.agents))
        done = repetition.blocks_done * self.run.settings.updates_per_block
        require_sound_state(sound, self.setup.names, done)
