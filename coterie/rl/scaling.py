"""Scales of a network's inputs: running moments of what an agent sees, which no gradient moves.

A scale is a part of the network that it stands before, so that replay memories keep what was seen
as it was, and a policy takes its scale along wherever it is deployed. Optimizers and averages over
the team leave it out (`learned`); whoever trains the network sets it (`with_moments`).
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PyTree

from coterie.rl import forward
from coterie.rl.bodies import Body, RecurrentState
from coterie.rl.layers import JAX

Source = Literal["observation", "state"]
"""Kinds of inputs that are normalized: the own observation, and the global state."""


class Moments(NamedTuple):
    """Running moments of numbers `[F]`, by how many samples they were formed."""

    count: Float[Array, ""]
    mean: Float[Array, " *F"]
    variance: Float[Array, " *F"]

    @staticmethod
    def none(*shape: int) -> "Moments":
        """Moments of no sample."""
        return Moments(jnp.zeros(()), jnp.zeros(shape), jnp.zeros(shape))

    def joined(
        self, samples: Float[Array, "..."], counts: Bool[Array, " *batch"] | None = None
    ) -> "Moments":
        """Moments of these samples, too (Chan, Golub & LeVeque 1979), or of those that count.

        >>> both = Moments.none(1).joined(jnp.array([[1.0], [2.0]])).joined(jnp.array([[6.0]]))
        >>> [round(float(x[0]), 3) for x in both[1:]]
        [3.0, 4.667]
        """
        axes = tuple(range(samples.ndim - self.mean.ndim))
        there = jnp.ones(samples.shape[: len(axes)]) if counts is None else counts.astype(float)
        weight = there.reshape(there.shape + (1,) * self.mean.ndim)
        new = jnp.sum(there)
        mean = jnp.sum(weight * samples, axes) / jnp.maximum(new, 1.0)
        square = jnp.sum(weight * (samples - mean) ** 2, axes)
        total = jnp.maximum(self.count + new, 1.0)
        step, share = mean - self.mean, new / total
        return Moments(
            self.count + new,
            self.mean + share * step,
            (self.count * self.variance + square) / total + (1.0 - share) * share * step**2,
        )

    @property
    def deviation(self) -> Float[Array, " *F"]:
        """Standard deviation; 1 of what is as good as constant, or was never seen."""
        found = jnp.sqrt(self.variance)
        return jnp.where(found > 1e-6 + 1e-4 * jnp.abs(self.mean), found, 1.0)


class InputScale(eqx.Module):
    """Shift and factor of a network's first inputs, which are then cut at `forward.CLIP`.

    Inputs beyond them are actions, which have a scale of their own.

    source: what the inputs are, whose moments they are normalized by.
    """

    shift: Float[Array, " F"]
    factor: Float[Array, " F"]
    source: Source = eqx.field(static=True)

    @staticmethod
    def fresh(size: int, source: Source) -> "InputScale":
        """A scale that changes nothing yet, but for what lies beyond the cut."""
        return InputScale(jnp.zeros(size), jnp.ones(size), source)

    def __call__(self, x: Float[Array, "*batch I"]) -> Float[Array, "*batch I"]:
        fixed: InputScale = jax.lax.stop_gradient(self)
        size = self.shift.shape[-1]
        seen = forward.normalized(fixed, x[..., :size], JAX)
        return seen if x.shape[-1] == size else jnp.concatenate([seen, x[..., size:]], axis=-1)


class Normalized(Body):
    """A body that sees normalized inputs."""

    scale: InputScale
    inner: Body

    @property
    def width(self) -> int:
        return self.inner.width

    @property
    def inner_layers(self) -> list[PyTree]:
        return self.inner.inner_layers

    def start(self) -> RecurrentState:
        return self.inner.start()

    def step(
        self, x: Float[Array, "*batch I"], memory: RecurrentState
    ) -> tuple[Float[Array, "*batch H"], RecurrentState]:
        return self.inner.step(self.scale(x), memory)

    def sequence(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> Float[Array, "T *batch H"]:
        return self.inner.sequence(self.scale(x), memory, over)

    def end(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> RecurrentState:
        return self.inner.end(self.scale(x), memory, over)

    def after(
        self, features: Float[Array, "*batch H"], x: Float[Array, "*batch I"]
    ) -> Float[Array, "*batch H"]:
        return self.inner.after(features, self.scale(x))


def learned(models: PyTree) -> PyTree:
    """The numbers of models that are learned: all but their scales, where `None` stands.

    >>> learned(InputScale.fresh(2, "state")).shift is None
    True
    """
    return _split(models, scales=False)


def scales(models: PyTree) -> PyTree:
    """The numbers of the scales of models, and `None` where others are."""
    return _split(models, scales=True)


def _split(models: PyTree, scales: bool) -> PyTree:
    def part(node: PyTree) -> PyTree:
        kept = isinstance(node, InputScale) == scales
        return node if kept else jax.tree.map(lambda _: None, node)

    return jax.tree.map(part, models, is_leaf=lambda node: isinstance(node, InputScale))


def with_moments(models: PyTree, moments: Mapping[str, Moments]) -> PyTree:
    """Models whose scales are those of these moments."""

    def scaled(node: PyTree) -> PyTree:
        if not isinstance(node, InputScale) or node.shift is None or node.source not in moments:
            return node
        found = moments[node.source]
        return InputScale(found.mean, 1.0 / found.deviation, node.source)

    return jax.tree.map(scaled, models, is_leaf=lambda node: isinstance(node, InputScale))


def of_learned(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """An optimizer that knows only what is learned."""

    def init(params: PyTree) -> PyTree:
        return rule.init(learned(params))

    def update(updates: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        return rule.update(learned(updates), state, None if params is None else learned(params))

    return optax.GradientTransformation(init, update)
