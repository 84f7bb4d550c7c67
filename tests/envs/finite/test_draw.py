"""Every random number leads to one state, the same way by walking and by looking up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.finite.draw import (
    ONE,
    chances,
    cut,
    drawn,
    looked_up,
    padded,
    thresholds,
    units,
)
from tests.envs.finite.own import dice


def rows_of(states):
    """Rows of many kinds, `[R, M]` float32: uniform, with zeros, sharp, certain."""
    random = np.random.default_rng(3)
    uniform = random.uniform(size=(4, states)) + 1e-9
    some = uniform * (random.uniform(size=(4, states)) < 0.3) + np.eye(states)[:1]
    rows = np.concatenate([uniform, some, uniform**20 + 1e-300, np.eye(states)])
    return np.float32(rows / rows.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("states", [1, 2, 3, 7, 17, 100])
def test_the_next_state_is_found_exactly(states):
    """Around every threshold and at both ends, and each state's piece is as long as probable."""
    rows = rows_of(states)
    marks = thresholds(rows)
    ends = np.broadcast_to(np.int32([0, 1, ONE - 1]), (len(rows), 3))
    numbers = np.clip(np.concatenate([marks - 1, marks, marks + 1, ends], axis=1), 0, ONE - 1)
    pairs = zip(marks, numbers, strict=True)
    expected = np.stack([np.searchsorted(row, here, side="right") for row, here in pairs])

    walked = jax.jit(jax.vmap(jax.vmap(drawn, (None, 0))))(rows, numbers)
    where = np.repeat(np.arange(len(rows), dtype=np.int32), numbers.shape[1])
    found = jax.jit(looked_up)(cut(padded(marks), states), where, numbers.ravel())
    np.testing.assert_array_equal(walked, expected)
    np.testing.assert_array_equal(found, expected.ravel())
    assert np.all(np.take_along_axis(rows, expected, axis=1) > 0.0)
    np.testing.assert_allclose(np.diff(marks, prepend=0) / ONE, rows, rtol=0, atol=1e-6)


def test_jax_and_numpy_count_alike():
    rows = np.float32(dice(50, 8).transition)
    counted = units(rows)
    np.testing.assert_array_equal(jax.jit(units)(jnp.asarray(rows)), counted)
    assert counted.dtype == np.int32
    np.testing.assert_allclose(counted.sum(axis=-1), ONE, rtol=1e-6)


def test_chances_are_uniform_and_below_one():
    numbers = np.asarray(chances(jax.random.key(0), (100_000,)))
    assert numbers.dtype == np.int32 and numbers.min() >= 0 and numbers.max() < ONE
    counts = np.bincount(numbers >> 26, minlength=16)
    assert np.sum((counts - 6250) ** 2 / 6250) < 37.7  # chi-square, 15 degrees, p = 0.001
