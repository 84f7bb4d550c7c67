"""Formulas of networks, written once for JAX, which trains them, and NumPy, which deploys them.

A layer is anything with the attributes that its formula reads; `Ops` holds what the libraries call
differently. JAX is not imported here.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Unary = Callable[[Any], Any]

CLIP = 10.0
"""Deviations at which normalized inputs are cut."""


class Ops(NamedTuple):
    """A library's functions, on arrays `[..., F]`.

    activations: non-linearities by their names.
    sigmoid, tanh, rsqrt: one number at a time; `rsqrt` is `1 / sqrt(x)`.
    mean:     over the last axis, which stays with length 1.
    thirds:   three parts of the last axis.
    one_hot:  `(x, n)`: numbers `x` as vectors of zeros and a one, `[..., n]`.
    convolve: `(images, weight)`: `[B, H, W, I]` with `[K, K, I, O]`, zeros beyond the edges.
    clip:     `(x, low, high)`.
    """

    activations: Mapping[str, Unary]
    sigmoid: Unary
    tanh: Unary
    rsqrt: Unary
    mean: Unary
    thirds: Unary
    one_hot: Callable[[Any, int], Any]
    convolve: Callable[[Any, Any], Any]
    clip: Callable[[Any, float, float], Any]


def normalized(scale: Any, x: Any, ops: Ops) -> Any:
    """Inputs in deviations from their mean, cut at `CLIP`."""
    return ops.clip((x - scale.shift) * scale.factor, -CLIP, CLIP)


def dense(layer: Any, x: Any, ops: Ops) -> Any:
    """`x W + b`; of a numbered layer `x` is one number, which picks a row of `W`."""
    if layer.numbered:
        # A product is as fast as a look-up here, and its gradient has one order of summation.
        x = ops.one_hot(x[..., 0].astype(int), len(layer.weight))
    if x.ndim <= 2:
        return x @ layer.weight + layer.bias
    # On one axis of samples, for with two the gradient's product copies them, transposed.
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return (rows @ layer.weight).reshape(*x.shape[:-1], len(layer.bias)) + layer.bias


def convolution(layer: Any, x: Any, ops: Ops) -> Any:
    """A convolution of images `[B, H, W, I]` to `[B, H, W, O]`."""
    return ops.convolve(x, layer.weight) + layer.bias


def layer_norm(layer: Any, x: Any, ops: Ops) -> Any:
    """Features of mean 0 and deviation 1, then scaled and shifted."""
    middle = x - ops.mean(x)
    return middle * ops.rsqrt(ops.mean(middle**2) + 1e-5) * layer.scale + layer.shift


def layers(body: Any, x: Any, ops: Ops) -> Any:
    """Features of convolutions, if any, then of dense layers, each with its norm, if any."""
    active = ops.activations[body.activation]
    if body.convolutions:
        images = x.reshape(-1, *body.image)
        for layer in body.convolutions:
            images = active(convolution(layer, images, ops))
        x = images.reshape(*x.shape[:-1], -1)
    for place, layer in enumerate(body.layers):
        x = dense(layer, x, ops)
        x = active(layer_norm(body.norms[place], x, ops) if body.norms else x)
    return x


def gated(cell: Any, x: Any, hidden: Any, ops: Ops) -> Any:
    """A gated unit's next state: the cell's own formula, with samples first in all products.

    Mapped over samples the cell puts them last, and every gate has to be transposed.
    """
    told = ops.thirds(x @ cell.weight_ih.T + cell.bias)
    kept = ops.thirds(hidden @ cell.weight_hh.T)
    reset, update = ops.sigmoid(told[0] + kept[0]), ops.sigmoid(told[1] + kept[1])
    new = ops.tanh(told[2] + reset * (kept[2] + cell.bias_n))
    return new + update * (hidden - new)


def log_deviation(second: Any, features: Any, bounds: tuple[float, float], ops: Ops) -> Any:
    """The logarithm of a squashed policy's deviations, by its second head, within their bounds."""
    low, high = map(math.log, bounds)
    return low + (high - low) * (0.5 * (1.0 + ops.tanh(dense(second, features, ops))))


def _convolve(images: np.ndarray, weight: np.ndarray) -> np.ndarray:
    kernel = len(weight)
    before = (kernel - 1) // 2
    edges = (before, kernel - 1 - before)
    padded = np.pad(images, ((0, 0), edges, edges, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))  # type: ignore[call-overload]
    return np.tensordot(windows, weight, axes=([4, 5, 3], [0, 1, 2]))


def _selu(x: np.ndarray) -> np.ndarray:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.where(x > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0)))


NUMPY = Ops(
    {
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0.0),
        "selu": _selu,
        "leaky_relu": lambda x: np.where(x >= 0.0, x, 0.01 * x),
    },
    sigmoid=lambda x: 0.5 + 0.5 * np.tanh(0.5 * x),
    tanh=np.tanh,
    rsqrt=lambda x: 1.0 / np.sqrt(x),
    mean=lambda x: x.mean(axis=-1, keepdims=True),
    thirds=lambda x: np.split(x, 3, axis=-1),
    one_hot=lambda x, n: (x[..., None] == np.arange(n)).astype(np.float32),
    convolve=_convolve,
    clip=np.clip,
)
