"""Means and standardisation over the samples that count."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def mean(
    values: Float[Array, " *batch"], where: Bool[Array, " *batch"] | None = None
) -> Float[Array, ""]:
    """The mean over the samples where `where` holds (all, if it is `None`); 0 if there are none.

    >>> float(mean(jnp.array([1.0, 5.0]), jnp.array([True, False])))
    1.0
    """
    if where is None:
        return jnp.mean(values)
    return jnp.sum(jnp.where(where, values, 0.0)) / jnp.maximum(jnp.sum(where), 1)


def standardize(
    values: Float[Array, " *batch"], where: Bool[Array, " *batch"] | None = None
) -> Float[Array, " *batch"]:
    """Shift and scale to mean 0 and standard deviation 1 over the samples that count.

    >>> standardize(jnp.array([1.0, 3.0])).round(3).tolist()
    [-1.0, 1.0]
    """
    centered = values - mean(values, where)
    return centered / (jnp.sqrt(mean(centered**2, where)) + 1e-8)
