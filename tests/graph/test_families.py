"""Families: closed forms, the same text the same graph, one sentence for every bad parameter."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest

from coterie.errors import ConfigError, GraphError
from coterie.graph import WEIGHTS, family, read_family
from tests.graph.texts import texts

EVERY = [(text, size) for size in range(1, 10) for text in texts(size)]


@pytest.mark.parametrize(("text", "size"), EVERY)
def test_every_family_at_every_size_is_a_valid_graph_that_keeps_the_mean(text, size):
    for rule in WEIGHTS:
        graph = family(text, size, rule)
        assert graph.size == size
        assert not graph.adjacency.diagonal().any()
        np.testing.assert_array_equal(graph.adjacency, graph.adjacency.T)
        np.testing.assert_array_equal(graph.weights, graph.weights.T)
        assert graph.require_doubly_stochastic() is graph
        assert graph.weights.diagonal().min() >= 1 / size - 1e-15  # an agent never forgets itself
        assert graph == family(text, size, WEIGHTS[rule])
    places = read_family(text).places(size)
    assert places.shape == (size, 2)
    assert all(np.linalg.norm(a - b) > 1e-6 for a, b in itertools.combinations(places, 2))


@pytest.mark.parametrize(
    ("text", "size", "known"),
    [
        ("ring", 7, nx.cycle_graph(7)),
        ("line", 7, nx.path_graph(7)),
        ("star", 7, nx.star_graph(6)),
        ("grid", 12, nx.grid_2d_graph(3, 4)),
        ("grid", 7, nx.path_graph(7)),
        ("torus", 12, nx.grid_2d_graph(3, 4, periodic=True)),
        ("torus", 6, nx.circular_ladder_graph(3)),
        ("torus", 4, nx.grid_2d_graph(2, 2)),
        ("torus", 7, nx.cycle_graph(7)),
        ("torus", 2, nx.path_graph(2)),
        ("exponential", 8, nx.circulant_graph(8, [1, 2, 4])),
        ("exponential", 5, nx.complete_graph(5)),
        ("complete", 7, nx.complete_graph(7)),
        ("none", 7, nx.empty_graph(7)),
    ],
)
def test_shapes_are_those_of_networkx(text, size, known):
    np.testing.assert_array_equal(family(text, size).adjacency, nx.to_numpy_array(known) > 0)


@pytest.mark.parametrize("size", [9, 12, 16, 20, 30])
def test_a_torus_has_four_links_for_every_agent(size):
    graph = family("torus", size)
    assert set(graph.degrees.tolist()) == {4}
    rows = max(r for r in range(1, math.isqrt(size) + 1) if size % r == 0)
    assert graph.diameter == rows // 2 + size // rows // 2


@pytest.mark.parametrize("size", range(2, 40))
def test_in_an_exponential_graph_nobody_is_far(size):
    graph = family("exponential", size)
    assert graph.diameter <= math.ceil(math.log2(size))
    assert len(set(graph.degrees.tolist())) == 1
    assert graph.degrees[0] <= 2 * math.ceil(math.log2(size))


def test_links_of_an_erdos_renyi_graph_number_as_expected():
    size, probability, draws = 20, 0.3, 200
    counts = [family(f"erdos-renyi:{probability},seed={s}", size).links for s in range(draws)]
    pairs = size * (size - 1) / 2
    deviation = math.sqrt(pairs * probability * (1 - probability))
    assert np.mean(counts) == pytest.approx(pairs * probability, abs=4 * deviation / draws**0.5)
    assert np.std(counts) == pytest.approx(deviation, rel=0.25)
    assert family("erdos-renyi:0", size).links == 0
    assert family("erdos-renyi:1", size) == family("complete", size)


def test_pairs_of_an_erdos_renyi_graph_are_equally_likely():
    drawn = [family(f"erdos-renyi:0.5,seed={s}", 5).adjacency for s in range(400)]
    off = np.sum(drawn, axis=0)[~np.eye(5, dtype=bool)]
    assert np.all(np.abs(off - 200) < 4 * 10)  # a binomial's deviation is 10


def test_links_of_a_geometric_graph_are_the_near_pairs():
    places = read_family("geometric:0.35,seed=4").places(15)
    assert places.min() >= 0.0 and places.max() <= 1.0
    graph = family("geometric:0.35,seed=4", 15)
    for i, j in itertools.combinations(range(15), 2):
        assert graph.adjacency[i, j] == (math.dist(places[i], places[j]) <= 0.35)
    assert 0 < graph.links < family("geometric:1.42,seed=4", 15).links == 15 * 14 / 2


@pytest.mark.parametrize("name", ["erdos-renyi", "geometric"])
def test_the_text_decides_a_random_graph(name):
    graph = family(f"{name}:0.4", 12)
    np.random.default_rng().random(3)  # somebody else's numbers change nothing
    assert graph == family(f"{name}:0.4,seed=0", 12)
    assert graph != family(f"{name}:0.4,seed=1", 12)
    more = family(f"{name}:0.6", 12)
    assert more.links > graph.links
    assert not np.any(graph.adjacency & ~more.adjacency)


def test_edges_are_just_those():
    graph = family("edges:0-1+1-2+2-1+1-3", 5)
    assert list(graph.to_networkx().edges) == [(0, 1), (1, 2), (1, 3)]
    assert graph.parts == ((0, 1, 2, 3), (4,))


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("toros", ConfigError, "unknown graph 'toros': did you mean 'torus'"),
        ("ring:", ConfigError, "'' is no part of 'ring', which takes nothing; write ring."),
        ("ring:" + "9" * 10_000, ConfigError, "... (10,002 characters) is no part of 'ring'"),
        ("erdos-renyi:0.5,seed=\u0663", ConfigError, "seed must be a whole number, not '\u0663'"),
        ("edges:0-\u0661", GraphError, "is not two agents"),
        ("edges:0-" + "9" * 5_000, GraphError, "is not two agents"),
        ("ring:3", ConfigError, "'3' is no part of 'ring', which takes nothing; write ring."),
        ("erdos-renyi", ConfigError, "needs probability; write erdos-renyi:probability=...,seed"),
        ("erdos-renyi:a", ConfigError, "probability must be a number, not 'a'"),
        ("erdos-renyi:1.2", ConfigError, "probability must lie between 0 and 1, not 1.2: try 0.5"),
        ("erdos-renyi:nan", ConfigError, "probability must be a number, not nan"),
        ("erdos-renyi:0.5,-1", ConfigError, "seed must be at least 0, not -1"),
        ("geometric", ConfigError, "needs radius"),
        ("geometric:0", ConfigError, "radius must be greater than 0, not 0.0: agents live in"),
        ("geometric:inf", ConfigError, "radius must be a finite number, not inf"),
        ("geometric:0.5,-1", ConfigError, "seed must be at least 0, not -1"),
        ("edges", ConfigError, "needs pairs; write edges:pairs=..."),
        ("edges:0-1,1-2", ConfigError, "'1-2' is no part of 'edges'"),
        ("edges:0-1+", GraphError, "link '' is not two agents: write 0-1+1-2."),
        ("edges:0-1-2", GraphError, "link '0-1-2' is not two agents"),
        ("edges:0-1+2-2", GraphError, "link 2-2 leads from an agent to itself"),
        ("edges:0-1+1-4", GraphError, "needs an agent 4, and the 4 agents are numbered 0 to 3"),
    ],
)
def test_a_bad_text_gets_its_sentence(text, error, sentence):
    with pytest.raises(error) as caught:
        family(text, 4)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
