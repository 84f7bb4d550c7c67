"""One agent's end of the network: averages, neighbours, counts, and what may not pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.errors import ConfigError
from coterie.graph import Edges, Star, family, from_adjacency, max_degree, metropolis, uniform
from coterie.network import (
    AsyncIntervals,
    Delay,
    EdgeGossip,
    LinkDropout,
    Network,
    Periodic,
    RandomLinks,
    Static,
    lift,
    networks,
)
from tests.graph.texts import texts

KITE = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])  # degrees 2, 2, 3, 1
GRAPHS = {text: family(text, 6) for text in texts(6)} | {
    "kite": from_adjacency(KITE),
    "alone": family("ring", 1),
    "lopsided": from_adjacency(np.array([[0, 1], [1, 0]]), np.array([[0.9, 0.1], [0.5, 0.5]])),
}


def mixed(graph, values, rounds=1, jit=True):
    """`values` `[N, ...]` after rounds of averaging."""

    def mine(value, network):
        def again(carry, _):
            return carry[1].mix(carry[0], "value"), None

        return jax.lax.scan(again, (value, network), None, length=rounds)[0][0]

    team = lift(mine)
    return (jax.jit(team) if jit else team)(values, networks(graph, ("value",)))


def heard(graph, values):
    return lift(lambda x, network: network.neighbors(x, "value")[0])(
        values, networks(graph, ("value",))
    )


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("name", GRAPHS)
def test_mixing_is_the_weight_matrix(name, jit):
    graph = GRAPHS[name]
    random = np.random.default_rng(0)
    tree = {
        "scalar": random.normal(size=graph.size).astype(np.float32),
        "matrix": random.normal(size=(graph.size, 2, 3)).astype(np.float32),
    }
    result = mixed(graph, tree, rounds=2, jit=jit)
    for key, values in tree.items():
        expected = np.tensordot(graph.weights @ graph.weights, values, axes=1)
        np.testing.assert_allclose(result[key], expected, atol=1e-6)
        assert result[key].dtype == values.dtype


@pytest.mark.parametrize("name", GRAPHS)
def test_neighbors_are_those_of_the_graph(name):
    graph = GRAPHS[name]
    told = heard(graph, jnp.arange(graph.size))
    for agent in range(graph.size):
        values = told.received[agent][told.arrived[agent]]
        assert values.tolist() == np.flatnonzero(graph.adjacency[agent]).tolist()
    assert told.sent.tolist() == list(range(graph.size))


def test_an_agent_knows_its_place():
    places = lift(lambda network: (network.index, network.degree))(networks(GRAPHS["kite"]))
    assert [place.tolist() for place in places] == [[0, 1, 2, 3], [2, 2, 3, 1]]


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_stranger_contaminates_nobody(poison):
    values = np.array([1.0, 2.0, 3.0, poison], np.float32)  # agent 3 of a kite talks to 2 only
    result = mixed(GRAPHS["kite"], values)
    np.testing.assert_allclose(result[:2], GRAPHS["kite"].weights[:2, :3] @ values[:3], rtol=1e-6)
    assert not np.isfinite(result[2:]).any()


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("rounds", [1, 3])
def test_bytes_and_rounds_are_counted_inside_scan(rounds, jit):
    values = {"a": jnp.zeros((4, 5)), "b": jnp.zeros((4, 2), jnp.int8), "c": jnp.zeros(4, bool)}

    def mine(value, network):
        def again(network, _):
            return network.neighbors(value, "value")[1], None

        return jax.lax.scan(again, network.mix(value["a"], "other")[1], None, length=rounds)[0]

    team = jax.jit(lift(mine)) if jit else lift(mine)
    network = team(values, networks(GRAPHS["kite"], ("value", "other", "silence")))
    weights = {"value": rounds * (5 * 4 + 2 * 1 + 1), "other": 5 * 4, "silence": 0}
    for payload, weight in weights.items():
        assert network.traffic[payload].bytes.tolist() == [weight * d for d in (2, 2, 3, 1)]
    assert {name: t.rounds.tolist() for name, t in network.traffic.items()} == {
        "value": [rounds] * 4,
        "other": [1] * 4,
        "silence": [0] * 4,
    }
    cleared = jax.vmap(Network.cleared)(network)
    assert cleared.traffic["value"].bytes.tolist() == [0] * 4
    assert cleared.neighbor.tolist() == network.neighbor.tolist()


def test_what_has_no_average_is_refused():
    with pytest.raises(ConfigError, match="payload 'value' holds int32 numbers"):
        mixed(GRAPHS["kite"], jnp.arange(4))


def test_a_payload_that_is_not_declared_is_refused():
    with pytest.raises(ConfigError, match=r"payload 'gossip' is sent but not declared; .*'value'"):
        lift(lambda x, n: n.mix(x, "gossip"))(jnp.zeros(4), networks(GRAPHS["kite"], ("value",)))


@pytest.mark.parametrize("through", ["mix", "neighbours"])
def test_no_gradient_goes_through_a_message(through):
    graph = GRAPHS["kite"]

    def loss(parameter, network):
        if through == "mix":
            return network.mix(parameter, "value")[0] ** 2
        told = network.neighbors(parameter, "value")[0]
        return parameter**2 + jnp.sum(jnp.where(told.arrived, told.received, 0.0) ** 2)

    parameters = jnp.array([1.0, 2.0, 3.0, 4.0])
    lifted = lift(loss)
    slopes = jax.jacrev(lambda p: lifted(p, networks(graph, ("value",))))(parameters)
    if through == "mix":  # d/dx_i (w_ii x_i + others)^2
        own = 2 * (graph.weights @ parameters) * np.diag(graph.weights)
    else:
        own = 2 * parameters
    np.testing.assert_allclose(np.diag(slopes), own, rtol=1e-6)
    assert (slopes[~np.eye(4, dtype=bool)] == 0.0).all()


averaged = jax.jit(lift(lambda value, network: network.mix(value, "value")[0]))


@st.composite
def connected_graphs(draw):
    """A random tree with random links on top, and any rule for the weights."""
    size = draw(st.integers(2, 7))
    adjacency = np.zeros((size, size), int)
    for agent in range(1, size):
        adjacency[agent, draw(st.integers(0, agent - 1))] = 1
    extra = draw(st.lists(st.booleans(), min_size=size * size, max_size=size * size))
    adjacency |= np.tril(np.reshape(extra, (size, size)), -1)
    rule = draw(st.sampled_from([metropolis, max_degree, uniform]))
    return from_adjacency(adjacency + adjacency.T, rule)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(graph=connected_graphs(), seed=st.integers(0, 100))
def test_averaging_keeps_the_mean_and_contracts_at_the_spectral_rate(graph, seed):
    values = np.random.default_rng(seed).normal(size=graph.size).astype(np.float32)
    network = networks(graph, ("value",))
    spread = [np.linalg.norm(values - values.mean())]
    for _ in range(3):
        values, mean = np.asarray(averaged(values, network)), values.mean()
        assert values.mean() == pytest.approx(mean, abs=1e-6)
        spread.append(np.linalg.norm(values - values.mean()))
        assert spread[-1] <= graph.contraction * spread[-2] + 1e-6


@settings(max_examples=8, deadline=None, derandomize=True)
@given(graph=connected_graphs())
def test_the_slowest_disagreement_contracts_exactly_at_that_rate(graph):
    values, vectors = np.linalg.eigh(graph.weights)
    slowest = vectors[:, np.argsort(np.abs(values))[-2]].astype(np.float32)
    after = averaged(slowest, networks(graph, ("value",)))
    assert np.linalg.norm(after) == pytest.approx(graph.contraction, abs=1e-5)


CERTAIN = [
    (Static(), (), 1),
    (EdgeGossip("cyclic"), (), 4),
    (EdgeGossip("matched"), (), 2),
    (Periodic((Edges("0-1"), Star())), (), 3),
]
BY_CHANCE = [
    (Static(), (LinkDropout(0.4),)),
    (Static(), (Delay(2, "drop"),)),
    (EdgeGossip("random"), ()),
    (RandomLinks(0.3), ()),
    (AsyncIntervals(4.0, 2.0), ()),
    (EdgeGossip("cyclic"), (LinkDropout(0.3),)),
]


def heard_after_repeats(schedule, channels, shorter=0):
    """How often it has to be said, and the share of links on which it was then heard."""
    network = networks(family("ring", 4), ("x",), schedule=schedule, channels=channels)
    repeats = network.rounds_to_deliver - shorter

    def mine(network):
        def once(network, _):
            heard, network = network.neighbors(jnp.zeros(()), "x")
            return network, heard.arrived

        return jax.lax.scan(once, network, None, length=100 * repeats)[1]

    masks = np.asarray(jax.jit(lift(mine))(network)).reshape(4, 100, repeats, -1)
    real = np.asarray(network.neighbor) != np.arange(4)[:, None]
    return repeats, masks.any(axis=2).mean(axis=1)[real].mean()


@pytest.mark.parametrize(("schedule", "channels", "repeats"), CERTAIN)
def test_what_is_repeated_so_often_is_heard_for_certain(schedule, channels, repeats):
    assert heard_after_repeats(schedule, channels) == (repeats, 1.0)
    if repeats > 1:
        assert heard_after_repeats(schedule, channels, shorter=1)[1] < 1.0


@pytest.mark.parametrize(("schedule", "channels"), BY_CHANCE)
def test_where_chance_rules_it_is_heard_all_but_surely(schedule, channels):
    repeats, share = heard_after_repeats(schedule, channels)
    assert repeats > 4 and share > 0.98
    assert heard_after_repeats(schedule, channels, shorter=repeats // 2)[1] < share
