"""Small neural networks for one agent: dense layers, with or without a recurrent cell."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from coterie.rl.distributions import Categorical, Distribution, Gaussian
from coterie.types import Box, Space, View

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "leaky_relu": jax.nn.leaky_relu,
}

Memory = Float[Array, "*batch H"] | tuple[()]


class Dense(eqx.Module):
    """`x W + b`, orthogonal `W` scaled by `gain`, `b = 0`."""

    weight: Float[Array, "I O"]
    bias: Float[Array, " O"]

    @staticmethod
    def init(key: Key[Array, ""], inputs: int, outputs: int, gain: float) -> "Dense":
        """A fresh layer."""
        weight = jax.nn.initializers.orthogonal(gain)(key, (inputs, outputs), jnp.float32)
        return Dense(weight, jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "*batch I"]) -> Float[Array, "*batch O"]:
        return x @ self.weight + self.bias


class Body(eqx.Module):
    """Dense layers and, for partial observability, a gated recurrent unit after them.

    What it remembers of an episode is its `memory`: the unit's hidden state, zero at the start of
    an episode, or `()` without a unit.
    """

    layers: tuple[Dense, ...]
    cell: eqx.nn.GRUCell | None
    activation: str = eqx.field(static=True)

    @staticmethod
    def init(
        key: Key[Array, ""], inputs: int, hidden: tuple[int, ...], activation: str, recurrent: bool
    ) -> "Body":
        """Fresh layers of the given widths; the recurrent unit is as wide as the last."""
        keys = jax.random.split(key, len(hidden) + 1)
        sizes = zip(keys[1:], (inputs, *hidden[:-1]), hidden, strict=True)
        layers = tuple(Dense.init(k, i, o, 2.0**0.5) for k, i, o in sizes)
        cell = eqx.nn.GRUCell(hidden[-1], hidden[-1], key=keys[0]) if recurrent else None
        return Body(layers, cell, activation)

    def start(self) -> Memory:
        """The memory at the start of an episode."""
        return () if self.cell is None else jnp.zeros(self.cell.hidden_size)

    def step(
        self, x: Float[Array, "*batch I"], memory: Memory
    ) -> tuple[Float[Array, "*batch H"], Memory]:
        """The features of one step, and the memory after it."""
        features = self._dense(x)
        if self.cell is None:
            return features, memory
        hidden = _batched(self.cell, features.ndim - 1)(features, memory)
        return hidden, hidden

    def sequence(
        self, x: Float[Array, "T *batch I"], memory: Memory, over: Bool[Array, "T *batch"]
    ) -> Float[Array, "T *batch H"]:
        """The features of a stream that starts with `memory` and forgets after `over`."""
        features = self._dense(x)
        if self.cell is None:
            return features
        cell = _batched(self.cell, features.ndim - 2)

        def advance(hidden: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            inputs, over_t = step
            hidden = cell(inputs, hidden)
            return jnp.where(over_t[..., None], 0.0, hidden), hidden

        return jax.lax.scan(advance, jnp.asarray(memory), (features, over))[1]

    def after(
        self, features: Float[Array, "*batch H"], x: Float[Array, "*batch I"]
    ) -> Float[Array, "*batch H"]:
        """The features of the step that follows the one with these `features`."""
        return self.step(x, () if self.cell is None else features)[0]

    def _dense(self, x: Array) -> Array:
        activation = ACTIVATIONS[self.activation]
        for layer in self.layers:
            x = activation(layer(x))
        return x


class Policy(eqx.Module):
    """A stochastic policy: a body and a head for one action space.

    For a `Box` the head gives the means of a Gaussian in normalised units and `log_std` does not
    depend on the observation; for a `Discrete` space `log_std` is `None`.
    """

    body: Body
    head: Dense
    log_std: Float[Array, " D"] | None

    @staticmethod
    def init(key: Key[Array, ""], body: Body, width: int, space: Space) -> "Policy":
        """A policy that starts out close to uniform (or to the standard normal)."""
        log_std = jnp.zeros(space.size) if isinstance(space, Box) else None
        return Policy(body, Dense.init(key, width, space.size, 0.01), log_std)

    def choices(self, features: Float[Array, "*batch H"], view: View) -> Distribution:
        """The distribution over actions, given the body's features of `view`."""
        output = self.head(features)
        if self.log_std is None:
            return Categorical.of(output, view.action_mask)
        return Gaussian(output, jnp.broadcast_to(self.log_std, output.shape), view.action_mask)


class Critic(eqx.Module):
    """A value function: a body and one number."""

    body: Body
    head: Dense

    @staticmethod
    def init(key: Key[Array, ""], body: Body, width: int) -> "Critic":
        """A critic with an orthogonal head."""
        return Critic(body, Dense.init(key, width, 1, 1.0))

    def value(self, features: Float[Array, "*batch H"]) -> Float[Array, " *batch"]:
        """The value, given the body's features."""
        return self.head(features)[..., 0]


def _batched(function: Callable[..., Array], axes: int) -> Callable[..., Array]:
    for _ in range(axes):
        function = jax.vmap(function)
    return function
