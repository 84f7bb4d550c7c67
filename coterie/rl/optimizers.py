"""Optimisers for models that learn at different rates."""

from collections.abc import Hashable, Mapping
from typing import Any

import optax
from jaxtyping import PyTree


def clipped_adams(
    rates: Mapping[str, float], labels: PyTree, clip: float, eps: float = 1e-8
) -> optax.GradientTransformation:
    """An Adam for each label, with its own rate and its own norm of the gradient, at most `clip`.

    labels: a prefix of the parameters' tree that says whose each part is.

    >>> import jax.numpy as jnp
    >>> rule = clipped_adams({"slow": 0.1, "fast": 1.0}, ("slow", "fast"), clip=1.0)
    >>> one = jnp.ones(())
    >>> change, _ = rule.update((one, one), rule.init((one, one)))
    >>> [round(float(x), 3) for x in change]
    [-0.1, -1.0]
    """
    rules: dict[Hashable, Any] = {
        label: optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate, eps=eps))
        for label, rate in rates.items()
    }
    return optax.partition(rules, labels)
