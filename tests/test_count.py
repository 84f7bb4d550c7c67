"""Counters beyond 2^31 and 2^32: exact in compiled programs, and what is made of them is right."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IQL, InitKeys, IQLTabular, NetworkedAC
from coterie.graph import family
from coterie.internal.count import Count
from coterie.network import lift, networks
from coterie.network.channels import Partition
from coterie.network.round import Round
from coterie.types import Discrete, LearnerSpec

BORDERS = [0, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40 + 12_345]


@pytest.mark.parametrize("border", BORDERS)
def test_numbers_are_exact_on_both_sides_of_a_border(border):
    count = Count.of(border)
    assert int(count.whole()) == border
    assert int(jax.jit(Count.next)(count).whole()) == border + 1
    assert int(count.plus(count).whole()) == 2 * border
    assert [int(count % n) for n in (1, 7, 65_537)] == [border % n for n in (1, 7, 65_537)]
    assert float(count.real()) == np.float32(border)


def test_sums_carry():
    numbers = np.array([[2**32 - 1] * 5, [2**31 + 7, 0, 2**33, 1, 2**16]])
    assert Count.of(numbers).sum(-1).whole().tolist() == numbers.sum(-1).tolist()
    masked = Count.of(numbers).where(jnp.array([True, False, True, False, True]))
    assert masked.whole().tolist() == np.where([1, 0, 1, 0, 1], numbers, 0).tolist()


@pytest.mark.parametrize("steps", [2**31 - 1, 2**31, 2**32 + 5])
def test_exploration_and_step_sizes_stay_at_their_end(steps):
    late = Count.of(steps)
    assert float(IQL(epsilon_end=0.1)._epsilon(late)) == pytest.approx(0.1)
    rates = NetworkedAC(actor_lr_decay=0.5)._rates(late)
    assert 0.0 < float(rates[0]) < 1e-4
    assert int(late.next().whole()) == steps + 1
    keys, spec = InitKeys.of(jax.random.key(0)), LearnerSpec(1, Discrete(2), states=3)
    table, _ = IQLTabular().init(keys, spec)
    assert int(table.steps.whole()) == 0


def test_messages_beyond_four_gigabytes_are_counted():
    network = networks(family("ring", 3), ("value",))
    near = network.traffic["value"]._replace(carried=Count.of(np.full((3, 2), 2**32 - 4)))
    network = dataclasses.replace(network, traffic={"value": near})
    _, after = lift(lambda x, mine: mine.mix(x, "value"))(jnp.ones(3), network)
    assert after.traffic["value"].bytes.tolist() == [2 * 2**32] * 3


@pytest.mark.parametrize("clock", [2**31 - 1, 2**31, 2**32, 2**33])
def test_rounds_go_on_beyond_the_border(clock):
    """A partition that is long over does not come back, and graphs that take turns go on."""
    late = Round(jax.random.key(0), Count.of(clock), jnp.array(0), jnp.array([1, 2]), 4)
    assert not bool(jnp.any(Partition(0, 10).loses(late, ())))
    assert int(late.clock % 3) == clock % 3
    assert bool(jnp.any(Partition(0, 10).loses(late._replace(clock=Count.of(9)), ())))
