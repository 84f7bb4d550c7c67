"""Graphs: families, weight rules, spectral facts by hand, and one sentence for every bad graph."""

import networkx as nx
import numpy as np
import pytest

from coterie.errors import ConfigError, GraphError
from coterie.graph import (
    FAMILIES,
    family,
    from_adjacency,
    from_networkx,
    max_degree,
    metropolis,
    uniform,
)

RULES = [metropolis, max_degree, uniform]
KITE = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])  # degrees 2, 2, 3, 1
PAIR = np.array([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("name", "size", "degrees", "diameter"),
    [
        ("ring", 1, [0], 0),
        ("ring", 2, [1, 1], 1),
        ("ring", 5, [2, 2, 2, 2, 2], 2),
        ("line", 4, [1, 2, 2, 1], 3),
        ("star", 5, [4, 1, 1, 1, 1], 2),
        ("grid", 6, [2, 3, 2, 2, 3, 2], 3),
        ("grid", 5, [1, 2, 2, 2, 1], 4),
        ("complete", 4, [3, 3, 3, 3], 1),
    ],
)
def test_families(name, size, degrees, diameter):
    graph = family(name, size)
    assert graph.degrees.tolist() == degrees
    assert (graph.diameter, graph.size, graph.connected) == (diameter, size, True)


def test_none_is_independent_learners():
    graph = family("none", 3)
    assert not graph.connected
    assert graph.weights.tolist() == np.eye(3).tolist()
    assert graph.contraction == pytest.approx(1.0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_weight_rules_are_symmetric_and_doubly_stochastic(rule, name, size):
    weights = family(name, size, rule).weights
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-15)
    assert (weights >= 0).all()


@pytest.mark.parametrize(
    ("rule", "twelfths"),
    [
        (metropolis, [[5, 4, 3, 0], [4, 5, 3, 0], [3, 3, 3, 3], [0, 0, 3, 9]]),
        (max_degree, [[6, 3, 3, 0], [3, 6, 3, 0], [3, 3, 3, 3], [0, 0, 3, 9]]),
        (uniform, [[6, 3, 3, 0], [3, 6, 3, 0], [3, 3, 3, 3], [0, 0, 3, 9]]),
    ],
)
def test_weights_of_a_kite_by_hand(rule, twelfths):
    np.testing.assert_allclose(from_adjacency(KITE, rule).weights, np.array(twelfths) / 12)


def test_uniform_and_max_degree_differ_on_a_line():
    line = nx.to_numpy_array(nx.path_graph(4))
    assert uniform(line > 0)[0, 1] == 1 / 4
    assert max_degree(line > 0)[0, 1] == 1 / 3


@pytest.mark.parametrize(("size", "contraction"), [(4, 1 / 3), (5, 0.5393447), (8, 0.8047379)])
def test_contraction_of_a_ring(size, contraction):
    graph = family("ring", size, max_degree)
    assert graph.contraction == pytest.approx((1 + 2 * np.cos(2 * np.pi / size)) / 3)
    assert graph.contraction == pytest.approx(contraction, abs=1e-6)
    assert graph.spectral_gap == pytest.approx(1 - contraction, abs=1e-6)
    eigenvalues = np.sort(np.abs(np.linalg.eigvalsh(graph.weights)))
    assert graph.contraction == pytest.approx(eigenvalues[-2])


def test_rounds_to_a_tolerance():
    assert family("ring", 4, max_degree).rounds_to(0.12) == 2  # 1/9 is left after two rounds
    assert family("ring", 4, max_degree).rounds_to(0.1) == 3
    assert family("complete", 4, uniform).rounds_to(1e-9) == 1


def test_weights_that_never_agree_have_no_number_of_rounds():
    swap = from_adjacency(PAIR, PAIR)
    assert swap.contraction == pytest.approx(1.0)
    with pytest.raises(GraphError, match=r"never agree \(it keeps 1 of"):
        swap.rounds_to(0.1)


def test_a_graph_is_a_frozen_value():
    weights = np.full((2, 2), 0.5)
    graph = from_adjacency(PAIR, weights)
    assert graph == family("complete", 2)
    assert len({graph, family("ring", 2), family("none", 2)}) == 2
    with pytest.raises(ValueError, match="read-only"):
        graph.weights[0, 0] = 1.0
    weights[:] = 0.0  # what the user gave stays the user's
    assert graph.weights[0, 0] == 0.5


def test_networkx_both_ways():
    graph = from_networkx(nx.wheel_graph(5), max_degree)
    assert list(graph.to_networkx().edges) == list(nx.wheel_graph(5).edges)


@pytest.mark.parametrize(
    ("adjacency", "weights", "sentence"),
    [
        (np.zeros((2, 3)), metropolis, "must be square, not of shape (2, 3)"),
        (np.array([[0, np.nan], [1, 0]]), metropolis, "finite numbers >= 0"),
        (np.array([[0, -1], [-1, 0]]), metropolis, "finite numbers >= 0"),
        (np.zeros((0, 0)), metropolis, "at least 1 agent, not 0"),
        (np.array([[0, 1], [1, 1]]), metropolis, "agent 1 is linked to itself"),
        (np.array([[0, 1], [0, 0]]), metropolis, "link [0, 1] exists in one direction only"),
        (PAIR, np.eye(3), "weights of shape (3, 3) do not fit 2 agents"),
        (PAIR, np.array([[2.0, -1.0], [0.0, 1.0]]), "finite and >= 0"),
        (PAIR, np.array([[np.inf, 0.0], [0.0, 1.0]]), "finite and >= 0"),
        (PAIR, np.array([[0.5, 0.5], [0.5, 0.6]]), "weights of agent 1 sum to 1.1, not 1"),
        (np.zeros((2, 2)), np.full((2, 2), 0.5), "agents [0, 1] have a mixing weight but no link"),
    ],
)
def test_a_bad_graph_gets_its_sentence(adjacency, weights, sentence):
    with pytest.raises(GraphError) as caught:
        from_adjacency(adjacency, weights)
    assert sentence in str(caught.value)


def test_bad_names_and_sizes_get_their_sentences():
    with pytest.raises(GraphError, match="at least 1 agent, not 0"):
        family("ring", 0)
    with pytest.raises(ConfigError, match="unknown graph 'rign': did you mean 'ring'"):
        family("rign", 3)
    parts = from_adjacency(np.kron(np.eye(2), PAIR))
    for ask in (lambda: parts.diameter, lambda: parts.rounds_to(0.1), parts.require_connected):
        with pytest.raises(GraphError, match=r"2 parts \[\[0, 1\], \[2, 3\]\]; add edges"):
            ask()
