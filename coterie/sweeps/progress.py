"""Watching a sweep in a terminal: a bar over its trials, or a line as each of them ends."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from coterie.errors import printable
from coterie.internal.signals import StopSignals
from coterie.internal.terminal import stderr_console
from coterie.sweeps.trial import ENDED, State, Trial


class SweepProgress:
    """A bar in a terminal; it asks the sweep to stop at Ctrl-C, SIGTERM or SIGHUP.

    total:  the number of trials.
    known:  those that were begun before.
    result: from a finished trial to its result in words.

    Use it as a context; a second Ctrl-C ends the trials at once.
    """

    def __init__(
        self,
        title: str,
        total: int,
        known: Sequence[Trial],
        result: Callable[[Trial], str],
        console: Console | None,
    ):
        self.console = console or stderr_console()
        self._title, self._result, self._total = title, result, total
        self._states: dict[int, State] = {t.number: t.state for t in known if t.state in ENDED}
        self._signals = StopSignals(self._asked)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.0f} of {task.total:.0f} trials{task.fields[facts]}"),
            TimeElapsedColumn(),
            console=self.console,
        )
        self._task = self._bar.add_task(printable(title), total=total, facts="")

    def __enter__(self) -> "SweepProgress":
        if self.console.is_terminal:
            self._bar.start()
        self._signals.__enter__()
        done = f", of which {len(self._states)} are done" * bool(self._states)
        self.say(f"{self._title}: {self._total} trials{done}")
        self._move()
        return self

    def __exit__(self, *_: object) -> None:
        self._signals.__exit__()
        if self.console.is_terminal:
            self._bar.stop()

    def begun(self, trial: Trial) -> None:
        """Show one more that runs."""
        self._states[trial.number] = trial.state
        self._move()

    def ended(self, trial: Trial) -> None:
        """Say what came of a trial."""
        self._states[trial.number] = trial.state
        words = {"finished": self._result, "failed": lambda trial: f"failed: {trial.sentence}"}
        said = words.get(trial.state, lambda trial: trial.state)(trial)
        done = sum(state in (*ENDED, "failed") for state in self._states.values())
        self.say(f"{trial.title}: {said} ({done} of {self._total})")
        self._move()

    def say(self, sentence: str) -> None:
        """Print a line as it is: whole, so that it can be copied."""
        self.console.print(Text(printable(sentence)), soft_wrap=True)

    def stopping(self) -> bool:
        """True if the sweep was asked to stop."""
        return self._signals.stopping

    def _move(self) -> None:
        states = list(self._states.values())
        done = sum(state in (*ENDED, "failed") for state in states)
        facts = f", {states.count('running')} running"
        if states.count("failed"):
            facts += f", {states.count('failed')} failed"
        self._bar.update(self._task, completed=done, facts=facts)

    def _asked(self) -> None:
        self.say("stopping: each trial saves after its block ...")
