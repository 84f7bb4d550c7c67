"""Rows of a table, draws from weights, and numbers that fall."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.rl.schedules import decayed, falling, require_convergent
from coterie.rl.tables import able_only, drawn, entry, row, with_row

TABLE = jnp.arange(12.0).reshape(3, 2, 2)


def test_rows_are_read_and_replaced():
    for wrap in (jax.jit, lambda function: function):
        assert wrap(row)(TABLE, jnp.int32(2)).tolist() == TABLE[2].tolist()
        changed = wrap(with_row)(TABLE, jnp.int32(1), jnp.zeros((2, 2)))
        np.testing.assert_array_equal(changed, TABLE.at[1].set(0.0))
    assert float(entry(TABLE[1, 1], jnp.int32(1))) == 7.0


def test_what_lies_outside_is_read_from_the_edge_and_not_written():
    numbers = jnp.array([-1, 7])
    assert jax.jit(jax.vmap(row, (None, 0)))(TABLE, numbers)[1].tolist() == TABLE[2].tolist()
    changed = jax.jit(with_row)(TABLE, jnp.int32(7), jnp.zeros((2, 2)))
    np.testing.assert_array_equal(changed, TABLE)


def test_draws_are_as_frequent_as_their_weights():
    weights = jnp.array([3.0, 0.0, 1.0, 4.0, 0.0])
    chances = (jnp.arange(8_000) + 0.5) / 8_000
    actions = jax.vmap(drawn, (None, 0))(weights, chances)
    assert np.bincount(actions, minlength=5).tolist() == [3_000, 0, 1_000, 4_000, 0]


@pytest.mark.parametrize(
    "weights", [[0.0, 1.0, 0.5], [1e-35, 1.0, 0.0], [0.3, 0.3, 0.3], [1e-30, 1e-30, 0.0]]
)
def test_the_least_and_the_largest_random_number_draw_a_possible_action(weights):
    largest = jnp.float32(1 - 2**-24)
    weights = jnp.array(weights)
    assert float(weights[drawn(weights, largest)]) > 0
    assert float(weights[drawn(weights, jnp.float32(0))]) > 0


def test_impossible_actions_are_replaced():
    values = jnp.array([1.0, 2.0])
    assert able_only(values, None, -9.0) is values
    assert able_only(values, jnp.array([False, True]), -9.0).tolist() == [-9.0, 2.0]


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_step_sizes_fall_with_visits(decay):
    visits = jnp.array([0.0, 3.0, 1e6])
    np.testing.assert_allclose(decayed(0.4, decay, visits), 0.4 / (1 + visits) ** decay, rtol=1e-5)
    assert falling(1.0, 0.2, 4, jnp.array([1.0, 99.0])).tolist() == pytest.approx([0.8, 0.2])


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.1])
def test_steps_for_which_nothing_is_proved_are_refused(decay):
    with pytest.raises(ConfigError, match=f"p must be above 0.5 and at most 1 .* not {decay}"):
        require_convergent("p", decay)
    require_convergent("p", 0.51)
    require_convergent("p", 1.0)
