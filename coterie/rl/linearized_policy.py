"""A policy to first order around its parameters, on `M = T G` samples.

A change `x` of the `D` parameters moves the policy's `Q` outputs on all of them by `J x`; to second
order its divergence from the old policy is `x^T H x / 2`, with `H = J^T F J` and `F` Fisher's
metric.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree

from coterie.rl.distributions import Distribution
from coterie.rl.scaling import learned, scales

Heads = tuple[Distribution, ...]
"""Distributions over actions, `[T, G]` each, or `[T, G, ...]` for several agents' at once."""


class LinearizedPolicy(NamedTuple):
    """The policy to first order around the old parameters.

    jvp:    what a change of the parameters does to the outputs, `J x`.
    vjp:    its transpose.
    ratio:  the log ratios that follow from a change of the outputs, `[T, G, N]` for `N` heads.
    score:  its transpose.
    metric: Fisher's, F: the gradient of half a change's squared length, the mean divergence.
    weight: what each sample weighs in a mean, `[T, G, 1]`.
    start:  the old parameters, `[D]`.
    rebuilt: the model that has these parameters.
    at:     given parameters, the log ratios, `[T, G, N]`, and every head's mean divergence.
    damping: what is added to the diagonal of H.
    both: with each neighbour, the samples at which both are in the environment, `[L, T, G, 1]`; and
          for which part of the ties each sample so counts, `shared`; `None` if nobody leaves early.
    """

    jvp: Callable[[Array], Array]
    vjp: Callable[[Array], Array]
    ratio: Callable[[Array], Array]
    score: Callable[[Array], Array]
    metric: Callable[[Array], Array]
    weight: Float[Array, "T G 1"]
    start: Float[Array, " D"]
    rebuilt: Callable[[Array], PyTree]
    at: Callable[[Array], tuple[Array, Array]]
    damping: float
    both: Bool[Array, "L T G 1"] | None = None
    shared: Float[Array, "T G 1"] | None = None

    def held(self, ratio: Float[Array, "T G N"]) -> Float[Array, "T G N"]:
        """Log-ratios, each weighed by the part of the ties for which its sample counts."""
        return ratio if self.shared is None else self.shared * ratio

    def divergence(self, change: Float[Array, " D"], moved: Float[Array, " Q"]) -> Float[Array, ""]:
        """`1/2 x^T (H + damping) x`, given `x` and `J x`."""
        return 0.5 * (self.metric(moved) @ moved + self.damping * change @ change)


def around(
    model: PyTree,
    heads: Callable[[PyTree], Heads],
    log_probs: Callable[[Heads], Float[Array, "T G N"]],
    present: Bool[Array, "T G"] | None,
    damping: float,
) -> LinearizedPolicy:
    """A model to first order.

    heads:     the distributions that a model gives, of actions that were taken, `[T, G, ...]`.
    log_probs: of these actions, for every agent that they are of, `[T, G, N]`.
    """
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    arrays, rest = learned(arrays), eqx.combine(rest, scales(arrays))
    start, unravel = ravel_pytree(arrays)
    now = heads(model)
    outputs, fixed = eqx.partition(now, eqx.is_inexact_array)
    old, whole = ravel_pytree(outputs)

    def rebuilt(parameters: Array) -> PyTree:
        return eqx.combine(unravel(parameters), rest)

    def flat(heads: Heads) -> Array:
        return ravel_pytree(eqx.filter(heads, eqx.is_inexact_array))[0]

    _, push = jax.linearize(lambda x: flat(heads(rebuilt(x))), start)
    said, ratio = jax.linearize(lambda o: log_probs(eqx.combine(whole(o), fixed)), old)
    counts = jnp.ones(said.shape[:2]) if present is None else present.astype(jnp.float32)
    weight = counts / jnp.maximum(jnp.sum(counts), 1.0)

    def weighed(x: Array) -> Array:
        return x * weight.reshape(weight.shape + (1,) * (x.ndim - 2))

    def metric(moved: Array) -> Array:
        bent = map(lambda head, by: head.fisher(by), now, eqx.combine(whole(moved), fixed))
        return flat(jax.tree.map(weighed, eqx.filter(tuple(bent), eqx.is_inexact_array)))

    def at(parameters: Array) -> tuple[Array, Array]:
        new = heads(rebuilt(parameters))
        each = [weighed(a.kl(b)) for a, b in zip(now, new, strict=True)]
        divergence = jnp.concatenate([jnp.sum(x, axis=(0, 1)).reshape(-1) for x in each])
        return log_probs(new) - said, divergence

    return LinearizedPolicy(
        push,
        lambda moved: jax.linear_transpose(push, start)(moved)[0],
        ratio,
        lambda each: jax.linear_transpose(ratio, old)(each)[0],
        metric,
        weight[..., None],
        start,
        rebuilt,
        at,
        damping,
    )
