"""Bodies of networks, which turn observations into features and may have a memory."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from coterie.rl import forward
from coterie.rl.layers import JAX, Convolution, Dense, LayerNorm

SMALL = 2**13
"""Numbers in a step of a sequence, of an agent, up to which it costs less than a loop's turn."""

RecurrentState = Float[Array, "*batch H"] | tuple[()]


class Body(eqx.Module):
    """Network from observations to features.

    Its memory of an episode is a `RecurrentState`: an array, the same at the start of every
    episode, or `()` without a memory. A body without a memory defines `width` and `step` alone;
    one with a memory defines all methods.
    """

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """Number of features."""

    @abc.abstractmethod
    def step(
        self, x: Float[Array, "*batch I"], memory: RecurrentState
    ) -> tuple[Float[Array, "*batch H"], RecurrentState]:
        """The features of one step, and the memory after it."""

    @property
    def inner_layers(self) -> list[PyTree]:
        """The layers but for the first one, which meets the inputs; none if it is not known."""
        return []

    def start(self) -> RecurrentState:
        """The memory at the start of an episode."""
        return ()

    def sequence(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> Float[Array, "T *batch H"]:
        """The features of a stream that starts with `memory` and forgets after `over`."""
        return self.step(x, ())[0]

    def end(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> RecurrentState:
        """The memory after a stream that starts with `memory` and forgets after `over`."""
        return ()

    def after(
        self, features: Float[Array, "*batch H"], x: Float[Array, "*batch I"]
    ) -> Float[Array, "*batch H"]:
        """The features of the step that follows the one with these `features`."""
        return self.step(x, ())[0]


class Layers(Body):
    """Convolutions, if any, then dense layers, each with its normalization, if any.

    image: `(H, W, C)`, what the flat observation is to the convolutions.
    norms: one for each dense layer, or none.
    """

    layers: tuple[Dense, ...]
    activation: str = eqx.field(static=True)
    convolutions: tuple[Convolution, ...] = ()
    norms: tuple[LayerNorm, ...] = ()
    image: tuple[int, ...] = eqx.field(static=True, default=())

    @property
    def width(self) -> int:
        return self.layers[-1].bias.shape[-1]

    @property
    def inner_layers(self) -> list[PyTree]:
        first = 0 if self.convolutions else 1
        return [*self.convolutions[1:], *self.layers[first:], *self.norms[first:]]

    def step(
        self, x: Float[Array, "*batch I"], memory: RecurrentState
    ) -> tuple[Float[Array, "*batch H"], RecurrentState]:
        return forward.layers(self, x, JAX), memory


class Gated(Body):
    """A gated recurrent unit on the features of another body (Cho et al. 2014).

    It remembers the unit's hidden state, zero at the start of an episode.
    """

    inner: Layers
    cell: eqx.nn.GRUCell

    @property
    def width(self) -> int:
        """The unit's size."""
        return self.cell.hidden_size

    def start(self) -> RecurrentState:
        return jnp.zeros(self.cell.hidden_size)

    def step(
        self, x: Float[Array, "*batch I"], memory: RecurrentState
    ) -> tuple[Float[Array, "*batch H"], RecurrentState]:
        hidden = forward.gated(self.cell, self.inner.step(x, ())[0], jnp.asarray(memory), JAX)
        return hidden, hidden

    def sequence(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> Float[Array, "T *batch H"]:
        return self._unrolled(x, memory, over)[1]

    def end(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> RecurrentState:
        return self._unrolled(x, memory, over)[0]

    def after(
        self, features: Float[Array, "*batch H"], x: Float[Array, "*batch I"]
    ) -> Float[Array, "*batch H"]:
        return self.step(x, features)[0]

    def _unrolled(
        self, x: Float[Array, "T *batch I"], memory: RecurrentState, over: Bool[Array, "T *batch"]
    ) -> tuple[Float[Array, "*batch H"], Float[Array, "T *batch H"]]:
        """The unit's state after a stream, and after each of its steps before it forgets."""
        features = self.inner.step(x, ())[0]

        def advance(hidden: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            inputs, over_t = step
            hidden = forward.gated(self.cell, inputs, hidden, JAX)
            return jnp.where(over_t[..., None], 0.0, hidden), hidden

        # A small step takes no longer than the loop round it: several at a time. Of a large one XLA
        # would work out parts twice, for the next and for the product after it.
        together = 5 if features[0].size < SMALL else 1
        return jax.lax.scan(advance, jnp.asarray(memory), (features, over), unroll=together)
