"""One agent's part in agreeing on a vector with each neighbour by asynchronous ADMM.

Two ends of a link want `r = r'`. With `z = C m` and `y = C u`, `C` being 1 at one end and -1 at the
other, the signs cancel from Wei & Ozdaglar's updates: after a meeting both ends hold the same
midpoint `m = (r + r') / 2`, and `u` has moved by `beta (r - r') / 2` at the one and by its negative
at the other. So nothing but `r` needs to be said, and whoever was not heard changes nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from coterie.network import Inbox, expand_mask


class ADMMState(NamedTuple):
    """What an agent keeps of its links, for a vector `[...]`.

    dual:     the sum of its multipliers `u`, `[...]`.
    edge_average: with each neighbour, `[K, ...]`; 0 before they first meet.
    """

    dual: Array
    edge_average: Array

    @staticmethod
    def fresh(places: int, shape: tuple[int, ...]) -> "ADMMState":
        """Nobody has met yet."""
        return ADMMState(jnp.zeros(shape), jnp.zeros((places, *shape)))

    def pull(self, penalty: float) -> Array:
        """Where they draw the vector: minus the slope, at 0, of what departures cost."""
        return penalty * jnp.sum(self.edge_average, axis=0) - self.dual

    def after(self, heard: Inbox, penalty: float) -> "ADMMState":
        """The ties after meeting those that were heard; `penalty` is beta."""
        met = expand_mask(heard.arrived, self.edge_average)
        half = jnp.where(met, 0.5 * (heard.sent - heard.received), 0.0)
        return ADMMState(
            self.dual + penalty * jnp.sum(half, axis=0),
            jnp.where(met, heard.sent - half, self.edge_average),
        )
