"""Watching a run in a terminal: a bar with the return, the speed and the time left."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from coterie.errors import printable
from coterie.internal.memory import size
from coterie.internal.signals import StopSignals
from coterie.internal.terminal import stderr_console
from coterie.training.checkpoint import kept_steps
from coterie.training.loggers.logger import Kind
from coterie.training.metrics import Row
from coterie.training.run import Run

MUCH = 100_000_000


class ProgressBar:
    """A bar in a terminal; it asks the run to stop, cleanly, at Ctrl-C, SIGTERM or SIGHUP.

    place: of the run among several, such as `"method 2 of 3"`.

    Use it as a context; a second Ctrl-C interrupts at once.
    """

    def __init__(self, run: Run, console: Console | None = None, place: str = ""):
        self.console = console or stderr_console()
        self._run = run
        self._title = f"{place}: {run.title}" if place else run.title
        self._steps = {seed: max(kept_steps(run, seed), 0) for seed in run.seeds}
        self._returns: dict[int, float] = {}
        self._speed = Speed(self._steps)
        self._signals = StopSignals(self._asked)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )

    def __enter__(self) -> "ProgressBar":
        total = self._run.steps * len(self._run.seeds)
        done = sum(self._steps.values())
        self._task = self._bar.add_task(
            printable(self._title), total=total, completed=done, facts="compiling ..."
        )
        if self.console.is_terminal:
            self._bar.start()
        self._signals.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._signals.__exit__()
        if self.console.is_terminal:
            self._bar.stop()

    def begun(self, held: int) -> None:
        """Say how much memory is taken, if that is much."""
        if held >= MUCH:
            self.say(f"{self._title}: {size(held)} of memory for what agents learn and remember")

    def start(self, run: Run) -> None:
        """Say how many steps will be trained for, and where the results will lie."""
        seeds, done = len(run.seeds), min(self._steps.values())
        for sentence in (
            f"{run.steps:,} steps"
            + f" with each of {seeds} seeds" * (seeds > 1)
            + f", of which {done:,} are done" * (done > 0)
            + f", in {run.folder}" * run.saved,
            *rounded(run),
            *reused(run),
        ):
            self.say(f"{self._title}: {sentence}")

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Move the bar; without a terminal, a line for each evaluation stands in for it."""
        if kind == "training":
            self._move(seed, steps, row)
        elif not self.console.is_terminal:
            self.say(
                f"{self._title}, seed {seed}: {steps:,} steps, return {row['episode_return']:.2f}"
            )

    def finish(self) -> None:
        """Do nothing: the bar is shown as long as its context."""

    def say(self, sentence: str) -> None:
        """Print a line as it is: whole, so that it can be copied."""
        self.console.print(Text(printable(sentence)), soft_wrap=True)

    def stopping(self) -> bool:
        """True if the run was asked to stop, by Ctrl-C, SIGTERM or SIGHUP."""
        return self._signals.stopping

    def _move(self, seed: int, steps: int, row: Row) -> None:
        self._steps[seed] = steps
        self._speed.add(seed, steps)
        if row["episode_return"] == row["episode_return"]:
            self._returns[seed] = row["episode_return"]
        if not self.stopping():
            done = sum(self._steps.values())
            self._bar.update(self._task, completed=done, facts=self._facts())

    def _facts(self) -> str:
        returns = list(self._returns.values())
        value = f"return {sum(returns) / len(returns):.2f}" if returns else "no episode over yet"
        speed = self._speed.per_second()
        return value if speed is None else f"{value} · {speed:,.0f} steps/s"

    def _asked(self) -> None:
        waiting = "stopping after this block ..."
        self._bar.update(self._task, facts=waiting)
        if not self.console.is_terminal:
            self.say(waiting)


class Speed:
    """Speed of a run since every seed has trained a block: the first is mostly compilation.

    steps: those of each seed at the start, which a resumed run has done before.
    """

    def __init__(self, steps: dict[int, int]):
        self._steps, self._waiting = dict(steps), set(steps)
        self._first, self._since = 0, 0.0

    def add(self, seed: int, steps: int) -> None:
        """Note the steps that a seed has been trained for."""
        self._steps[seed] = steps
        if self._waiting:
            self._waiting.discard(seed)
            self._first, self._since = sum(self._steps.values()), time.perf_counter()

    def per_second(self) -> float | None:
        """Steps per second of all seeds together; None before there is a second block."""
        done = sum(self._steps.values()) - self._first
        return done / max(time.perf_counter() - self._since, 1e-9) if done else None


def reused(run: Run) -> list[str]:
    """Sentence about how often a method with a replay memory learns from a stored step."""
    often = run.algorithm.samples_per_insert(run.settings.num_envs)
    return [] if often is None else [f"each stored step is learned from {often:.3g} times"]


def rounded(run: Run) -> list[str]:
    """Sentences on what was asked for and cannot be done as it is, for updates are whole."""
    asked, blocks = run.settings, run.blocks
    sentences = []
    if blocks.steps > asked.steps:
        sentences.append(
            f"{blocks.steps:,} steps instead of {asked.steps:,}, for an update takes "
            f"{blocks.update_steps:,}: {asked.num_envs} environments x "
            f"{run.algorithm.rollout_length} steps"
        )
    if asked.num_evals > blocks.number:
        many = "s" * (blocks.number > 1)
        sentences.append(
            f"{blocks.number} evaluation{many} instead of {asked.num_evals}, for the run has "
            f"{blocks.updates} update{many}"
        )
    return sentences
