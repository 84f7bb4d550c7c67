"""Importance weights: samples of one distribution that stand for another."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from coterie.rl.masked_stats import mean


def importance(
    log_weight: Float[Array, " *batch"],
    clip: float,
    normalize: bool = False,
    where: Bool[Array, " *batch"] | None = None,
) -> Float[Array, " *batch"]:
    """Weights from their logarithms, which are cut to `[-clip, clip]`.

    normalise: divide by their mean over the samples that count: less variance for some bias.

    >>> importance(jnp.array([0.0, 9.0]), clip=1.0).round(2).tolist()
    [1.0, 2.7200000286102295]
    """
    weight = jnp.exp(jnp.clip(log_weight, -clip, clip))
    return weight / mean(weight, where) if normalize else weight


def clipped_gain(
    ratio: Float[Array, " *batch"], advantage: Float[Array, " *batch"], clip: float
) -> Float[Array, " *batch"]:
    """`min(r A, clip(r, 1 - c, 1 + c) A)` of a ratio of new to old (Schulman et al. 2017, eq. 7).

    >>> clipped_gain(jnp.array([1.5, 0.5]), jnp.array([2.0, -2.0]), 0.25).tolist()
    [2.5, -1.5]
    """
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1.0 - clip, 1.0 + clip) * advantage)


def ess_fraction(
    weight: Float[Array, " *batch"], where: Bool[Array, " *batch"] | None = None
) -> Float[Array, ""]:
    """The effective sample size `(sum w)^2 / sum w^2` (Kish 1965) as a share of the samples.

    >>> round(float(ess_fraction(jnp.array([3.0, 1.0]))), 3)
    0.8
    """
    return mean(weight, where) ** 2 / jnp.maximum(mean(weight**2, where), 1e-12)
