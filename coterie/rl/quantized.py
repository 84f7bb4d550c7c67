"""Observations in a byte for each number, where all their numbers are multiples of one step."""

from typing import TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, UInt8

from coterie.types import Observation


class Quantized(eqx.Module):
    """Numbers that are multiples of a step, from 0 to 255 of them, in a byte each; others become
    the nearest that are.

    >>> Quantized.of(jnp.array([0.0, 0.5, 0.82000005]), 0.01).numbers.tolist() == [
    ...     0.0, 0.5, float(jnp.float32(0.82))
    ... ]
    True
    """

    codes: UInt8[Array, "*batch"]
    step: float = eqx.field(static=True)

    @staticmethod
    def of(x: Float[Array, "*batch"], step: float) -> "Quantized":
        """The nearest multiples."""
        return Quantized(jnp.clip(jnp.round(x / step), 0.0, 255.0).astype(jnp.uint8), step)

    @property
    def numbers(self) -> Float[Array, "*batch"]:
        """Numbers that the bytes stand for."""
        return self.codes.astype(jnp.float32) * self.step


def compact(tree: PyTree, step: float) -> PyTree:
    """A tree whose observations are `Quantized`; the same tree if there is no step."""

    def one(node: object) -> object:
        if not isinstance(node, Observation):
            return node
        return node._replace(observation=Quantized.of(node.observation, step))  # type: ignore[arg-type]

    return jax.tree.map(one, tree, is_leaf=_is_observation) if step > 0.0 else tree


def expanded(tree: PyTree) -> PyTree:
    """A tree with numbers again."""
    return jax.tree.map(lambda x: x.numbers if is_quantized(x) else x, tree, is_leaf=is_quantized)


def is_quantized(node: object) -> TypeGuard[Quantized]:
    """True for what `compact` has made."""
    return isinstance(node, Quantized)


def _is_observation(node: object) -> bool:
    return isinstance(node, Observation)
