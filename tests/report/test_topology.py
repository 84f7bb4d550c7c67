"""Pictures of graphs: every agent and link once, as wide as it weighs, nothing off the page."""

import numpy as np
import pytest
from matplotlib.bezier import BezierSegment
from matplotlib.collections import PathCollection
from matplotlib.patches import Circle
from matplotlib.text import Text
from PIL import Image

from coterie.errors import ConfigError
from coterie.graph import family, from_adjacency, read_family
from coterie.report import topology
from coterie.report.topology import draw_graph
from tests.graph.texts import texts


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn; nothing is rendered."""
    figures = []
    monkeypatch.setattr(topology.Figure, "savefig", lambda self, *_, **__: figures.append(self))
    return figures


def parts_of(figure):
    """Centres and radii of the discs, strokes and widths of the links, and the words."""
    discs = figure.findobj(Circle)
    (links,) = figure.findobj(PathCollection)
    words = [text.get_text() for text in figure.findobj(Text) if text.get_text()]
    centers = np.array([disc.center for disc in discs])
    return centers, [disc.radius for disc in discs], links, words


def points(path):
    """Points along a link, `[201, 2]`."""
    return BezierSegment(path.vertices)(np.linspace(0, 1, 201))


@pytest.mark.parametrize("size", [1, 2, 9, 16])
def test_every_agent_and_every_link_is_on_the_page(drawn, tmp_path, size):
    for text in texts(size):
        graph = family(text, size)
        draw_graph(graph, tmp_path / "x.png", read_family(text).places(size), text)
        centers, radii, links, words = parts_of(drawn[-1])
        axis = drawn[-1].axes[0]
        room = np.array([axis.get_xlim()[1], axis.get_ylim()[1]])
        assert (centers > radii[0]).all() and (centers < room - radii[0]).all()
        ends = {
            frozenset(int(np.linalg.norm(centers - end, axis=1).argmin()) for end in ends)
            for ends in ((path.vertices[0], path.vertices[-1]) for path in links.get_paths())
        }
        assert ends == {frozenset(pair) for pair in graph.to_networkx().edges}
        assert len(links.get_paths()) == graph.links
        for path in links.get_paths():
            line = points(path)
            assert (line > 0).all() and (line < room).all()
        assert {text, *map(str, range(size))} < set(words)


@pytest.mark.parametrize(("text", "size"), [("torus", 25), ("torus", 12), ("edges:0-2+0-1", 3)])
def test_no_link_hides_behind_another_agent(drawn, tmp_path, text, size):
    draw_graph(family(text, size), tmp_path / "x.png", read_family("grid").places(size))
    centers, radii, links, _ = parts_of(drawn[-1])
    for path in links.get_paths():
        far = np.linalg.norm(centers[:, None] - points(path), axis=2).min(axis=1)
        assert (far > radii[0]).sum() == size - 2  # all but the two that it links


def test_links_are_twelve_points_wide_for_a_weight_of_one(drawn, tmp_path):
    weights = np.array([[0.5, 0.4, 0.1], [0.2, 0.8, 0.0], [0.1, 0.0, 0.9]])
    graph = from_adjacency(np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]), weights)
    draw_graph(graph, tmp_path / "x.png")
    assert parts_of(drawn[0])[2].get_linewidths() == pytest.approx([3.6, 1.2])
    assert (
        "2 links of weight 0.1 to 0.4 (their width); a round removes" in parts_of(drawn[0])[3][-1]
    )


def test_agents_that_can_reach_each_other_have_one_color(drawn, tmp_path):
    draw_graph(family("edges:0-2+1-3", 5), tmp_path / "x.png")
    a, b, c, d, e = (disc.get_facecolor() for disc in drawn[0].findobj(Circle))
    assert a == c and b == d and len({a, b, e}) == 3
    assert "3 parts that never hear each other" in parts_of(drawn[0])[3][-1]


def test_a_crowd_has_no_numbers(drawn, tmp_path):
    draw_graph(family("ring", 200), tmp_path / "x.png", title="many")
    assert len(parts_of(drawn[0])[3]) == 2


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_same_graph_gives_the_same_file(tmp_path, suffix):
    graph = family("line", 4)
    paths = [draw_graph(graph, tmp_path / f"{i}{suffix}", title="line") for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if suffix == ".png":
        with Image.open(paths[0]) as image:
            assert min(image.size) > 400
    with pytest.raises(ConfigError, match=r"x\.gif.* ends in \.png, \.pdf, \.svg"):
        draw_graph(graph, tmp_path / "x.gif")
