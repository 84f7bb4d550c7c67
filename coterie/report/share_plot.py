"""Bars of shares, the largest one at the top."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from coterie.errors import RunError, require
from coterie.internal.palette import PALETTE
from coterie.report.files import SUFFIXES, picture
from coterie.report.plot import GREY, LOOK, save


def plot_shares(
    shares: Mapping[str, float],
    rest: Mapping[str, float],
    chance: Mapping[str, float],
    path: str | Path,
    title: str,
    caption: str,
) -> Path:
    """Draw shares as bars to `path` and return the path.

    shares: what is compared, drawn from the largest one down.
    rest:   what is left, drawn below it in grey.
    chance: shares to expect of chance alone, drawn as dots.
    """
    require(len(shares) > 0, f"there is no share to draw into {str(path)!r}.", RunError)
    ordered = dict(sorted(shares.items(), key=lambda pair: pair[1], reverse=True)) | dict(rest)
    with matplotlib.rc_context(LOOK), picture(path, SUFFIXES) as part:
        figure = Figure(figsize=(4.6, 0.28 * len(ordered) + 1.2), layout="constrained")
        axis = figure.subplots()
        colors = [GREY if name in rest else PALETTE[0] for name in ordered]
        axis.barh(range(len(ordered)), list(ordered.values()), color=colors, height=0.62)
        dots = [(chance[name], place) for place, name in enumerate(ordered) if name in chance]
        axis.plot(*zip(*dots, strict=True), "o", color=PALETTE[1], markersize=4, label="chance")
        axis.set_yticks(range(len(ordered)), list(ordered))
        axis.invert_yaxis()
        axis.set_xlim(0, 1)
        axis.grid(axis="y", visible=False)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        figure.supxlabel(textwrap.fill(caption, 84), fontsize=7, color=GREY)
        save(figure, part)
    return Path(path)
