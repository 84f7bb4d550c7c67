"""One agent's part in agreeing on a vector with each neighbour by asynchronous ADMM.

Two ends of a link want `r = r'`. With `z = C m` and `y = C u`, `C` being 1 at one end and -1 at the
other, the signs cancel from Wei & Ozdaglar's updates: after a meeting both ends hold the same
midpoint `m = (r + r') / 2`, and `u` has moved by `beta (r - r') / 2` at the one and by its negative
at the other. So nothing but `r` needs to be said, and whoever was not heard changes nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from coterie.network import Heard, like


class Ties(NamedTuple):
    """What an agent keeps of its links, for a vector `[...]`.

    pressure: the sum of its multipliers `u`, `[...]`.
    midpoint: with each neighbour, `[K, ...]`; 0 before they first meet.
    """

    pressure: Array
    midpoint: Array

    @staticmethod
    def fresh(places: int, shape: tuple[int, ...]) -> "Ties":
        """Nobody has met yet."""
        return Ties(jnp.zeros(shape), jnp.zeros((places, *shape)))

    def pull(self, penalty: float) -> Array:
        """Where they draw the vector: minus the slope, at 0, of what departures cost."""
        return penalty * jnp.sum(self.midpoint, axis=0) - self.pressure

    def after(self, heard: Heard, penalty: float) -> "Ties":
        """The ties after meeting those that were heard; `penalty` is beta."""
        met = like(heard.mask, self.midpoint)
        half = jnp.where(met, 0.5 * (heard.said - heard.values), 0.0)
        return Ties(
            self.pressure + penalty * jnp.sum(half, axis=0),
            jnp.where(met, heard.said - half, self.midpoint),
        )
