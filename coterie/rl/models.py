"""Small neural networks for one agent: dense layers, with or without a recurrent cell."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.rl.distributions import (
    Categorical,
    Distribution,
    Gaussian,
    MultiCategorical,
    TanhNormal,
)
from coterie.types import Observation, Space

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "leaky_relu": jax.nn.leaky_relu,
}

SMALL = 2**13
"""Numbers in a step of a sequence, of an agent, up to which it costs less than a loop's turn."""

RecurrentState = Float[Array, "*batch H"] | tuple[()]


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
        return x @ self.weight + self.bias


class Shape(NamedTuple):
    """What a network takes in, and the layers that lead to its head.

    inputs:   how many numbers it takes in; how many different ones if they are `numbered`.
    hidden_sizes: the widths of the dense layers. Without any the head is all there is, and on
                  numbered
              observations its weights `[M, A]` are a table.
    recurrent: whether a gated recurrent unit, as wide as the last layer, comes after them.
    numbered: it takes in one number that says which observation this is.
    """

    inputs: int
    hidden_sizes: tuple[int, ...]
    activation: str
    recurrent: bool
    numbered: bool = False

    @staticmethod
    def of(spec: Any, hidden_sizes: tuple[int, ...], activation: str, recurrent: bool) -> "Shape":
        """The shape for the observations of an `AgentSpec`, or of whatever describes them alike."""
        inputs = spec.states or spec.observation
        return Shape(inputs, hidden_sizes, activation, recurrent, spec.states > 0)

    def head(self, key: Key[Array, ""], outputs: int, gain: float) -> Dense:
        """A fresh last layer."""
        if self.hidden_sizes:
            return Dense.init(key, self.hidden_sizes[-1], outputs, gain)
        return Dense.init(key, self.inputs, outputs, gain, self.numbered)


class Body(eqx.Module):
    """Dense layers and, for partial observability, a gated recurrent unit after them.

    What it remembers of an episode is its `memory`: the unit's hidden state, zero at the start of
    an episode, or `()` without a unit.
    """

    layers: tuple[Dense, ...]
    cell: eqx.nn.GRUCell | None
    activation: str = eqx.field(static=True)

    @staticmethod
    def init(key: Key[Array, ""], shape: Shape) -> "Body":
        """Fresh layers."""
        hidden = shape.hidden_sizes
        keys = jax.random.split(key, len(hidden) + 1)
        sizes = zip(keys[1:], (shape.inputs, *hidden[:-1]), hidden, strict=bool(hidden))
        layers = tuple(
            Dense.init(k, inputs, outputs, 2.0**0.5, shape.numbered and place == 0)
            for place, (k, inputs, outputs) in enumerate(sizes)
        )
        cell = eqx.nn.GRUCell(hidden[-1], hidden[-1], key=keys[0]) if shape.recurrent else None
        return Body(layers, cell, shape.activation)

    def start(self) -> RecurrentState:
        """The memory at the start of an episode."""
        return () if self.cell is None else jnp.zeros(self.cell.hidden_size)

    def step(
        self, x: Float[Array, "*batch I"], memory: RecurrentState
    ) -> tuple[Float[Array, "*batch H"], RecurrentState]:
        """The features of one step, and the memory after it."""
        features = self._dense(x)
        if self.cell is None:
            return features, memory
        hidden = _next(self.cell, features, jnp.asarray(memory))
        return hidden, hidden

    def sequence(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> Float[Array, "T *batch H"]:
        """The features of a stream that starts with `memory` and forgets after `over`."""
        features = self._dense(x)
        return features if self.cell is None else self._remembered(features, memory, over)[1]

    def end(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> RecurrentState:
        """The memory after a stream that starts with `memory` and forgets after `over`."""
        return () if self.cell is None else self._remembered(self._dense(x), memory, over)[0]

    def _remembered(
        self,
        features: Float[Array, "T *batch H"],
        memory: RecurrentState,
        over: Bool[Array, "T *batch"],
    ) -> tuple[Float[Array, "*batch H"], Float[Array, "T *batch H"]]:
        """The unit's state after a stream, and after each of its steps before it forgets."""
        cell = self.cell
        assert cell is not None

        def advance(hidden: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            inputs, over_t = step
            hidden = _next(cell, inputs, hidden)
            return jnp.where(over_t[..., None], 0.0, hidden), hidden

        # A small step takes no longer than the loop round it: several at a time. Of a large one XLA
        # would work out parts twice, for the next and for the product after it.
        together = 5 if features[0].size < SMALL else 1
        return jax.lax.scan(advance, jnp.asarray(memory), (features, over), unroll=together)

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
    depend on the observation; for discrete spaces `log_std` is `None`. A squashed policy has a
    second head in its place: deviations that depend on the observation, within two bounds.

    several: how many actions there are for each choice, if several are made at once.
    """

    body: Body
    head: Dense
    log_std: Float[Array, " D"] | Dense | None
    deviations: tuple[float, float] | None = eqx.field(static=True, default=None)
    several: tuple[int, ...] = eqx.field(static=True, default=())

    @staticmethod
    def init(keys: Key[Array, "2"], shape: Shape, space: Space, gain: float = 0.01) -> "Policy":
        """A policy that starts out close to uniform (or to the standard normal)."""
        log_std = jnp.zeros(space.size) if space.continuous else None
        head = shape.head(keys[1], space.size, gain)
        return Policy(Body.init(keys[0], shape), head, log_std, several=space.each)

    @staticmethod
    def squashed(
        keys: Key[Array, "2"], shape: Shape, space: Space, deviations: tuple[float, float]
    ) -> "Policy":
        """A policy of actions `tanh(mean + deviation xi)`, `xi` normal (Haarnoja et al. 2018).

        deviations: the least and the largest; it starts at their geometric mean. Between them their
                    logarithm follows a `tanh` of the second head, so that no gradient is cut off.
        """
        plain = Policy.init(keys, shape, space)
        second = shape.head(jax.random.fold_in(keys[1], 1), space.size, 0.01)
        return dataclasses.replace(plain, log_std=second, deviations=deviations)

    @staticmethod
    def tabular(logits: Float[Array, "M A"]) -> "Policy":
        """The policy on `M` numbered observations with these unnormalised log-probabilities.

        >>> table = jnp.log(jnp.array([[0.25, 0.75], [1.0, 1.0]]))
        >>> policy, view = Policy.tabular(table), Observation(jnp.array([0.0]))
        >>> round(float(jnp.exp(policy.distribution(view).log_prob(jnp.array(1)))), 3)
        0.75
        """
        head = Dense(logits, jnp.zeros(logits.shape[-1]), numbered=True)
        return Policy(Body((), None, "tanh"), head, None)

    def distribution(self, view: Observation, memory: RecurrentState = ()) -> Distribution:
        """The distribution over actions, given what is remembered, if anything."""
        return self.step(view, memory)[0]

    def step(
        self, view: Observation, memory: RecurrentState
    ) -> tuple[Distribution, RecurrentState]:
        """The distribution over actions, and what is remembered after it."""
        features, memory = self.body.step(view.observation, memory)
        return self.choices(features, view), memory

    def choices(self, features: Float[Array, "*batch H"], view: Observation) -> Distribution:
        """The distribution over actions, given the body's features of `view`."""
        output = self.head(features)
        if self.several:
            return MultiCategorical.of(output, self.several, view.action_mask)
        if self.log_std is None:
            return Categorical.of(output, view.action_mask)
        if isinstance(self.log_std, Dense):
            low, high = map(math.log, self.deviations or (1.0, 1.0))
            share = 0.5 * (1.0 + jnp.tanh(self.log_std(features)))
            return TanhNormal(Gaussian(output, low + (high - low) * share, view.action_mask))
        return Gaussian(output, jnp.broadcast_to(self.log_std, output.shape), view.action_mask)


class Critic(eqx.Module):
    """A value function: a body and one number."""

    body: Body
    head: Dense

    @staticmethod
    def init(keys: Key[Array, "2"], shape: Shape) -> "Critic":
        """A critic with an orthogonal head."""
        return Critic(Body.init(keys[0], shape), shape.head(keys[1], 1, 1.0))

    def value(self, features: Float[Array, "*batch H"]) -> Float[Array, " *batch"]:
        """The value, given the body's features."""
        return self.head(features)[..., 0]


class ActionCritic(eqx.Module):
    """A value of actions: its first layer adds what it is told of the action to what is seen.

    They have weights of their own, so that both may be padded.
    """

    seen: Dense
    acted: Float[Array, "D H"]
    body: Body
    head: Dense

    @staticmethod
    def init(keys: Key[Array, "2"], shape: Shape, actions: int) -> "ActionCritic":
        """A critic of `actions` numbers; its `shape` needs a hidden layer and no memory."""
        first, *rest = shape.hidden_sizes
        both = Dense.init(keys[0], shape.inputs + actions, first, 2.0**0.5).weight
        seen = Dense(both[: shape.inputs], jnp.zeros(first), shape.numbered)
        later = Shape(first, tuple(rest), shape.activation, False)
        body_key, head_key = jax.random.split(keys[1])
        body = Body.init(body_key, later)
        return ActionCritic(seen, both[shape.inputs :], body, later.head(head_key, 1, 1.0))

    def value(
        self, x: Float[Array, "*batch I"], action: Float[Array, "*batch D"]
    ) -> Float[Array, " *batch"]:
        """The value of an action, given an observation or a state."""
        features = ACTIVATIONS[self.body.activation](self.seen(x) + action @ self.acted)
        return self.head(self.body.step(features, ())[0])[..., 0]


def polyak_update(target: PyTree, model: PyTree, rate: float | Float[Array, ""]) -> PyTree:
    """A target network after one step towards a model: `(1 - rate) target + rate model`.

    >>> float(polyak_update(jnp.array(1.0), jnp.array(3.0), 0.25))
    1.5
    """
    return jax.tree.map(lambda old, new: old + rate * (new - old), target, model)


def _next(
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
