"""What happens to messages: counted, repeated bit for bit, and never at the mean's expense."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.errors import ConfigError, GraphError
from coterie.graph import Star, Unlinked, family
from coterie.internal.count import Count
from coterie.network import (
    AsyncIntervals,
    Delay,
    LinkDropout,
    NodeFailure,
    Noise,
    Partition,
    Periodic,
    Quantization,
    RandomLinks,
    Static,
    lift,
    networks,
    read_channel,
    require_connected_union,
)
from coterie.network.link_schedule import Asynchronous
from coterie.network.round import Round

SIZE = 6
START = np.random.default_rng(0).normal(size=(SIZE, 3)).astype(np.float32)


@functools.cache
def history(channels=(), schedule=Static(), graph="ring", rounds=60, lasting=True, seed=0):
    """Everybody's values after each round `[R, N, 3]`, and the network at the end."""
    network = networks(
        family(graph, SIZE),
        ("value",),
        schedule=schedule,
        channels=channels,
        shared={"value": START} if lasting else None,
        key=jax.random.key(seed),
    )

    def mine(value, network):
        def again(carry, _):
            value, network = carry[1].mix(carry[0], "value")
            return (value, network), value

        (_, network), values = jax.lax.scan(again, (value, network), None, length=rounds)
        return values, network

    values, network = jax.jit(lift(mine))(START, network)
    return np.swapaxes(np.asarray(values, np.float64), 0, 1), network


def moments(rounds, index=0):
    """Rounds as agent `index` sees them, all others being its neighbours."""
    others = jnp.asarray([i for i in range(SIZE) if i != index])
    return [Round(jax.random.key(0), Count.of(t), jnp.int32(index), others, SIZE) for t in rounds]


def lost(channel, rounds, index=0):
    """Which messages are lost in each round, `[R, K]`; of a fresh quantity."""
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *(m[:4] for m in moments(rounds, index)))
    return np.asarray(jax.vmap(lambda m: channel.loses(Round(*m, SIZE), None))(stacked))


def apart(values):
    """How far the agents are from their mean, after each round."""
    return np.sqrt(((values - values.mean(axis=1, keepdims=True)) ** 2).mean(axis=(1, 2)))


SYMMETRIC = {
    "loss": (LinkDropout(0.4),),
    "bursts": (LinkDropout(0.4, burst=7),),
    "partition": (Partition(3, 20),),
    "silence": (NodeFailure(2, 3, 20),),
    "delay": (Delay(4),),
    "late": (Delay(4, "drop"),),
    "coarse": (Quantization(4),),
    "noise": (Noise(0.1),),
    "all": (LinkDropout(0.2), Quantization(8), Delay(3)),
}


@pytest.mark.parametrize("channels", SYMMETRIC.values(), ids=SYMMETRIC)
def test_the_mean_is_kept_whatever_happens_to_messages(channels):
    values, _ = history(channels)
    np.testing.assert_allclose(values.mean(axis=1), np.tile(START.mean(axis=0), (60, 1)), atol=2e-6)
    assert (apart(values)[-1] < 0.3 * apart(START[None])[0]) or channels == (Noise(0.1),)


@pytest.mark.parametrize("channels", SYMMETRIC.values(), ids=SYMMETRIC)
def test_the_same_seed_has_the_same_faults_and_another_has_others(channels):
    values, network = history(channels)
    history.cache_clear()
    again, other = history(channels)[0], history(channels, seed=1)[0]
    assert values.tobytes() == again.tobytes()
    planned = channels[0] in (Partition(3, 20), NodeFailure(2, 3, 20), Delay(4))
    assert (values.tobytes() == other.tobytes()) == planned
    assert network.traffic["value"].rounds.tolist() == [60] * SIZE


def test_losses_are_counted_at_both_ends_and_as_many_as_wanted():
    lost = np.asarray(history((LinkDropout(0.4),), rounds=400)[1].traffic["value"].lost)
    assert abs(lost.sum() / (400 * 2 * SIZE) - 0.4) < 0.03
    # On a ring, places hold the neighbours in the order of their indices.
    neighbor = np.asarray(history((LinkDropout(0.4),), rounds=400)[1].neighbor)
    for agent in range(SIZE):
        for place, other in enumerate(neighbor[agent]):
            back = neighbor[other].tolist().index(agent)
            assert lost[agent, place] == lost[other, back]


def test_bursts_of_a_link_are_whole_and_begin_at_times_of_its_own():
    down = lost(LinkDropout(0.5, burst=10), range(200))
    begins = [set((np.flatnonzero(np.diff(link.astype(int))) + 1) % 10) for link in down.T]
    assert all(len(times) == 1 for times in begins)
    assert len(set.union(*begins)) > 1


def test_bursts_last():
    """Over so many rounds a link is down for whole bursts: fewer changes than losses by chance."""

    def changes(burst):
        values, _ = history((LinkDropout(0.5, burst=burst),), graph="line", rounds=400)
        still = (np.abs(np.diff(values[:30, 0, 0])) < 1e-12).astype(int)
        return np.abs(np.diff(still)).sum()

    assert changes(10) < 0.5 * changes(1)


def test_nothing_lost_and_everything_lost():
    assert history((LinkDropout(0.0),))[0].tobytes() == history()[0].tobytes()
    values = history((LinkDropout(1.0),))[0]
    assert (values == START).all()


def test_a_partition_splits_and_heals():
    values, _ = history((Partition(0, 40),), rounds=160)
    left, right = START[:3].mean(axis=0), START[3:].mean(axis=0)
    np.testing.assert_allclose(values[39, 0], left, atol=0.02)
    np.testing.assert_allclose(values[39, 5], right, atol=0.02)
    np.testing.assert_allclose(values[-1], np.tile(START.mean(axis=0), (SIZE, 1)), atol=1e-3)


def test_the_silent_agent_keeps_its_value_and_the_others_go_on():
    values, _ = history((NodeFailure(2, 0, 50),))
    assert (values[49, 2] == START[2]).all()
    others = np.delete(START, 2, axis=0).mean(axis=0)
    np.testing.assert_allclose(np.delete(values[49], 2, axis=0), np.tile(others, (5, 1)), atol=0.05)


def test_planned_faults_last_from_their_first_round_to_the_one_before_their_last():
    apart = lost(Partition(3, 7), range(10))
    assert (apart == np.outer([3 <= t < 7 for t in range(10)], [0, 0, 1, 1, 1])).all()
    from_two = lost(NodeFailure(2, 3, 7), range(10), index=2)
    assert (from_two == np.outer([3 <= t < 7 for t in range(10)], np.ones(5))).all()


def test_late_values_meet_their_equals():
    """`x_i(t + 1) = x_i(t) + g sum_j w_ij (x_j(t - D) - x_i(t - D))`, as printed."""
    delay, graph = Delay(3), family("ring", SIZE)
    values, network = history((delay,), rounds=20)
    assert (np.asarray(network.traffic["value"].lost) == 3).all()  # until something is old enough
    expected = [START.astype(np.float64)]
    for t in range(20):
        old = expected[t - 3] if t >= 3 else None
        change = 0 if old is None else delay.gain * (graph.weights @ old - old)
        expected.append(expected[t] + change)
    np.testing.assert_allclose(values, expected[1:], atol=1e-5)


@pytest.mark.parametrize("rounds", [1, 4, 30])
def test_the_gain_is_half_the_largest_that_is_stable(rounds):
    """On the fastest graph, `x(t + 1) = x(t) - 2 g x(t - D)`: the roots leave the unit circle."""

    def largest_root(gain):
        return np.abs(np.roots([1.0, -1.0, *np.zeros(rounds - 1), 2.0 * gain])).max()

    assert largest_root(1.98 * Delay(rounds).gain) < 1.0 < largest_root(2.02 * Delay(rounds).gain)


def test_a_fresh_quantity_has_no_past_and_late_values_of_it_are_dropped():
    lost = history((Delay(3),), lasting=False, rounds=400)[1].traffic["value"].lost
    assert abs(np.asarray(lost).sum() / (400 * 2 * SIZE) - 0.75) < 0.03


def test_few_bits_weigh_less():
    carried = history((Quantization(4),))[1].traffic["value"].carried.whole()
    assert (carried == 60 * (2 + 4)).all()  # three numbers of 4 bits in 2 bytes, and their scale
    assert (history()[1].traffic["value"].carried.whole() == 60 * 12).all()


def test_rounding_is_right_on_average():
    keys = jax.random.split(jax.random.key(0), 4000)
    said = jax.vmap(lambda key: Quantization(3).says(jnp.asarray(START[0]), (), key)[0])(keys)
    np.testing.assert_allclose(said.mean(axis=0), START[0], atol=0.02)
    step = np.abs(START[0]).max() / 3  # 3 bits, the sign included: -3 to 3
    np.testing.assert_allclose(said / step, np.round(said / step), atol=1e-4)


def test_noise_is_as_wide_as_wanted_and_another_for_every_array():
    zeros = {"a": jnp.zeros(4000), "b": jnp.zeros(4000)}
    said = Noise(0.1).says(zeros, (), jax.random.key(0))[0]
    assert said["a"].std() == pytest.approx(0.1, rel=0.05)
    assert abs(np.corrcoef(said["a"], said["b"])[0, 1]) < 0.1


def test_graphs_take_turns():
    values, _ = history(schedule=Periodic((Star(),)), rounds=2)
    ring, star = family("ring", SIZE).weights, family("star", SIZE).weights
    np.testing.assert_allclose(values[0], ring @ START, atol=1e-6)
    np.testing.assert_allclose(values[1], star @ ring @ START, atol=1e-6)


def test_fresh_random_graphs_are_doubly_stochastic_and_agree_sooner_than_the_ring():
    values, network = history(schedule=RandomLinks(0.3), rounds=30)
    np.testing.assert_allclose(values.mean(axis=1), np.tile(START.mean(axis=0), (30, 1)), atol=2e-6)
    assert apart(values)[-1] < 0.2 * apart(history(rounds=30)[0])[-1]
    sent = np.asarray(network.traffic["value"].sent).sum()
    assert abs(sent / (30 * SIZE) - (2 + 0.3 * 3)) < 0.4  # two of the ring, and 0.3 of the rest


def test_agents_listen_at_intervals_of_their_own():
    _, network = history(schedule=AsyncIntervals(5.0, 2.0), rounds=400)
    sent = np.asarray(network.traffic["value"].sent)
    assert abs(sent.mean() / 400 - 1 / 5.0) < 0.03
    values = history(schedule=AsyncIntervals(1e4), rounds=60)[0]
    assert (values[1:] == values[0]).all()  # everybody listens once, and never again


def test_intervals_vary_as_wanted():
    nobody, plan = (
        jnp.zeros(SIZE - 1),
        Asynchronous(jnp.ones(5), jnp.ones(5, bool), jnp.int32(0), 8.0, 2.0),
    )

    def once(plan, clock):
        moment = moments([0])[0]._replace(clock=Count(clock * 0, clock))
        turn, plan = plan.turn(moment, lambda _: nobody > 0)
        return plan, turn.hears[0]

    listens = np.asarray(jax.lax.scan(once, plan, jnp.arange(8000, dtype=jnp.uint32))[1])
    waits = np.diff(np.flatnonzero(listens))
    assert waits.mean() == pytest.approx(8.0, abs=0.2)
    assert waits.std() == pytest.approx(2.0, abs=0.2)


SENTENCES = {
    "loss:1.5": "channel 'loss:1.5': probability must lie between 0 and 1, not 1.5: 0.3 loses",
    "loss:nan": "probability must be a number, not nan",
    "loss:0.3,burst=2147483648": "burst must lie between 1 and 1,000,000,000, not 2147483648",
    "loss:0.3,burst=999999999999": "burst must lie between 1 and 1,000,000,000, not 999999",
    "silence:0,0,99999999999999": "stop_round must be at most 2,147,483,647 in size",
    "partition:0,10,2147483648": "parts must be at most 2,147,483,647 in size",
    "noise:inf": "deviation must be a finite number, not inf",
    "delay:0": "rounds must lie between 1 and 1,000,000,000, not 0",
    "delay:3,maybe": "late must be one of",
    "quantise:1": "bits must lie between 2 and 16, not 1: try 8",
    "noise:-1": "deviation must be at least 0, not -1",
    "silence:0,20,10": "lasts from a round to a later one, not from 20 to 10",
    "partition:0,10,1": "parts must be at least 2, not 1",
    "los:0.3": "unknown channel 'los': did you mean 'loss'",
    "loss": "channel 'loss' needs probability",
    "loss:much": "probability must be a number, not 'much'",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_channels_that_make_no_sense_get_a_sentence(text):
    with pytest.raises(ConfigError, match=SENTENCES[text]):
        read_channel(text)


def test_schedules_that_make_no_sense_get_a_sentence():
    with pytest.raises(ConfigError, match="must lie between 0 and 1, not 2"):
        RandomLinks(2.0)
    with pytest.raises(ConfigError, match=r"must lie between 1 and 10,000, not 0\.5"):
        AsyncIntervals(0.5)
    with pytest.raises(GraphError, match=r"the graph of 6 agents .* falls into 6 parts"):
        require_connected_union(RandomLinks(0.0), family("none", SIZE))
    with pytest.raises(GraphError, match=r"Periodic.* never connects the team: .* into 6 parts"):
        require_connected_union(Periodic((Unlinked(),)), family("none", SIZE))
    with pytest.raises(ConfigError, match="no agent 6 to fall silent: indices go from 0 to 5"):
        NodeFailure(6, 0, 1).check(SIZE)
    require_connected_union(RandomLinks(0.1), family("none", SIZE))


def test_gossip_is_mixing_again_and_again():
    value, network = jax.jit(lift(lambda x, n: n.gossip(x, "value", 5)))(
        jnp.asarray(START), networks(family("ring", SIZE), ("value",))
    )
    np.testing.assert_allclose(value, history(rounds=5)[0][-1], atol=1e-6)
    assert network.traffic["value"].rounds.tolist() == [5] * SIZE
