"""The replay memory overwrites the oldest and draws evenly from what is there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from coterie.rl import replay
from coterie.types import Observation

wraps = pytest.mark.parametrize("wrap", [jax.jit, lambda function: function], ids=["jit", "plain"])


def items(*values):
    return {"number": jnp.array(values), "double": 2 * jnp.array(values)[:, None]}


@wraps
def test_the_oldest_are_overwritten(wrap):
    memory = replay.empty({"number": jnp.int32(0), "double": jnp.zeros(1, jnp.int32)}, 5)
    history = [
        ((1, 2), [1, 2, 0, 0, 0], 2, 2),
        ((3, 4), [1, 2, 3, 4, 0], 4, 4),
        ((5, 6), [6, 2, 3, 4, 5], 5, 1),
        ((7, 8, 9, 10, 11), [11, 7, 8, 9, 10], 5, 1),
    ]
    for values, stored, size, position in history:
        memory = wrap(replay.add)(memory, items(*values))
        assert memory.items["number"].tolist() == stored
        assert memory.items["double"][:, 0].tolist() == [2 * value for value in stored]
        assert (int(memory.size), int(memory.position)) == (size, position)


@pytest.mark.parametrize("stored", [3, 10, 14])
def test_draws_are_even_over_what_is_stored(stored):
    memory = replay.empty({"number": jnp.int32(0), "double": jnp.zeros(1, jnp.int32)}, 10)
    add = jax.jit(replay.add)
    for value in range(1, stored + 1):
        memory = add(memory, items(value))
    drawn = replay.sample(memory, jax.random.key(0), 5_000)
    np.testing.assert_array_equal(drawn["double"][:, 0], 2 * drawn["number"])
    values, counts = np.unique(drawn["number"], return_counts=True)
    assert values.tolist() == list(range(max(1, stored - 9), stored + 1))
    assert stats.chisquare(counts).pvalue > 0.001


@wraps
def test_observations_in_steps_take_a_byte_and_come_back_as_the_nearest_multiples(wrap):
    view = Observation(jnp.zeros(3), alive=jnp.array(True), state=jnp.zeros(1))
    memory = replay.empty({"view": view, "reward": jnp.zeros(())}, 2, step=0.01)
    seen = jnp.array([[0.0, 0.82000005, 2.55], [0.004, 0.996, -1.0], [0.3, 9.0, 1.0]])
    given = Observation(seen, alive=jnp.array([True, False, True]), state=seen[:, 1:2])
    for part in (slice(0, 2), slice(2, 3)):
        new = {"view": given, "reward": seen[:, 1]}
        memory = wrap(replay.add)(memory, jax.tree.map(lambda x, part=part: x[part], new))
    codes = memory.items["view"].observation.codes
    assert codes.dtype == jnp.uint8
    assert codes.tolist() == [[30, 255, 100], [0, 100, 0]]
    found = replay.at(memory, jnp.array([1, 0, 1]))
    expected = np.array([[0.0, 1.0, 0.0], [0.3, 2.55, 1.0], [0.0, 1.0, 0.0]], np.float32)
    np.testing.assert_allclose(found["view"].observation, expected, rtol=1e-7)
    # All else is kept as it is.
    np.testing.assert_array_equal(found["reward"], seen[jnp.array([1, 2, 1]), 1])
    np.testing.assert_array_equal(found["view"].state[:, 0], seen[jnp.array([1, 2, 1]), 1])
    np.testing.assert_array_equal(found["view"].alive, [False, True, False])
