"""One round of exchange as one agent sees it, and the chances that both ends of a link agree on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from coterie.internal.count import Count


class Round(NamedTuple):
    """A round of exchange.

    key:       random, the same for everybody and for all rounds.
    clock:     the number of the round, in 64 bits: `clock % n`, `clock.between(first, last)`.
    index:     which agent this is.
    neighbour: its neighbours' indices, `[K]`.
    size:      how many agents there are.
    """

    key: Key[Array, ""]
    clock: Count
    index: Int[Array, ""]
    neighbor: Int[Array, " K"]
    size: int

    @property
    def link(self) -> Int[Array, " K"]:
        """A number for each link, the same at both ends."""
        ends = jnp.minimum(self.index, self.neighbor), jnp.maximum(self.index, self.neighbor)
        return ends[0] * self.size + ends[1]

    @property
    def now(self) -> Key[Array, ""]:
        """A key of this round, the same for everybody; keys repeat after 2^32 rounds."""
        return jax.random.fold_in(self.key, self.clock.low)

    @property
    def own(self) -> Key[Array, ""]:
        """A key of this round and this agent."""
        return jax.random.fold_in(self.now, self.size**2 + self.index)

    def number(self, below: int) -> Int[Array, ""]:
        """A random number of this round, the same for everybody."""
        return jax.random.randint(jax.random.fold_in(self.now, 2 * self.size**2), (), 0, below)

    def chances(self, period: Int[Array, "*K"] | None = None) -> Float[Array, " K"]:
        """A chance in [0, 1) for each link in this round, or in a `period` of rounds.

        A pure function of the key, the round and the link: both ends find the same.
        """
        keys = jnp.broadcast_to(self.now, self.neighbor.shape)
        if period is not None:
            keys = jax.vmap(jax.random.fold_in, (None, 0))(self.key, period)
        return jax.vmap(lambda key, link: jax.random.uniform(jax.random.fold_in(key, link)))(
            keys, self.link
        )
