"""A learning curve over several seeds, from which figures, tables and verdicts are made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from coterie.errors import RunError, require
from coterie.report.line import Line
from coterie.report.statistics import Band, Interval, band, interquartile_mean, interval


@dataclass(frozen=True, eq=False)
class Curve:
    """One number per seed and evaluation.

    label:   its name in legends and tables.
    steps:   the points of measurement, `[T]`, never falling: environment steps, or bytes sent.
    values:  the measured values, `[S, T]` for `S` seeds.
    seconds: the wall time of one seed, if known.
    sent:    the bytes that one agent has sent at the end, on average, if known.
    note:    a remark on the numbers for the reader (runs cut, values smoothed).
    env:     the environment in which they were measured, if curves of several are shown.
    lower_is_better: True if a method with lower values is the better one.

    `RunError` if there is nothing in it, shapes disagree or a number is not finite.
    """

    label: str
    steps: np.ndarray
    values: np.ndarray
    seconds: float | None = None
    sent: float | None = None
    note: str = ""
    env: str = ""
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        shape, points = np.shape(self.values), np.size(self.steps)
        require(
            len(shape) == 2 and 0 not in shape,
            f"curve {self.label!r} has no data: values must be [seeds, points], not {list(shape)}.",
            RunError,
        )
        require(
            np.shape(self.steps) == shape[1:],
            f"curve {self.label!r} has {points} steps but {shape[1]} values for each seed.",
            RunError,
        )
        require(
            bool(np.all(np.diff(self.steps) >= 0)),
            f"curve {self.label!r} has steps that go back: sort its points, or split the runs.",
            RunError,
        )
        broken = np.argwhere(~np.isfinite(self.values))
        require(
            len(broken) == 0,
            f"curve {self.label!r} is not finite"
            + "".join(f" at seed {s}, step {self.steps[t]}" for s, t in broken[:1])
            + ": leave out runs that diverged, and say so.",
            RunError,
        )

    @property
    def seeds(self) -> int:
        """The number of seeds `S`."""
        return len(self.values)

    @property
    def sign(self) -> int:
        """1 if higher values are better, -1 if lower ones are."""
        return -1 if self.lower_is_better else 1

    @property
    def line(self) -> np.ndarray:
        """The interquartile mean over seeds, `[T]`."""
        return interquartile_mean(self.values)

    @property
    def band(self) -> Band:
        """The interquartile mean and its 95 % interval at every point."""
        return band(self.values)

    def final(self, tail: int = 1) -> Interval:
        """The interquartile mean at the end, each seed averaged over its last `tail` points."""
        return interval(self.ends(tail))

    def ends(self, tail: int = 1) -> Float[np.ndarray, " S"]:
        """The final value of each seed, over its last `tail` points."""
        return self.values[:, -tail:].mean(axis=1)

    def as_line(self, smooth: int = 1) -> Line:
        """Draw it as a line: its interquartile mean, in its 95 % interval."""
        shown = self.smoothed(smooth) if smooth > 1 else self
        return Line(self.label, self.steps, shown.band, self.seeds, note=self.note)

    def until(self, step: float) -> "Curve":
        """The points up to `step`; `RunError` if there is none."""
        kept = int(np.searchsorted(self.steps, step, side="right"))
        return replace(self, steps=self.steps[:kept], values=self.values[:, :kept])

    def smoothed(self, window: int) -> "Curve":
        """Each point the mean of the last `window` ones; the note says so."""
        require(window >= 1, f"window must be at least 1 point, not {window}.")
        totals = np.cumsum(self.values, axis=1, dtype=float)
        totals[:, window:] = totals[:, window:] - totals[:, :-window]
        counts = np.minimum(np.arange(1, len(self.steps) + 1), window)
        note = _join(self.note, f"smoothed over {window} points")
        return replace(self, values=totals / counts, note=note)


def gather(
    label: str,
    runs: Sequence[tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]],
    seconds: float | None = None,
) -> Curve:
    """One curve from the `(steps, values)` of each seed; longer runs are cut, and the note says so.

    >>> curve = gather("dpo", [([0, 10, 20], [1, 2, 3]), ([0, 10], [3, 4])])
    >>> curve.line.tolist(), curve.note
    ([2.0, 3.0], 'cut at 10, the end of the shortest of 2 runs')
    """
    require(len(runs) > 0, f"curve {label!r} has no runs: train at least one seed.", RunError)
    lengths = [min(len(steps), len(values)) for steps, values in runs]
    length = min(lengths)
    grid = np.asarray(runs[0][0][:length])
    for seed, (steps, _) in enumerate(runs):
        require(
            np.array_equal(steps[:length], grid),
            f"curve {label!r}: seeds 0 and {seed} were measured at different steps; "
            "train them with the same settings.",
            RunError,
        )
    cut = max(lengths) > length > 0
    note = f"cut at {grid[-1]}, the end of the shortest of {len(runs)} runs" if cut else ""
    values = np.array([np.asarray(values[:length], float) for _, values in runs])
    return Curve(label, grid, values, seconds, note=note)


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
