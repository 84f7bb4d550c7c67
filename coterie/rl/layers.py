"""Layers of networks: dense ones, convolutions of grids, normalization."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from coterie.rl import forward

Activation = Literal["tanh", "relu", "selu", "leaky_relu"]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "leaky_relu": jax.nn.leaky_relu,
}


def _convolve(images: Array, weight: Array | np.ndarray) -> Array:
    layout, kernel = ("NHWC", "HWIO", "NHWC"), jnp.asarray(weight)
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=layout)


JAX = forward.Ops(
    ACTIVATIONS,
    sigmoid=jax.nn.sigmoid,
    tanh=jnp.tanh,
    rsqrt=jax.lax.rsqrt,
    mean=lambda x: jnp.mean(x, axis=-1, keepdims=True),
    thirds=lambda x: jnp.split(x, 3, axis=-1),
    one_hot=jax.nn.one_hot,
    convolve=_convolve,
    clip=jnp.clip,
)
"""The functions of JAX that the formulas of networks are written in."""


class Dense(eqx.Module):
    """`x W + b`, orthogonal `W` scaled by `gain`, `b = 0`.

    numbered: `x` is one number, which picks a row of `W`; a vector of zeros and a one in its place.
    """

    weight: Float[Array, "I O"]
    bias: Float[Array, " O"]
    numbered: bool = eqx.field(static=True, default=False)

    @staticmethod
    def init(
        key: Key[Array, ""], inputs: int, outputs: int, gain: float, numbered: bool = False
    ) -> "Dense":
        """A fresh layer."""
        weight = jax.nn.initializers.orthogonal(gain)(key, (inputs, outputs), jnp.float32)
        return Dense(weight, jnp.zeros(outputs), numbered)

    def __call__(self, x: Float[Array, "*batch _"]) -> Float[Array, "*batch O"]:
        return forward.dense(self, x, JAX)


class Convolution(eqx.Module):
    """A convolution of images `[H, W, I]` to `[H, W, O]`, with zeros beyond their edges."""

    weight: Float[Array, "K K I O"]
    bias: Float[Array, " O"]

    @staticmethod
    def init(key: Key[Array, ""], kernel: int, inputs: int, outputs: int) -> "Convolution":
        """A fresh layer: orthogonal where the kernel is one matrix, scaled for rectifiers."""
        dense = Dense.init(key, kernel * kernel * inputs, outputs, 2.0**0.5)
        return Convolution(dense.weight.reshape(kernel, kernel, inputs, outputs), dense.bias)

    def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B H W O"]:
        return forward.convolution(self, x, JAX)


class LayerNorm(eqx.Module):
    """Features of mean 0 and deviation 1, then scaled and shifted (Ba, Kiros & Hinton 2016)."""

    scale: Float[Array, " H"]
    shift: Float[Array, " H"]

    @staticmethod
    def init(width: int) -> "LayerNorm":
        """A layer that neither scales nor shifts."""
        return LayerNorm(jnp.ones(width), jnp.zeros(width))

    def __call__(self, x: Float[Array, "*batch H"]) -> Float[Array, "*batch H"]:
        return forward.layer_norm(self, x, JAX)
