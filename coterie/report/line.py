"""A line with a band around it: what a panel shows, and what stands in the table beside it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coterie.report.statistics import Band


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a panel.

    label:   its name in legends and tables.
    steps:   its points on the horizontal axis, `[T]`.
    band:    its height, and the edges of the band around it, at each point.
    seeds:   the number of runs behind it.
    measure: a description of the line and its band; an interquartile mean over seeds and its 95 %
             interval, if empty.
    note:    a remark on the numbers for the reader.
    """

    label: str
    steps: np.ndarray
    band: Band
    seeds: int
    measure: str = ""
    note: str = ""


def team_line(agents: Sequence[Line]) -> Line:
    """One line for many agents: their mean, in the band from the lowest to the highest of them."""
    heights = np.array([line.band.point for line in agents])
    band = Band(heights.mean(axis=0), heights.min(axis=0), heights.max(axis=0))
    text = f"agents: the mean of {len(agents)}, from the lowest to the highest of them"
    return Line("mean of agents", agents[0].steps, band, agents[0].seeds, text, agents[0].note)


def lines_to_csv(
    panels: Mapping[str, Iterable[Line]], across: str = "steps", up: str = "iqm"
) -> str:
    """The points of lines by their environments, a row each; `across` and `up` name their axes.

    >>> band = Band(np.array([0.5, 1.0]), np.array([0.0, 0.5]), np.array([1.0, 1.5]))
    >>> print(lines_to_csv({"spread": [Line("dpo", np.array([0, 25]), band, seeds=5)]}))
    env,label,steps,iqm,low,high,seeds
    spread,dpo,0,0.5,0.0,1.0,5
    spread,dpo,25,1.0,0.5,1.5,5
    <BLANKLINE>
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["env", "label", across, up, "low", "high", "seeds"])
    for name, lines in panels.items():
        for line in lines:
            edges = (edge.tolist() for edge in line.band)
            points = zip(map(_step, line.steps.tolist()), *edges, strict=True)
            writer.writerows([name, line.label, *point, line.seeds] for point in points)
    return text.getvalue()


def _step(value: float) -> float:
    return int(value) if float(value).is_integer() else value
