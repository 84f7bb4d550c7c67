"""Optimisers for models that learn at different rates, or at one with other agents."""

from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from coterie.rl.scaling import of_learned


def clipped_adams(
    rates: Mapping[str, float], labels: PyTree, max_grad_norm: float, eps: float = 1e-8
) -> optax.GradientTransformation:
    """An Adam for each label, with its own rate and its own norm of the gradient, at most `clip`.

    labels: a prefix of the parameters' tree that says whose each part is.

    >>> import jax.numpy as jnp
    >>> rule = clipped_adams({"slow": 0.1, "fast": 1.0}, ("slow", "fast"), max_grad_norm=1.0)
    >>> one = jnp.ones(())
    >>> change, _ = rule.update((one, one), rule.init((one, one)))
    >>> [round(float(x), 3) for x in change]
    [-0.1, -1.0]
    """
    rules: dict[Hashable, Any] = {
        label: optax.chain(optax.clip_by_global_norm(max_grad_norm), optax.adam(rate, eps=eps))
        for label, rate in rates.items()
    }
    return of_learned(optax.partition(rules, labels))


def scales(optimizer: PyTree) -> PyTree:
    """The mean square of the gradients of each array, `[]` each, from the state of an Adam.

    `None` from the state of an optimiser that keeps no second moments.

    >>> rule = optax.adam(0.1)
    >>> _, state = rule.update(jnp.array([1.0, 7.0]), rule.init(jnp.zeros(2)))
    >>> round(float(scales(state)), 4)
    0.025
    """
    return jax.tree.map(jnp.mean, optax.tree.get(optimizer, "nu"))


def rescaled(optimizer: PyTree, scales: PyTree) -> PyTree:
    """The state of an Adam whose second moments are these, one for all numbers of an array.

    Agents who take the same scales divide their gradients by the same, but for what they add before
    they next exchange them: 1 / 1000 of a square, more while the moments are young. An average may
    be below 0 by what a channel did to it; it then counts as 0.
    """
    if scales is None:
        return optimizer
    moments = jax.tree.map(
        lambda old, scale: jnp.full_like(old, jnp.maximum(scale, 0.0)),
        optax.tree.get(optimizer, "nu"),
        scales,
    )
    return optax.tree.set(optimizer, nu=moments)
