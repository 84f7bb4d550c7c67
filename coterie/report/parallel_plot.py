"""Parallel coordinates: one line for each trial, through its values to its result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from coterie.errors import RunError, require
from coterie.report.files import SUFFIXES, picture
from coterie.report.plot import GREY, LOOK, save

COLORS = "viridis_r"
"""Colours of results, told apart by the colour-blind, too; the best is the darkest."""
FEW = 9
"""Numbers that are ticks themselves; more of them have ticks between them."""
LONGEST = 18
"""Letters of a word below an axis."""


@dataclass(frozen=True)
class Scale:
    """Places from 0 to 1 of the values on an axis.

    log: true if they are those of logarithms.
    """

    ticks: tuple[tuple[str, float], ...]
    places: tuple[float, ...]
    log: bool = False


def plot_parallel(
    axes: Mapping[str, Sequence[str]],
    results: Sequence[float],
    path: str | Path,
    result: str,
    title: str = "",
    lower_is_better: bool = False,
    order: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Draw trials as lines through parallel axes to `path`, and return the path.

    axes:    for each option its value in every trial. Numbers lie at their places, or those of
             their logarithms where they are positive and a factor of ten or more apart; words
             stand one above the other.
    results: of every trial; they are the last axis, and the colours.
    result:  the name of the last axis.
    order:   all the words of an axis from the lowest to the highest; by default as they occur.

    The best trial is drawn last, and thick.
    """
    require(len(results) > 0, f"there is no trial to draw into {str(path)!r}.", RunError)
    sign = -1 if lower_is_better else 1
    known = order or {}
    scales = {name: scale_of(words, known.get(name, ())) for name, words in axes.items()}
    scales[result] = scale_of([repr(float(each)) for each in results])
    with matplotlib.rc_context({**LOOK, "axes.grid": False}), picture(path, SUFFIXES) as part:
        figure = Figure(figsize=(max(3.6, 1.6 * len(scales) + 0.6), 3.2), layout="constrained")
        axis = figure.subplots()
        _lines(axis, list(scales.values()), sign * np.asarray(results, float))
        for place, (name, scale) in enumerate(scales.items()):
            _axis(axis, place, name, scale, last=place == len(scales) - 1)
        axis.set_axis_off()
        axis.set_xlim(-0.45, len(scales) - 0.55)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        save(figure, part)
    return Path(path)


def scale_of(words: Sequence[str], order: Sequence[str] = ()) -> Scale:
    """Places of numbers, or of words that are none, in their order.

    >>> scale_of(["1e-4", "1e-2", "1e-3"]).places
    (0.0, 1.0, 0.5)
    >>> scale_of(["relu", "tanh", "relu"]).places
    (0.0, 1.0, 0.0)
    """
    numbers = _numbers(words)
    if numbers is None:
        return _of_words(words, order)
    low, high = min(numbers), max(numbers)
    log = low > 0 and high >= 10 * low
    step = math.log if log else float

    def place(number: float) -> float:
        return (step(number) - step(low)) / (step(high) - step(low)) if high > low else 0.5

    known = sorted(set(numbers))
    shown = known if len(known) <= FEW else _between(low, high, log)
    ticks = tuple((f"{number:.4g}", place(number)) for number in shown)
    return Scale(ticks, tuple(round(place(number), 9) for number in numbers), log)


def _of_words(words: Sequence[str], order: Sequence[str]) -> Scale:
    known = list(dict.fromkeys([*order, *words]))
    places = {word: i / (len(known) - 1) if len(known) > 1 else 0.5 for i, word in enumerate(known)}
    ticks = tuple((_short(word), place) for word, place in places.items())
    return Scale(ticks, tuple(places[word] for word in words))


def _numbers(words: Sequence[str]) -> list[float] | None:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _between(low: float, high: float, log: bool) -> list[float]:
    space = np.geomspace(low, high, 5) if log else np.linspace(low, high, 5)
    return [float(number) for number in space]


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 3]}..."


def _lines(axis: Axes, scales: Sequence[Scale], goodness: np.ndarray) -> None:
    """A line for each trial, the better ones above the others."""
    paint = matplotlib.colormaps[COLORS]
    shade = Normalize(goodness.min(), goodness.max() or 1.0)
    best = int(goodness.argmax())
    for number in np.argsort(goodness, kind="stable"):
        places = [scale.places[number] for scale in scales]
        thick = 2.6 if number == best else 1.1
        color = paint(0.1 + 0.9 * float(shade(goodness[number])))
        axis.plot(range(len(scales)), places, color=color, linewidth=thick, alpha=0.9)
    axis.lines[-1].set_zorder(5)


def _axis(axis: Axes, place: int, name: str, scale: Scale, last: bool) -> None:
    axis.plot([place, place], [0, 1], color=GREY, linewidth=0.8, zorder=3)
    for word, height in scale.ticks:
        axis.annotate(
            word,
            (place, height),
            (3 if last else -3, 0),
            textcoords="offset points",
            ha="left" if last else "right",
            va="center",
            fontsize=7,
            zorder=6,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "lw": 0},
        )
    below = f"{name}\n(log)" if scale.log else name
    axis.annotate(
        below, (place, 0), (0, -12), textcoords="offset points", ha="center", va="top", fontsize=8
    )
