"""Assignments against scipy, on squares of many kinds and sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from coterie.envs.particle.assignment import assign, lowest_total

SIZES = [1, 2, 3, 5, 8, 9, 20]


def squares(size: int) -> np.ndarray:
    """Random, negative, tied, rank-one, constant, nearly forbidden and distances: `[K, N, N]`."""
    random = np.random.default_rng(size)
    uniform = random.uniform(size=(30, size, size))
    normal = random.normal(size=(20, size, size)) * 10 - 30
    ties = random.integers(0, 3, (30, size, size))
    products = random.normal(size=(5, size, 1)) * random.normal(size=(5, 1, size))
    constant = np.stack([np.zeros((size, size)), np.full((size, size), 7.0)])
    forbidden = np.where(uniform[:5] < 0.3, 1e4, uniform[:5])
    a, b = random.uniform(-1, 1, (2, 20, size, 2))
    distances = np.linalg.norm(a[:, :, None] - b[:, None], axis=-1)
    kinds = [uniform, normal, ties, products, constant, forbidden, distances]
    return np.concatenate(kinds).astype(np.float32)


def cost_of(square: np.ndarray, columns: np.ndarray) -> float:
    return float(square[np.arange(len(square)), columns].sum(dtype=np.float64))


@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_scipy(size):
    batch = squares(size)
    totals = jax.jit(jax.vmap(lowest_total))(batch)
    columns = np.asarray(jax.jit(jax.vmap(assign))(batch))
    best = [cost_of(square, linear_sum_assignment(square)[1]) for square in batch]
    ours = [cost_of(square, column) for square, column in zip(batch, columns, strict=True)]
    np.testing.assert_array_equal(
        np.sort(columns, axis=1), np.tile(np.arange(size), (len(batch), 1))
    )
    np.testing.assert_allclose(ours, best, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(totals, best, rtol=1e-6, atol=1e-5)


def test_a_single_cheapest_choice_is_found():
    order = np.random.default_rng(0).permutation(9)
    square = 1.0 - np.eye(9, dtype=np.float32)[order]
    np.testing.assert_array_equal(assign(jnp.asarray(square)), order)
    assert float(lowest_total(jnp.asarray(square))) == 0.0


@pytest.mark.parametrize("size", [4, 9])
def test_not_a_number_does_not_hang(size):
    assert np.isnan(lowest_total(jnp.full((size, size), jnp.nan)))
