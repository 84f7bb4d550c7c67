"""Models: architectures of networks as values, for the policies and critics of any algorithm.

`MLP((64, 64), "tanh")` is a value; `build` makes a body of it, for what one agent sees. A model of
one's own derives from `Model` and builds a `Body` of its own.
"""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from coterie.bounds import AtLeast
from coterie.errors import require
from coterie.internal.parts import Part
from coterie.rl.bodies import Body, Gated, Layers
from coterie.rl.layers import Activation, Convolution, Dense, LayerNorm
from coterie.rl.scaling import InputScale, Normalized
from coterie.rl.widths import Widths


class Inputs(NamedTuple):
    """Inputs of a network.

    size:     how many numbers, flat; how many different ones if it is `numbered`.
    shape:    what they are to a model that looks at images, `(H, W, C)`; `(size,)` for a vector.
    numbered: it is one number that says which observation this is.
    scale:    what normalizes them, if anything does; numbers beyond its size are actions.
    """

    size: int
    shape: tuple[int, ...] = ()
    numbered: bool = False
    scale: InputScale | None = None

    @staticmethod
    def of(spec: Any) -> "Inputs":
        """The own observations of an agent's spec, or of whatever describes them alike."""
        size = spec.states or spec.observation
        scale = InputScale.fresh(size, "observation") if spec.normalized else None
        return Inputs(size, spec.shape, spec.states > 0, scale)

    @staticmethod
    def of_state(spec: Any, actions: int = 0) -> "Inputs":
        """Inputs of a critic of the global state, and of so many numbers of actions."""
        scale = InputScale.fresh(spec.state, "state") if spec.normalized else None
        return Inputs(spec.state + actions, scale=scale)

    @staticmethod
    def of_critic(spec: Any) -> "Inputs":
        """Inputs of a critic: the global state, where it is declared, else the observation."""
        return Inputs.of_state(spec) if spec.state else Inputs.of(spec)


class Fused(NamedTuple):
    """First layers of a critic of actions: features of what is seen, and where actions join them.

    front: a body before the actions come in, if any.
    seen, acted: the layer where both meet; it has weights for each, so that both may be padded.
    body:  what follows.
    activation: the non-linearity after the layer where both meet.
    width: how many features come out in the end.
    """

    front: Body | None
    seen: Dense
    acted: Array
    body: Body
    activation: Activation
    width: int


class Model(Part, abc.ABC):
    """An architecture; derive a frozen dataclass from it for one of your own."""

    @abc.abstractmethod
    def build(self, key: Key[Array, ""], inputs: Inputs) -> Body:
        """A fresh body, for inputs as they are."""

    def body(self, key: Key[Array, ""], inputs: Inputs) -> Body:
        """A fresh body, behind the scale of its inputs, if they have one."""
        body = self.build(key, inputs)
        return body if inputs.scale is None else Normalized(inputs.scale, body)

    @property
    def recurrent(self) -> bool:
        """True if its bodies remember an episode."""
        return False

    def head(
        self, key: Key[Array, ""], inputs: Inputs, body: Body, outputs: int, gain: float
    ) -> Dense:
        """A fresh last layer, for `outputs` numbers."""
        self._require_width(inputs, body)
        return Dense.init(key, body.width, outputs, gain)

    def _require_width(self, inputs: Inputs, body: Body) -> None:
        """Raise `ConfigError` unless a body has as many features as it declares."""
        memory = jax.tree.map(lambda x: x[None], body.start())
        features, _ = jax.eval_shape(body.step, jnp.zeros((1, inputs.size)), memory)
        require(
            features.shape[-1] == body.width,
            f"{type(self).__name__}: step gives {features.shape[-1]} features, but width is "
            f"{body.width}.",
        )

    def fuse(self, keys: Key[Array, "2"], inputs: Inputs, actions: int) -> Fused:
        """The start of a critic of `actions` numbers: here they join the features of a body."""
        front = self.build(keys[0], inputs)
        both = Dense.init(keys[1], front.width + actions, front.width, 2.0**0.5).weight
        seen, acted = Dense(both[: front.width], both[0] * 0.0), both[front.width :]
        return Fused(front, seen, acted, Layers((), "relu"), "relu", front.width)


@dataclass(frozen=True)
class MLP(Model, name="mlp"):
    """Dense layers.

    >>> MLP((8,)).build(jax.random.key(0), Inputs(3)).width
    8
    """

    hidden_sizes: Widths = (64, 64)
    """Widths of the dense layers; without any the head is all there is: a linear function, and of
    numbered observations a table."""
    activation: Activation = "relu"
    """Non-linearity after each dense layer."""
    layer_norm: bool = False
    """Normalize each layer's outputs before the non-linearity (Ba, Kiros & Hinton 2016)."""

    def build(self, key: Key[Array, ""], inputs: Inputs) -> Layers:
        keys = jax.random.split(key, len(self.hidden_sizes) + 1)
        return dense(keys[1:], inputs.size, self, inputs.numbered)

    def head(
        self, key: Key[Array, ""], inputs: Inputs, body: Body, outputs: int, gain: float
    ) -> Dense:
        numbered = inputs.numbered and not self.hidden_sizes
        width = self.hidden_sizes[-1] if self.hidden_sizes else inputs.size
        return Dense.init(key, width, outputs, gain, numbered)

    def fuse(self, keys: Key[Array, "2"], inputs: Inputs, actions: int) -> Fused:
        """The start of a critic of actions: they join what is seen in the first layer."""
        require(
            len(self.hidden_sizes) > 0,
            "this method needs a hidden layer, where action and state come together: try 64 64.",
        )
        first, *rest = self.hidden_sizes
        both = Dense.init(keys[0], inputs.size + actions, first, 2.0**0.5)
        seen = Dense(both.weight[: inputs.size], both.bias, inputs.numbered)
        body = MLP(tuple(rest), self.activation, self.layer_norm).build(keys[1], Inputs(first))
        return Fused(
            None, seen, both.weight[inputs.size :], body, self.activation, self.hidden_sizes[-1]
        )


@dataclass(frozen=True)
class GRU(Model, name="gru"):
    """Dense layers and a gated recurrent unit, as wide as the last of them, for what is hidden."""

    hidden_sizes: Widths = (64, 64)
    """Widths of the dense layers, at least one."""
    activation: Activation = "relu"
    """Non-linearity after each dense layer."""
    layer_norm: bool = False
    """Normalize each layer's outputs before the non-linearity (Ba, Kiros & Hinton 2016)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            len(self.hidden_sizes) > 0,
            "a recurrent unit comes after a dense layer: give hidden_sizes a width, as 64.",
        )

    @property
    def recurrent(self) -> bool:
        return True

    def build(self, key: Key[Array, ""], inputs: Inputs) -> Gated:
        width = self.hidden_sizes[-1]
        cell, *keys = jax.random.split(key, len(self.hidden_sizes) + 1)
        layers = dense(keys, inputs.size, self, inputs.numbered)
        return Gated(layers, eqx.nn.GRUCell(width, width, key=cell))


@dataclass(frozen=True)
class CNN(Model, name="cnn"):
    """Convolutions of an image `[H, W, C]`, as the view of a grid or pixels, then dense layers."""

    channels: Widths = (16, 32)
    """Channels of each convolution; the image keeps its size."""
    kernel: Annotated[int, AtLeast(1)] = 3
    """Height and width of the convolutions' kernels."""
    hidden_sizes: Widths = (64,)
    """Widths of the dense layers after them, at least one."""
    activation: Activation = "relu"
    """Non-linearity after each layer."""
    layer_norm: bool = False
    """Normalize the dense layers' outputs before the non-linearity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.hidden_sizes) > 0, "a cnn needs a dense layer after its convolutions.")

    def build(self, key: Key[Array, ""], inputs: Inputs) -> Layers:
        require(
            len(inputs.shape) == 3,
            f"a cnn looks at images (height, width, channels), not at observations of the shape "
            f"{inputs.shape or (inputs.size,)}: use mlp or gru.",
        )
        height, width, depth = inputs.shape
        first, *keys = jax.random.split(key, len(self.channels) + 1)
        sizes = zip(keys, (depth, *self.channels[:-1]), self.channels, strict=True)
        convolutions = tuple(Convolution.init(k, self.kernel, i, o) for k, i, o in sizes)
        flat = height * width * (depth, *self.channels)[-1]
        layers = dense(jax.random.split(first, len(self.hidden_sizes)), flat, self)
        return replace(layers, convolutions=convolutions, image=inputs.shape)


def dense(keys: Any, inputs: int, model: Any, numbered: bool = False) -> Layers:
    """Fresh dense layers of a model's `hidden_sizes`, `activation` and `layer_norm`."""
    hidden = model.hidden_sizes
    sizes = zip(keys, (inputs, *hidden[:-1]), hidden, strict=bool(hidden))
    layers = tuple(
        Dense.init(key, before, after, 2.0**0.5, numbered and place == 0)
        for place, (key, before, after) in enumerate(sizes)
    )
    norms = tuple(map(LayerNorm.init, hidden)) if model.layer_norm else ()
    return Layers(layers, model.activation, (), norms)
