"""A critic that attends to the others: values of every own action, given what all see and do."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from coterie.rl.distributions import masked
from coterie.rl.models import ACTIVATIONS, Dense
from coterie.types import AgentSpec


class Attention(NamedTuple):
    """What F2A2-SAC shares: how to look at others and what to take of them, `[H, H]` each.

    Each of the heads has a block of their columns.
    """

    key: Float[Array, "H H"]
    query: Float[Array, "H H"]
    value: Float[Array, "H H"]


class AttentionCritic(eqx.Module):
    """`Q_i = zeta(g(o_i), sum_h sum_{j != i} alpha_j^h leaky(V_h F_j(o_j, a_j)))`, for all actions.

    MAAC's critic (Iqbal & Sha 2019) in F2A2's parts: `F_j` encodes agent `j`, the weights `alpha`
    are a softmax of `F_j . W_key^T W_query g(o_i)` over the square root of a head's width. `zeta`,
    `g` and the `F_j` are an agent's own: the paper writes agent `j`'s encoder into agent `i`'s
    critic, but counts it among the individual parameters, which are not sent.
    """

    own: Dense
    encoders: Dense
    attention: Attention
    inner: Dense
    outer: Dense
    num_heads: int = eqx.field(static=True)

    @staticmethod
    def init(key: Key[Array, ""], spec: AgentSpec, width: int, heads: int) -> "AttentionCritic":
        """A fresh critic; `heads` divides its `width`."""
        seen, acted = spec.padded.observation, spec.padded.action.size
        own, encoders, attention, inner, outer = jax.random.split(key, 5)
        square = jax.nn.initializers.orthogonal()
        return AttentionCritic(
            Dense.init(own, seen, width, 2.0**0.5),
            # One by one, as in `OpponentModels`.
            jax.lax.map(
                lambda key: Dense.init(key, seen + acted, width, 2.0**0.5),
                jax.random.split(encoders, spec.agents),
            ),
            Attention(*(square(k, (width, width)) for k in jax.random.split(attention, 3))),
            Dense.init(inner, 2 * width, width, 2.0**0.5),
            Dense.init(outer, width, spec.action.size, 1.0),
            heads,
        )

    def values(
        self,
        seen: Float[Array, "B S"],
        acted: Float[Array, "B N W"],
        index: Int[Array, ""],
    ) -> Float[Array, "B A"]:
        """The value of each action of agent `index`; what `acted` says of its own is not looked at.

        seen: everybody's observations side by side.
        """
        active, (batch, agents, _) = ACTIVATIONS["leaky_relu"], acted.shape
        views = jnp.moveaxis(seen.reshape(batch, agents, -1), 1, 0)
        mine = active(self.own(views[index]))
        others = active(jax.vmap(_encoded)(views, jnp.moveaxis(acted, 1, 0), self.encoders))
        size = mine.shape[-1] // self.num_heads
        # What keys make of everybody, a query asks of itself: the same likeness, for one product.
        asking = mine @ self.attention.query, self.attention.key
        query, key = (x.reshape(-1, self.num_heads, size) for x in asking)
        asked = jnp.einsum("bhd,ehd->bhe", query, key)
        likeness = jnp.einsum("nbe,bhe->nbh", others, asked) / size**0.5
        other = jnp.arange(agents)[:, None, None] != index
        weights = jax.nn.softmax(masked(likeness, other), axis=0)
        weights = jnp.where(other, weights, 0.0)[..., None]
        # For each agent by itself: the gradient of one large product takes twice as long.
        value = jnp.broadcast_to(self.attention.value, (agents, *self.attention.value.shape))
        values = active(others @ value).reshape(*weights.shape[:-1], size)
        # A product with ones is the sum over agents in a third of the time.
        heard = jnp.tensordot(jnp.ones(agents), weights * values, 1).reshape(batch, -1)
        return self.outer(active(self.inner(jnp.concatenate([mine, heard], axis=-1))))


def _encoded(
    seen: Float[Array, "B F"], acted: Float[Array, "B W"], layer: Dense
) -> Float[Array, "B H"]:
    """`layer` of both side by side; what is seen is multiplied once, whatever is done."""
    weight = layer.weight
    return seen @ weight[: seen.shape[-1]] + acted @ weight[seen.shape[-1] :] + layer.bias
