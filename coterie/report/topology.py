"""A graph as a picture: agents as numbered discs, links as wide as they weigh.

One unit of the drawing is one point of print, so that discs and numbers have the same size in
every picture that has room for them.
"""

import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.path import Path as Stroke

from coterie.graph import Graph
from coterie.graph.shapes import circle
from coterie.internal.palette import PALETTE
from coterie.report.files import SUFFIXES, picture
from coterie.report.plot import GREY, LOOK, save

Places = Float[np.ndarray, "N 2"]

_LINK = "#A7AEB8"
_ROOM = 30.0  # around the agents, for discs and bent links
_HEAD, _FOOT = 22.0, 30.0
_NARROWEST = 240.0


def draw_graph(
    graph: Graph, path: str | Path, places: Places | None = None, title: str | None = None
) -> Path:
    """Draw a graph to `path` (PNG, PDF or SVG) and return the path.

    places: the agents' positions, `[N, 2]` in any unit; on a circle by default.

    Agents that can reach each other have the same colour; a link is 12 points wide per unit of
    weight, so that widths can be compared between pictures.
    """
    spots, radius = _laid_out(circle(graph.size) if places is None else places)
    with matplotlib.rc_context(LOOK), picture(path, SUFFIXES) as part:
        figure, axis, corner = _page(spots)
        _links(axis, graph, spots + corner, radius)
        _agents(axis, graph, spots + corner, radius)
        _words(axis, graph, title)
        save(figure, part)
    return Path(path)


def _laid_out(places: Places) -> tuple[Places, float]:
    """The places in points, from (0, 0) on, and the radius of a disc."""
    extent = max(float(np.ptp(places, axis=0).max()), 1e-9)
    near = _nearest(places, extent)
    scale = min(480.0 / extent, max(250.0 / extent, 34.0 / near), 100.0 / near)
    least = 5.5 if len(places) <= 40 else 2.5  # rather touching than without a number
    return (places - places.min(axis=0)) * scale, float(np.clip(0.3 * near * scale, least, 12.0))


def _nearest(places: Places, extent: float) -> float:
    """Distance of an agent from the nearest other: the 30 % quantile over agents."""
    if len(places) == 1:
        return extent
    apart = np.linalg.norm(places[:, None] - places, axis=2) + np.diag(np.full(len(places), np.inf))
    return max(float(np.quantile(apart.min(axis=1), 0.3)), 0.01 * extent)


def _page(spots: Places) -> tuple[Figure, Axes, np.ndarray]:
    """An empty page, its only axis, and where (0, 0) of the spots lies on it."""
    wide, high = spots.max(axis=0) + 2 * _ROOM
    width, height = max(wide, _NARROWEST), high + _HEAD + _FOOT
    figure = Figure(figsize=(width / 72, height / 72))
    axis = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0.0, width), ylim=(0.0, height))
    axis.set_axis_off()
    return figure, axis, np.array([(width - wide) / 2 + _ROOM, _FOOT + _ROOM])


def _links(axis: Axes, graph: Graph, spots: Places, radius: float) -> None:
    pairs = np.argwhere(np.triu(graph.adjacency)).tolist()
    mutual = (graph.weights + graph.weights.T) / 2
    strokes = [_stroke(i, j, spots, radius) for i, j in pairs]
    widths = [max(0.4, 12.0 * mutual[i, j]) for i, j in pairs]
    axis.add_collection(
        PathCollection(strokes, linewidths=widths, edgecolors=_LINK, facecolors="none", zorder=1)
    )


def _stroke(i: int, j: int, spots: Places, radius: float) -> Stroke:
    """A straight link; one that bends outwards if it would cross another agent's number."""
    start, along = spots[i], spots[j] - spots[i]
    length = float(np.linalg.norm(along))
    others = np.delete(spots, [i, j], axis=0) - start
    share = others @ along / length**2
    beside = np.abs(others @ np.array([-along[1], along[0]])) / length
    if not np.any((beside < 0.6 * radius) & (share > 0) & (share < 1)):
        return Stroke([tuple(start), tuple(spots[j])])
    aside = np.array([-along[1], along[0]]) / length
    outwards = start + along / 2 - spots.mean(axis=0)
    aside *= 2.8 * radius * (1 if outwards @ aside >= -1e-9 else -1)
    bent = [start, start + 0.1 * along + aside, start + 0.9 * along + aside, spots[j]]
    return Stroke([tuple(point) for point in bent], [Stroke.MOVETO, *[Stroke.CURVE4] * 3])


def _agents(axis: Axes, graph: Graph, spots: Places, radius: float) -> None:
    part_of = {agent: i for i, part in enumerate(graph.parts) for agent in part}
    for agent, spot in enumerate(spots):
        color = PALETTE[part_of[agent] % len(PALETTE)]
        axis.add_patch(
            Circle(tuple(spot), radius, facecolor=color, edgecolor="white", linewidth=1, zorder=2)
        )
        if radius >= 4.5:
            axis.text(
                spot[0],
                spot[1],
                str(agent),
                color=_ink(color),
                fontsize=min(9.0, 0.85 * radius),
                fontweight="bold",
                ha="center",
                va="center_baseline",
                zorder=3,
            )


def _ink(color: str) -> str:
    """White, or black on a light colour."""
    return "black" if np.dot(to_rgb(color), (0.3, 0.6, 0.1)) > 0.55 else "white"


def _words(axis: Axes, graph: Graph, title: str | None) -> None:
    width, height = axis.get_xlim()[1], axis.get_ylim()[1]
    if title:
        axis.text(8, height - 8, title, fontsize=10, fontweight="bold", va="top")
    text = textwrap.fill(_caption(graph), int(width / 3.7))
    axis.text(8, 8, text, fontsize=7, color=GREY, va="bottom")


def _caption(graph: Graph) -> str:
    count = f"{graph.links} link{'s' * (graph.links != 1)}"
    weights = graph.weights[graph.adjacency]
    if len(weights):
        low, high = f"{weights.min():.2g}", f"{weights.max():.2g}"
        count += f" of weight {low if low == high else f'{low} to {high} (their width)'}"
    if not graph.connected:
        return f"{count}; {len(graph.parts)} parts that never hear each other"
    return f"{count}; a round removes {100 * graph.spectral_gap:.3g} % of a disagreement"
