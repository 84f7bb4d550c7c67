"""Learning curves as figures: lines in their bands, such as a mean over seeds and its interval.

Drawn with matplotlib's objects on an Agg canvas: no display, no global state. The suffix of the
file chooses the format.
"""

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from coterie.errors import RunError, printable, require
from coterie.internal.palette import PALETTE
from coterie.report.columns import RETURN
from coterie.report.curve import Curve
from coterie.report.files import SUFFIXES, picture, pictures_at
from coterie.report.formatting import short
from coterie.report.line import Line

_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))  # once the colours are used up
GREY = "#6B6B6B"
LOOK: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#222222",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "coterie",
    "text.parse_math": False,  # a name with a dollar is no formula
}
Drawable = Curve | Line


def plot_curves(
    curves: Sequence[Drawable],
    path: str | Path,
    title: str | None = None,
    ylabel: str = RETURN,
    xlabel: str = "Environment steps",
    references: Mapping[str, float] | None = None,
    smooth: int = 1,
    formats: Sequence[str] = (),
) -> list[Path]:
    """Draw `curves` into one figure at `path` (PNG, PDF or SVG) and return the files.

    xlabel:     the unit of `Curve.steps`; a label with "bytes" in it gives kB, MB, ...
    references: named values drawn as dashed horizontal lines, such as a known optimum.
    smooth:     average over so many points; stated in the figure. By default nothing is smoothed.
    formats:    the formats to write, `("png", "pdf")`, instead of the one that `path` ends in.
    """
    panels = {"": curves}
    return plot_panels(panels, path, title, ylabel, xlabel, references, smooth, formats=formats)


def plot_panels(
    panels: Mapping[str, Sequence[Drawable]],
    path: str | Path,
    title: str | None = None,
    ylabel: str | Mapping[str, str] = "",
    xlabel: str = "Environment steps",
    references: Mapping[str, float] | None = None,
    smooth: int = 1,
    columns: int = 3,
    formats: Sequence[str] = (),
) -> list[Path]:
    """Draw one panel for each entry of `panels`, named by its key, with one legend for all.

    A label keeps its colour in all panels. `ylabel` may differ from panel to panel; the other
    arguments are those of `plot_curves`.
    """
    lines = {name: [_line(one, smooth) for one in curves] for name, curves in panels.items()}
    everything = [line for drawn in lines.values() for line in drawn]
    require(len(everything) > 0, f"there is no curve to draw into {str(path)!r}.", RunError)
    files = pictures_at(path, formats)
    for file in files:  # each from the beginning: a layout depends on what was drawn before
        with matplotlib.rc_context(LOOK), picture(file, SUFFIXES) as part:
            figure, axes = _grid(len(lines), columns)
            styles = _styles(line.label for line in everything)
            for axis, (name, drawn) in zip(axes, lines.items(), strict=False):
                _draw(axis, drawn, styles, references or {})
                up = ylabel if isinstance(ylabel, str) else ylabel.get(name, "")
                _name(axis, name, up, xlabel, alone=len(lines) == 1)
                _ticks(axis, xlabel)
            _around(figure, axes, title, _caption(everything, smooth))
            save(figure, part)
    return files


def _line(drawn: Drawable, smooth: int) -> Line:
    return drawn if isinstance(drawn, Line) else drawn.as_line(smooth)


def _grid(count: int, columns: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, columns)
    rows = -(-count // columns)
    width, height = (4.6, 3.3) if count == 1 else (2.5 * columns + 0.6, 2.1 * rows + 0.8)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def _styles(labels: Iterable[str]) -> dict[str, dict]:
    def style(i: int) -> dict:
        dash = _DASHES[i // len(PALETTE) % len(_DASHES)]
        return {"color": PALETTE[i % len(PALETTE)], "linestyle": dash}

    return {label: style(i) for i, label in enumerate(dict.fromkeys(labels))}


def _draw(
    axis: Axes,
    lines: Sequence[Line],
    styles: Mapping[str, dict],
    references: Mapping[str, float],
) -> None:
    for name, value in references.items():
        axis.axhline(value, color=GREY, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
        place = {"xytext": (0, 2), "textcoords": "offset points", "ha": "right", "va": "bottom"}
        axis.annotate(
            name, (1, value), xycoords=("axes fraction", "data"), color=GREY, fontsize=8, **place
        )
    for line in lines:
        point, low, high = line.band
        style, dot = styles[line.label], "o" if len(point) == 1 else None
        axis.fill_between(line.steps, low, high, color=style["color"], alpha=0.18, linewidth=0)
        axis.plot(line.steps, point, label=line.label, marker=dot, **style)


def _name(axis: Axes, title: str, ylabel: str, xlabel: str, alone: bool) -> None:
    """Give a panel its words, in lines that its place has room for."""
    axis.set_title(textwrap.fill(title, 66 if alone else 24), loc="left", fontsize="medium")
    axis.set_ylabel(textwrap.fill(ylabel, 40 if alone else 24))
    axis.set_xlabel(textwrap.fill(xlabel, 48 if alone else 24))
    axis.margins(x=0.01)


def _ticks(axis: Axes, xlabel: str) -> None:
    axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.xaxis.set_major_formatter(
        EngFormatter(unit="B")
        if "bytes" in xlabel.lower()
        else FuncFormatter(lambda count, _: short(count))
    )


def _around(figure: Figure, axes: Sequence[Axes], title: str | None, caption: str) -> None:
    if title:
        title = textwrap.fill(title, int(12 * figure.get_figwidth()))
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
    caption = textwrap.fill(caption, int(18 * figure.get_figwidth()))
    entries = {str(line.get_label()): line for axis in axes for line in axis.lines if _named(line)}
    if len(entries) == 1 and title and next(iter(entries)) in title:
        figure.supxlabel(caption, fontsize=7, color=GREY)
        return
    columns = max(1, min(len(entries), int(figure.get_figwidth() / 1.15)))
    _legend(figure, entries, caption, columns).get_title().set_color(GREY)


def _legend(figure: Figure, entries: Mapping[str, Line2D], caption: str, columns: int) -> Legend:
    """A legend of so many columns, or of as many as there is room for."""
    legend = figure.legend(
        entries.values(),
        [textwrap.fill(label, int(11 * figure.get_figwidth())) for label in entries],
        title=caption,
        title_fontsize=7,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.4,
    )
    if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
        return legend
    legend.remove()
    return _legend(figure, entries, caption, columns - 1)


def _named(line: Line2D) -> bool:
    return not str(line.get_label()).startswith("_")  # matplotlib's names for lines without one


def _caption(lines: Sequence[Line], smooth: int) -> str:
    stated = [f"smoothed over {smooth} points"] if smooth > 1 else []
    notes = dict.fromkeys(line.note for line in lines if line.note)
    return "; ".join([*dict.fromkeys(_measures(lines)), *stated, *notes])


def _measures(lines: Sequence[Line]) -> Iterator[str]:
    """Descriptions of what lines and bands are, and of how many runs."""
    seeds = sorted({line.seeds for line in lines})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}–{seeds[-1]}"
    runs = f"{count} seed{'s' if seeds[-1] > 1 else ''}"
    mean = f"interquartile mean and 95 % interval, {runs}" if seeds[-1] > 1 else runs
    if any(not line.measure for line in lines):
        yield mean
    yield from (line.measure for line in lines if line.measure)


def save(figure: Figure, path: Path) -> None:
    """Write a figure without a date, so that equal data give an equal file whenever it is drawn.

    Names from files are shown as in a terminal; letters that the font does not have are boxes.
    """
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    date = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix.lower(), {})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(path, dpi=200, metadata=date)
