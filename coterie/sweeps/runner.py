"""The loop of a sweep: it starts trials, looks after them, and writes down what came of each."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from coterie.errors import CoterieError
from coterie.internal.files import sweep as remove_unfinished
from coterie.internal.files import write_whole
from coterie.internal.lock import holder, is_held
from coterie.internal.signals import STOPS
from coterie.sweeps.folder import SweepFolder
from coterie.sweeps.launcher import Job, Launcher
from coterie.sweeps.outcome import evaluated, evaluations, sentence_in
from coterie.sweeps.search import Pruner, Search
from coterie.sweeps.space import Point, Space
from coterie.sweeps.trial import ENDED, History, State, Trial
from coterie.training.config import Config
from coterie.training.run import Run

PAUSE = 0.2
"""Seconds between two looks at the processes."""
STOPPED = {128 + number for number in STOPS} | {-number for number in STOPS}
"""Exit codes of a process that was asked to stop."""


@runtime_checkable
class Watcher(Protocol):
    """Watcher of a sweep, which is told how it goes and says whether it is to stop."""

    def begun(self, trial: Trial) -> None:
        """A trial has begun."""

    def ended(self, trial: Trial) -> None:
        """A trial has ended, or was stopped."""

    def stopping(self) -> bool:
        """True if the sweep is to stop."""
        ...


@dataclass(frozen=True)
class Plan:
    """A sweep as a value.

    configure: from a point to the configuration of its trial; called often.
    seeds:     of each trial.
    column:    of the evaluations; the last one is what trials are compared by.
    """

    folder: SweepFolder
    space: Space
    search: Search
    launcher: Launcher
    configure: Callable[[Point], Config]
    seeds: int
    column: str
    pruner: Pruner | None = None

    def run(self, trial: Trial) -> Run:
        """The run of a trial, in its folder."""
        return replace(self.configure(trial.point).run, folder=self.folder.run(trial))


@dataclass
class Running:
    """A trial with its process.

    pruned: true once it was told to end before its time.
    seen:   bytes of its evaluations that have been looked at.
    """

    trial: Trial
    run: Run
    job: Job
    pruned: bool = False
    seen: int = 0


class Runner:
    """Trials of a sweep, and the processes of those that run.

    trials: those that were begun before, in the order of their numbers.
    """

    def __init__(self, plan: Plan, watcher: Watcher, trials: Sequence[Trial]):
        self.plan, self.trials = plan, list(trials)
        self._watcher = watcher
        self._running: list[Running] = []
        self._waiting = [trial.number for trial in trials if trial.state not in ENDED]
        self._waiting += range(len(trials), plan.search.count(plan.space))
        self._stopping = False

    def work(self) -> bool:
        """Run all trials that are left; `False` if it was stopped before."""
        slots = self.plan.launcher.slots(self.plan.seeds)
        try:
            while self._waiting or self._running:
                if self._watcher.stopping() and not self._stopping:
                    self._stopping, self._waiting = True, []
                    self._stop_all()
                while self._waiting and len(self._running) < slots:
                    self._start(self._waiting.pop(0))
                self._look()
                time.sleep(PAUSE if self._running else 0)
        finally:
            self._stop_all()  # a second Ctrl-C, or an error: nothing of ours goes on alone
        return not self._stopping

    def _start(self, number: int) -> None:
        """Start a trial, or take it up where it stopped."""
        trial = self._trial(number)
        try:
            run = self.plan.run(trial)
            if run.finished:
                self._note(trial, "finished")
                return
            self._note(trial, "running")
            job = Adopted(run) if is_held(run.folder) else self._submit(trial, run)
        except CoterieError as error:  # what only this combination forbids, or a cluster refuses
            self._note(trial, "failed", str(error))
            return
        self._running.append(Running(trial, run, job))
        self._watcher.begun(trial)

    def _trial(self, number: int) -> Trial:
        if number < len(self.trials):
            return replace(self.trials[number], state="running", sentence="")
        history = [self._history(trial) for trial in self.trials]
        return Trial(number, self.plan.search.suggest(self.plan.space, number, history))

    def _submit(self, trial: Trial, run: Run) -> Job:
        folder, words = self.plan.folder, [sys.executable, "-m", "coterie"]
        if run.configuration.is_file():
            words += ["resume", str(run.folder), "--no-plots"]
        else:
            if run.folder.exists():
                remove_unfinished(run.folder)
            file = folder.configuration(trial)
            write_whole(file, self.plan.configure(trial.point).to_toml())
            words += ["train", "--config", str(file), "--folder", str(run.folder)]
        log = folder.log(trial)
        return self.plan.launcher.submit([*words, "--quiet", "--json"], log, self.plan.seeds)

    def _look(self) -> None:
        """See which processes have ended, and which trials are not worth going on with."""
        for each in list(self._running):
            code = each.job.poll()
            if code is not None:
                self._running.remove(each)
                self._settle(each, code)
            elif self.plan.pruner and not each.pruned and self._hopeless(each, self.plan.pruner):
                each.pruned = True
                each.job.stop()

    def _hopeless(self, each: Running, pruner: Pruner) -> bool:
        """True if a trial has new evaluations, after which the pruner gives it up."""
        size = evaluated(each.run)
        if size == each.seen:
            return False
        each.seen = size
        others = [self._history(t) for t in self.trials if t.number != each.trial.number]
        return pruner.stops(self._history(each.trial), others)

    def _settle(self, each: Running, code: int) -> None:
        """Write down what became of a trial whose process has ended."""
        if each.run.finished:
            self._note(each.trial, "finished")
        elif each.pruned:
            self._note(each.trial, "pruned")
        elif isinstance(each.job, Adopted) and not self._stopping:
            self._waiting.insert(0, each.trial.number)
        elif isinstance(each.job, Adopted) or code in STOPPED:
            self._note(each.trial, "stopped")
        else:
            sentence = sentence_in(self.plan.folder.log(each.trial), code)
            self._note(each.trial, "failed", sentence)

    def _note(self, trial: Trial, state: State, sentence: str = "") -> None:
        """Write down what became of a trial, and tell."""
        noted = replace(trial, state=state, sentence=sentence)
        self.trials[trial.number : trial.number + 1] = [noted]
        self.plan.folder.write(self.trials)
        if state != "running":
            self._watcher.ended(noted)

    def _history(self, trial: Trial) -> History:
        known = trial.state != "failed"
        values = evaluations(self.plan.run(trial), self.plan.column) if known else {}
        return History(trial, values)

    def _stop_all(self) -> None:
        for each in self._running:
            each.job.stop()


@dataclass(frozen=True)
class Adopted(Job):
    """Process that a killed sweep has left behind, known by its lock alone."""

    run: Run

    def poll(self) -> int | None:
        return None if is_held(self.run.folder) else 0

    def stop(self) -> None:
        process = holder(self.run.folder)
        if process is not None:
            os.kill(process, signal.SIGTERM)
