"""The distribution of an agent in a team where some have discrete actions and others continuous."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key


class Hybrid(NamedTuple):
    """One of two distributions over actions, as agents of both kinds share it.

    numbered: True if an action is the number of one, which is then the first of its entries.
    choice:   a `Categorical`.
    vector:   a `Gaussian` of as many entries.
    """

    numbered: Bool[Array, " *batch"]
    choice: Any
    vector: Any

    @property
    def continuous(self) -> bool:
        """True if actions are numbers: as a vector they always are."""
        return True

    @property
    def possible(self) -> "Hybrid":
        """Distribution in which nothing is impossible; see `Categorical.possible`."""
        return Hybrid(self.numbered, self.choice.possible, self.vector.possible)

    def encode(self, action: Float[Array, "*batch D"]) -> Float[Array, "*batch D"]:
        """An action as critics see it: a vector of zeros and a one, or of numbers."""
        return self._vectors(self.choice.encode(_number(action)), self.vector.encode(action))

    def sample(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """Draw one action per element of the batch."""
        return self._vectors(self._alone(self.choice.sample(key)), self.vector.sample(key))

    def mode(self) -> Float[Array, "*batch D"]:
        """The most likely action."""
        return self._vectors(self._alone(self.choice.mode()), self.vector.mode())

    def relaxed(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """A draw that a gradient passes through, as critics see actions."""
        return self._vectors(self.choice.relaxed(key), self.vector.relaxed(key))

    def drawn(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """The draw that `relaxed` softens."""
        return self._vectors(self.choice.drawn(key), self.vector.drawn(key))

    def smoothed(
        self, key: Key[Array, ""], deviation: float, width: float, most: float
    ) -> Float[Array, "*batch D"]:
        """A draw with noise, as critics see actions."""
        told = key, deviation, width, most
        return self._vectors(self.choice.smoothed(*told), self.vector.smoothed(*told))

    def output_l2(self) -> Float[Array, " *batch"]:
        """The mean square of a policy's outputs."""
        return self._either(self.choice.output_l2(), self.vector.output_l2())

    def log_prob(self, action: Float[Array, "*batch D"]) -> Float[Array, " *batch"]:
        """`log pi(a)`, the log of a probability or of a density."""
        choice = self.choice.log_prob(_number(action))
        return self._either(choice, self.vector.log_prob(action))

    def entropy(self) -> Float[Array, " *batch"]:
        """The entropy, or the differential entropy, in nats."""
        return self._either(self.choice.entropy(), self.vector.entropy())

    def kl(self, other: Any) -> Float[Array, " *batch"]:
        """`KL(self || other)` to a distribution of the same agent, in nats."""
        return self._either(self.choice.kl(other.choice), self.vector.kl(other.vector))

    def fisher(self, tangent: "Hybrid") -> "Hybrid":
        """Fisher's metric: the gradient of a small change's divergence, to second order."""
        choice = self.choice.fisher(tangent.choice)
        return Hybrid(self.numbered, choice, self.vector.fisher(tangent.vector))

    def _alone(self, number: Array) -> Float[Array, "*batch D"]:
        """A vector that begins with the number of an action."""
        first = jnp.arange(self.vector.mean.shape[-1]) == 0
        return jnp.where(first, number[..., None].astype(self.vector.mean.dtype), 0.0)

    def _vectors(self, choice: Array, vector: Array) -> Float[Array, "*batch D"]:
        return jnp.where(self.numbered[..., None], choice, vector)

    def _either(self, choice: Array, vector: Array) -> Float[Array, " *batch"]:
        return jnp.where(self.numbered, choice, vector)


def _number(action: Float[Array, "*batch D"]) -> Array:
    return jnp.round(action[..., 0]).astype(jnp.int32)
