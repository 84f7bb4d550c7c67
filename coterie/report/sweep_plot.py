"""Plot of results against conditions that get worse step by step: a column for each condition."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coterie.errors import RunError, require
from coterie.internal.palette import PALETTE
from coterie.report.files import SUFFIXES, picture
from coterie.report.plot import GREY, LOOK, save
from coterie.report.statistics import Interval

Doses = Mapping[str, Interval]


def plot_doses(
    axes: Mapping[str, Sequence[Doses]],
    levels: Mapping[str, Sequence[Interval | None]],
    measures: Sequence[str],
    path: str | Path,
) -> Path:
    """Draw a grid of `len(measures)` rows and `len(axes)` columns to `path` and return the path.

    axes:   for each column its title and, for each measure, the values by the ticks below them.
    levels: values to compare with, drawn across all columns; `None` where one has no such measure.
    measures: the quantities of the rows. A row whose values are positive and span decades
        is drawn on a log scale.
    """
    require(len(axes) > 0, f"there is nothing to draw into {str(path)!r}.", RunError)
    with matplotlib.rc_context(LOOK), picture(path, SUFFIXES) as part:
        figure = Figure(figsize=(2.1 * len(axes) + 0.8, 2.0 * len(measures) + 0.7))
        figure.set_layout_engine("constrained")
        grid = figure.subplots(len(measures), len(axes), sharey="row", squeeze=False)
        for row, measure in enumerate(measures):
            known = {name: values[row] for name, values in levels.items()}
            for axis, (title, columns) in zip(grid[row], axes.items(), strict=True):
                _levels(axis, known)
                _doses(axis, columns[row])
                axis.set_title(title if row == 0 else "", loc="left", fontsize="medium")
            grid[row][0].set_ylabel(measure)
            if _wide([*known.values(), *(v for c in axes.values() for v in c[row].values())]):
                grid[row][0].set_yscale("log")
        handles, names = grid[0][0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=8
        )
        save(figure, part)
    return Path(path)


def _doses(axis: Axes, doses: Doses) -> None:
    places = range(len(doses))
    points = [value.point for value in doses.values()]
    below = [value.point - value.low for value in doses.values()]
    above = [value.high - value.point for value in doses.values()]
    axis.errorbar(places, points, (below, above), color=PALETTE[0], marker="o", ms=4, capsize=2)
    axis.set_xticks(places, list(doses))
    axis.margins(x=0.1)


def _levels(axis: Axes, levels: Mapping[str, Interval | None]) -> None:
    for i, (name, level) in enumerate(levels.items()):
        if level is None:
            continue
        color = [*PALETTE[1:], GREY][i % len(PALETTE)]
        axis.axhspan(level.low, level.high, color=color, alpha=0.12, linewidth=0)
        axis.axhline(level.point, color=color, linewidth=1.1, linestyle=(0, (5, 2)), label=name)


def _wide(values: Sequence[Interval | None]) -> bool:
    known = [value for value in values if value is not None]
    least, most = min(value.low for value in known), max(value.high for value in known)
    return least > 0.0 and most > 20.0 * least
