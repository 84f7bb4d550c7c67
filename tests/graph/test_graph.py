"""Graphs: families, weight rules, spectral facts by hand, and one sentence for every bad graph."""

import networkx as nx
import numpy as np
import pytest

from coterie.errors import ConfigError, GraphError
from coterie.graph import (
    WEIGHTS,
    family,
    from_adjacency,
    from_networkx,
    lazy,
    max_degree,
    metropolis,
    uniform,
)
from tests.graph.texts import texts

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


@pytest.mark.parametrize("rule", WEIGHTS)
@pytest.mark.parametrize("text", texts(6))
def test_rows_and_columns_of_the_weights_sum_to_one(rule, text):
    weights = family(text, 6, rule).weights
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-15)
    assert (weights >= 0).all()


@pytest.mark.parametrize(
    ("rule", "twelfths"),
    [
        (metropolis, [[5, 4, 3, 0], [4, 5, 3, 0], [3, 3, 3, 3], [0, 0, 3, 9]]),
        (max_degree, [[6, 3, 3, 0], [3, 6, 3, 0], [3, 3, 3, 3], [0, 0, 3, 9]]),
        (uniform, [[6, 3, 3, 0], [3, 6, 3, 0], [3, 3, 3, 3], [0, 0, 3, 9]]),
        (lazy, [[8.5, 2, 1.5, 0], [2, 8.5, 1.5, 0], [1.5, 1.5, 7.5, 1.5], [0, 0, 1.5, 10.5]]),
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


@pytest.mark.parametrize("size", range(1, 9))
def test_a_complete_graph_with_uniform_weights_agrees_at_once(size):
    graph = family("complete", size, "uniform")
    assert graph.contraction == pytest.approx(0.0, abs=1e-12)
    assert graph.rounds_to(1e-9) == 1


@pytest.mark.parametrize("text", texts(8))
def test_lazy_weights_have_no_negative_eigenvalue(text):
    eager, eased = (family(text, 8, rule).weights for rule in ("metropolis", "lazy"))
    values = np.linalg.eigvalsh(eased)
    assert values.min() >= -1e-12
    np.testing.assert_allclose(values, (1 + np.linalg.eigvalsh(eager)) / 2, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_two_groups_that_talk_only_to_each_other_overshoot_unless_lazy(n):
    across = np.kron(PAIR, np.ones((n, n)))
    sides = np.repeat([1.0, -1.0], n)
    for rule in ("metropolis", "max-degree"):
        graph = from_adjacency(across, rule)
        np.testing.assert_allclose(graph.weights @ sides, (1 - n) / (1 + n) * sides, atol=1e-15)
    graph = from_adjacency(across, "lazy")
    np.testing.assert_allclose(graph.weights @ sides, sides / (1 + n), atol=1e-15)


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


def test_weights_that_favor_an_agent_do_not_keep_the_mean():
    favor = np.array([[0.8, 0.2, 0.0], [0.6, 0.3, 0.1], [0.0, 0.3, 0.7]])
    graph = from_adjacency(nx.to_numpy_array(nx.path_graph(3)), favor)
    with pytest.raises(GraphError) as caught:
        graph.require_doubly_stochastic()
    assert str(caught.value) == (
        "the mixing weights that agent 0 gets from all sum to 1.4, not 1, so that averaging does "
        "not keep the mean: use the `metropolis` rule."
    )


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
    with pytest.raises(ConfigError, match="unknown weights 'metro': did you mean 'metropolis'"):
        from_adjacency(PAIR, "metro")
    parts = from_adjacency(np.kron(np.eye(2), PAIR))
    assert parts.parts == ((0, 1), (2, 3))
    for ask in (lambda: parts.diameter, lambda: parts.rounds_to(0.1), parts.require_connected):
        with pytest.raises(GraphError, match=r"2 parts \[\[0, 1\], \[2, 3\]\]; add edges"):
            ask()


def test_gaps_tell_negative_eigenvalues_from_positive_ones():
    """A ring of four with Metropolis weights has 1, 1/3, 1/3 and -1/3."""
    assert family("ring", 4).gaps == pytest.approx((2 / 3, 4 / 3))
    assert family("complete", 4).gaps == pytest.approx((1.0, 1.0))
    assert family("none", 4).gaps == pytest.approx((0.0, 0.0))
    assert family("none", 1).gaps == (1.0, 1.0)
