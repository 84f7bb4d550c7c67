"""Q-learning in a table: one step by hand, exploration, and the value that it converges to."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IQLTabular
from coterie.algorithms.base.tabular import TabularState
from coterie.internal.count import Count
from coterie.types import Observation
from tests.algorithms.tables import taught, told

ROWS = np.array([[[2.0, 6.0], [1.0, 8.0]], [[5.0, 4.0], [0.0, 0.0]]])  # values, visits
BY_HAND = IQLTabular(lr=0.5, lr_decay=1.0, discount=0.5)
ONE_STEP = {
    "plain": ({}, 3 + 0.5 * 5),
    "nothing follows": ({"ends": [[True]]}, 3),
    "the best cannot follow": ({"able_there": [[[False, True]]]}, 3 + 0.5 * 4),
}


@pytest.mark.parametrize("case", ONE_STEP)
def test_one_step_by_hand(case):
    more, target = ONE_STEP[case]
    rows, metrics, _ = taught(BY_HAND, ROWS, told([[0]], [[0]], [[3.0]], [[1]], **more))
    np.testing.assert_allclose(rows[0], [[2 + 0.25 * (target - 2), 6], [2, 8]])
    np.testing.assert_array_equal(rows[1], ROWS[1])
    assert float(metrics["critic_loss"]) == pytest.approx((target - 2) ** 2)


@pytest.mark.parametrize(("steps", "chance"), [(0, 1.0), (50, 0.6), (100, 0.2), (1000, 0.2)])
def test_exploration_falls_in_a_line_and_keeps_the_masks(steps, chance):
    algorithm = IQLTabular(epsilon_end=0.2, epsilon_decay_steps=100)
    state = TabularState(jnp.asarray(ROWS, jnp.float32), Count.of(steps))
    mask = jnp.tile(jnp.array([[True, True], [True, False]]), (10_000, 1))
    view = Observation(jnp.zeros((20_000, 1)), mask)
    decision, _ = jax.jit(algorithm.act)(state, (), view, jax.random.key(0))
    free, forced = decision.action[::2], decision.action[1::2]
    # The best action is 1, and half of the random ones.
    assert float(jnp.mean(free)) == pytest.approx(1 - chance / 2, abs=0.015)
    assert forced.max() == 0


def test_the_values_of_a_chain_are_found():
    """Two states; action 0 stays and pays 1 in state 1, action 1 changes the state."""
    draw = np.random.default_rng(0)
    here, action = draw.integers(0, 2, (2, 30_000, 1))
    steps = told(here, action, here * (action == 0), np.where(action == 1, 1 - here, here))
    method = IQLTabular(discount=0.5, lr_decay=0.6)
    rows, _, _ = functools.partial(taught, method, np.zeros((2, 2, 2)))(steps)
    # V(1) = 1 / (1 - 1/2) = 2 and V(0) = 1/2 V(1) = 1.
    np.testing.assert_allclose(rows[:, 0], [[0.5, 1.0], [2.0, 0.5]], atol=0.02)
