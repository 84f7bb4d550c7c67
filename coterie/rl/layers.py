"""Layers of networks: dense ones, convolutions of grids, normalization, a gated recurrent unit."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Activation = Literal["tanh", "relu", "selu", "leaky_relu"]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "leaky_relu": jax.nn.leaky_relu,
}


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
        if self.numbered:
            # A product is as fast as a look-up here, and its gradient has one order of summation.
            x = jax.nn.one_hot(x[..., 0].astype(int), len(self.weight))
        # On one axis of samples, for with two the gradient's product copies them, transposed.
        rows = x.reshape(-1, x.shape[-1]) if x.ndim > 2 else x
        return (rows @ self.weight).reshape(*x.shape[:-1], len(self.bias)) + self.bias


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
        layout = ("NHWC", "HWIO", "NHWC")
        done = jax.lax.conv_general_dilated(
            x, self.weight, (1, 1), "SAME", dimension_numbers=layout
        )
        return done + self.bias


class LayerNorm(eqx.Module):
    """Features of mean 0 and deviation 1, then scaled and shifted (Ba, Kiros & Hinton 2016)."""

    scale: Float[Array, " H"]
    shift: Float[Array, " H"]

    @staticmethod
    def init(width: int) -> "LayerNorm":
        """A layer that neither scales nor shifts."""
        return LayerNorm(jnp.ones(width), jnp.zeros(width))

    def __call__(self, x: Float[Array, "*batch H"]) -> Float[Array, "*batch H"]:
        middle = x - jnp.mean(x, axis=-1, keepdims=True)
        square = jnp.mean(middle**2, axis=-1, keepdims=True)
        return middle * jax.lax.rsqrt(square + 1e-5) * self.scale + self.shift


def gated(
    cell: eqx.nn.GRUCell, x: Float[Array, "*batch I"], hidden: Float[Array, "*batch H"]
) -> Float[Array, "*batch H"]:
    """A gated unit's next state: the cell's own formula, with samples first in all products.

    Mapped over samples the cell puts them last, and every gate has to be transposed.
    """
    told = jnp.split(x @ cell.weight_ih.T + jnp.asarray(cell.bias), 3, axis=-1)
    kept = jnp.split(hidden @ cell.weight_hh.T, 3, axis=-1)
    reset, update = jax.nn.sigmoid(told[0] + kept[0]), jax.nn.sigmoid(told[1] + kept[1])
    new = jnp.tanh(told[2] + reset * (kept[2] + jnp.asarray(cell.bias_n)))
    return new + update * (hidden - new)
