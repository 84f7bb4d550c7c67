"""A launcher without processes: trials are done at once, by a formula."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from coterie.sweeps import Job, Launcher
from coterie.training.config import read_config
from coterie.training.run import Run, open_run

STEPS = (0, 100, 200)


@dataclass
class Done(Job):
    """A job whose exit code is known; it is told to whom it was to stop."""

    code: int | None
    stopped: bool = False

    def poll(self):
        return 143 if self.stopped and self.code is None else self.code

    def stop(self):
        self.stopped = True


@dataclass(frozen=True)
class Desk(Launcher):
    """Trials whose results are `-|log10(actor_lr) + 3.5|`, plus a hundredth of the seed.

    fails: words of learning rates whose trials fail.
    hangs: words of those that stop half way, after their second evaluation.
    width: trials at a time.
    """

    fails: tuple[str, ...] = ()
    hangs: tuple[str, ...] = ()
    width: int = 2
    commands: ClassVar[list[Sequence[str]]] = []

    def slots(self, seeds):
        return self.width

    def submit(self, command, log, seeds):
        self.commands.append(list(command))
        log.parent.mkdir(exist_ok=True)
        run = run_in(list(command))
        word = repr(run.algorithm.actor_lr)
        if word in self.fails:
            log.write_text("something\ncoterie: warning: a hint\ncoterie: no such luck.\nend\n")
            return Done(2)
        half = word in self.hangs
        play(run, STEPS[:2] if half else STEPS)
        log.write_text("{}")
        return Done(None if half else 0)


def run_in(words):
    """The run that a command trains, made if it is new."""
    if words[3] == "resume":
        return open_run(words[4])
    config, folder = words[words.index("--config") + 1], words[words.index("--folder") + 1]
    run = dataclasses.replace(read_config(config).run, folder=Path(folder))
    run.create()
    return run


def play(run: Run, steps) -> None:
    """Leave what a training leaves: evaluations, and at the end a last checkpoint."""
    for seed in run.seeds:
        rows = [(step, result(run, seed, i / (len(STEPS) - 1))) for i, step in enumerate(steps)]
        lines = ["steps,episode_return,bytes", *(f"{s},{value},0" for s, value in rows)]
        run.seed_folder(seed).mkdir(exist_ok=True)
        run.evaluations(seed).write_text("\n".join(lines) + "\n")
        if len(steps) == len(STEPS):
            (run.checkpoints(seed) / f"{run.blocks.updates + 1:09d}").mkdir(parents=True)


def result(run: Run, seed: int, share: float) -> float:
    """The return of a seed when a share of its training is done."""
    import math

    away = abs(math.log10(run.algorithm.actor_lr) + 3.5)
    return share * (10.0 - away) + 0.01 * seed
