"""The result of a sweep: trials from the best to the worst, as a table, pictures and a run."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coterie.internal.files import write_whole
from coterie.report.curve import Curve
from coterie.report.table import Row, summary_table
from coterie.results import curve
from coterie.sweeps.pictures import draw
from coterie.sweeps.runner import Plan
from coterie.sweeps.trial import Trial
from coterie.training.config import Config


@dataclass(frozen=True)
class SweepResult:
    """Result of a sweep.

    folder:   its folder, with a run folder for each trial.
    finished: false if it was stopped before all trials had ended.
    trials:   all trials that were begun, with their values and states.
    table:    a row for each finished trial, the best first, by the interquartile mean of the last
              evaluation.
    best:     the best trial; `None` if none has finished.
    config:   its configuration with seeds that no trial had: results are to be reported on these.
    files:    the table and the pictures.
    """

    folder: Path
    finished: bool
    trials: tuple[Trial, ...]
    table: tuple[Row, ...] = ()
    best: Trial | None = None
    config: Config | None = None
    files: tuple[Path, ...] = ()

    def having(self, *states: str) -> list[Trial]:
        """The trials in one of these states."""
        return [trial for trial in self.trials if trial.state in states]


def curve_of(plan: Plan, trial: Trial) -> Curve:
    """The evaluations of a trial."""
    return curve(plan.run(trial), plan.column, trial.title)


def result_of(plan: Plan, trials: Sequence[Trial], finished: bool) -> SweepResult:
    """The result of a sweep's trials; writes `sweep.csv` and the pictures beside them."""
    ended = [trial for trial in trials if trial.state == "finished"]
    curves = [curve_of(plan, trial) for trial in ended]
    rows = summary_table(curves) if curves else []
    file = plan.folder.path / "sweep.csv"
    write_whole(file, _csv(plan, trials, {row.label: row for row in rows}))
    found = SweepResult(plan.folder.path, finished, tuple(trials), tuple(rows), files=(file,))
    if not rows:
        return found
    best = next(trial for trial in ended if trial.title == rows[0].label)
    config = plan.configure(best.point)
    fresh = replace(config.settings, seed=config.run.seeds.stop)
    shown = list(zip(ended, curves, strict=True))
    drawn = draw(plan.folder.path, config.run.title, plan.space, plan.column, shown)
    files = (file, *drawn)
    return replace(found, best=best, config=replace(config, settings=fresh), files=files)


def _csv(plan: Plan, trials: Sequence[Trial], rows: Mapping[str, Row]) -> str:
    """All trials as a table: values, state, result, and why they failed."""
    text = io.StringIO()
    kept = ("final", "low", "high", "seeds", "steps", "seconds")
    columns = ["trial", *plan.space, "state", *kept, "sentence"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        row = rows.get(trial.title)
        numbers: dict[str, Any] = {name: getattr(row, name) for name in kept} if row else {}
        told = {"trial": trial.name, "state": trial.state, "sentence": trial.sentence}
        writer.writerow({**trial.point, **told, **numbers})
    return text.getvalue()
