"""Watching a run in a terminal: a bar with the return, the speed and the time left."""

import signal
import threading
import time
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from coterie.internal.memory import size
from coterie.internal.printable import printable
from coterie.training.loggers.logger import Kind
from coterie.training.metrics import Row
from coterie.training.run import Run

STOPS = (signal.SIGINT, signal.SIGTERM)
MUCH = 100_000_000


class ProgressBar:
    """A bar in a terminal; it asks the run to stop, cleanly, at Ctrl-C or SIGTERM.

    Use it as a context; a second Ctrl-C interrupts at once.
    """

    def __init__(self, run: Run, console: Console | None = None):
        self.console = console or Console(stderr=True)
        self._run = run
        self._steps: dict[int, int] = {}
        self._returns: dict[int, float] = {}
        self._stop = False
        self._started = time.perf_counter()
        self._first: int | None = None
        self._bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
        )

    def __enter__(self) -> "ProgressBar":
        self._task = self._bar.add_task(
            printable(self._run.title),
            total=self._run.steps * len(self._run.seeds),
            facts="compiling ...",
        )
        if self.console.is_terminal:
            self._bar.start()
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._interrupt) for s in STOPS}
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self._bar.stop()
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def begun(self, held: int) -> None:
        """Say how much memory is taken, if that is much."""
        if held >= MUCH:
            self.say(
                f"{self._run.title}: {size(held)} of memory for what agents learn and remember"
            )

    def start(self, run: Run) -> None:
        """Say how many steps will be trained for, if they are more than were asked for."""
        settings = run.settings
        if run.steps > settings.steps:
            self.say(
                f"{run.title}: {run.steps:,} steps instead of {settings.steps:,}, for blocks are "
                f"whole: {settings.num_envs} environments x {run.algorithm.rollout_length} steps x "
                f"{settings.updates_per_block} updates"
            )

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Move the bar; without a terminal, a line for each evaluation stands in for it."""
        if kind == "training":
            self._move(seed, steps, row)
        elif not self.console.is_terminal:
            self.say(
                f"{self._run.title}, seed {seed}: {steps:,} steps, return "
                f"{row['episode_return']:.2f}"
            )

    def finish(self) -> None:
        """Do nothing: the bar is shown as long as its context."""

    def say(self, sentence: str) -> None:
        """Print a line as it is: whole, so that it can be copied."""
        self.console.print(printable(sentence), highlight=False, markup=False, soft_wrap=True)

    def stopping(self) -> bool:
        """True if the run was asked to stop, by Ctrl-C or SIGTERM."""
        return self._stop

    def _move(self, seed: int, steps: int, row: Row) -> None:
        self._steps[seed] = steps
        if row["episode_return"] == row["episode_return"]:
            self._returns[seed] = row["episode_return"]
        self._bar.update(self._task, completed=sum(self._steps.values()), facts=self._facts())

    def _facts(self) -> str:
        steps = sum(self._steps.values())
        now = time.perf_counter()
        if self._first is None:
            # The first block is mostly compilation and says nothing about speed.
            self._first, self._started = steps, now
        speed = (steps - self._first) / max(now - self._started, 1e-9)
        returns = list(self._returns.values())
        value = f"return {sum(returns) / len(returns):.2f}" if returns else "no episode over yet"
        return f"{value} · {speed:,.0f} steps/s"

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._stop:
            raise KeyboardInterrupt
        self._stop = True
        waiting = "stopping after this block ..."
        self._bar.update(self._task, facts=waiting)
        if not self.console.is_terminal:
            self.say(waiting)
