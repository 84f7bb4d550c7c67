"""MAAC's critics as its authors compute them: everybody's step is encoded once, for all critics."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.base.off_policy import ActorCriticState, Models
from coterie.algorithms.f2a2.critics import Attention, SoftCritic, attended, require_heads, spread
from coterie.algorithms.f2a2.policy_batch import JointActions, UpdateBatch
from coterie.bounds import AtLeast
from coterie.network import Network, chunked
from coterie.rl.distributions import masked
from coterie.rl.layers import ACTIVATIONS, Dense
from coterie.rl.models import Inputs
from coterie.rl.networks import FRESH_GAIN
from coterie.rl.scaling import InputScale
from coterie.types import LearnerSpec, Observation


@dataclass(frozen=True)
class CentralAttentionCritic(SoftCritic, name="central-attention"):
    """A critic that attends to others' steps as one encoder of each agent tells them (MAAC's code).

    At a centre only: agent `j` has the encoder of its own steps, all critics read what it makes of
    them, and it learns from the mean of their gradients. So a team of `N` encodes `N` steps, where
    critics with encoders of their own (`AttentionCritic`) encode `N^2`.
    """

    num_heads: Annotated[int, AtLeast(1)] = 4
    """Heads of the critics' attention."""
    attention_dim: Annotated[int, AtLeast(1)] = 128
    """Numbers that a critic makes of each agent: a multiple of the heads."""

    payload: ClassVar[str] = "attention"
    information: ClassVar[Information] = Information(state="observations", actions="joint")
    central: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_heads(self.attention_dim, self.num_heads)

    def build(self, key: Key[Array, ""], spec: LearnerSpec) -> "CentralAttentionNetwork":
        return CentralAttentionNetwork.init(key, spec, self.attention_dim, self.num_heads)

    def shared(self, critic: "CentralAttentionNetwork") -> list[PyTree]:
        return [critic.attention]

    def head(self, critic: "CentralAttentionNetwork") -> Dense:
        return critic.outer

    def hear(self, student: ActorCriticState, drawn: UpdateBatch, network: Network) -> UpdateBatch:
        steps, index = drawn.steps, drawn.index

        def heard(critics: Any, seen: Array, actions: JointActions, time: int) -> JointActions:
            told = chunked(_told)(critics, seen[:, index], actions.taken[:, index])
            told = steps.while_there(told, index, time)
            return actions._replace(told=network.gather_public(told))

        critics, later = student.models.critic, student.target.critic
        return drawn._replace(
            taken=heard(critics, steps.seen[-1], drawn.taken, 0),
            now=heard(critics, steps.seen[-1], drawn.now, 0),
            then=heard(later, steps.next_seen, drawn.then, 1),
        )

    def send_back(
        self, models: Models, drawn: UpdateBatch, gradient: Models, felt: PyTree, network: Network
    ) -> Models:
        index, steps = network.index, drawn.steps
        # A product with ones is the sum over agents in a thirtieth of the time.
        everybody = jax.tree.map(
            lambda x: jnp.tensordot(jnp.ones(network.size), x, 1), network.gather_public(felt)
        )
        mine = steps.while_there(jax.tree.map(lambda x: x[index], everybody), index, 0)

        def back(critics: Any, seen: Array, acted: Array, felt: PyTree) -> Any:
            return jax.vjp(lambda critics: _told(critics, seen, acted), critics)[1](felt)[0]

        own = steps.seen[-1][:, index], drawn.taken.taken[:, index]
        more = chunked(back)(models.critic, *own, mine)
        return gradient._replace(critic=jax.tree.map(jnp.add, gradient.critic, more))

    def values(
        self,
        critic: "CentralAttentionNetwork",
        view: Observation,
        actions: JointActions,
        index: Int[Array, ""],
    ) -> Float[Array, "B A"]:
        everybody = view.critic_input.reshape(*actions.taken.shape[:2], -1)
        return critic.values(everybody[:, index], Told(*actions.told), index)


def _told(critics: Any, seen: Float[Array, "B F"], acted: Float[Array, "B W"]) -> "Told":
    """What an agent's only critic tells of its own steps."""
    return critics[0].told(seen, acted)


class Told(NamedTuple):
    """Keys and values of steps; of everybody's, `[N, B, H]` each."""

    keys: Float[Array, "*N B H"]
    values: Float[Array, "*N B H"]


class CentralAttentionNetwork(eqx.Module):
    """`Q_i = zeta(g(o_i), sum_h sum_{j != i} alpha_j^h leaky(V_h F_j(o_j, a_j)))`, for all actions.

    Agent `j` tells the keys and values of its own step; see `AttentionNetwork`.
    """

    own: Dense
    encoder: Dense
    attention: Attention
    inner: Dense
    outer: Dense
    scale: InputScale | None
    num_heads: int = eqx.field(static=True)
    agents: int = eqx.field(static=True)

    @staticmethod
    def init(
        key: Key[Array, ""], spec: LearnerSpec, width: int, heads: int
    ) -> "CentralAttentionNetwork":
        """A fresh critic; `heads` divides its `width`."""
        seen, acted = spec.padded.observation, spec.padded.action.size
        own, encoder, attention, inner, outer = jax.random.split(key, 5)
        square = jax.nn.initializers.orthogonal()
        return CentralAttentionNetwork(
            Dense.init(own, seen, width, 2.0**0.5),
            Dense.init(encoder, seen + acted, width, 2.0**0.5),
            Attention(*(square(k, (width, width)) for k in jax.random.split(attention, 3))),
            Dense.init(inner, 2 * width, width, 2.0**0.5),
            Dense.init(outer, width, spec.action.size, FRESH_GAIN),
            Inputs.of(spec).scale,
            heads,
            spec.agents,
        )

    def told(self, seen: Float[Array, "B F"], acted: Float[Array, "B W"]) -> Told:
        """Keys and values of the own steps, as all critics read them.

        All agents' critics send gradients back, of which the encoder takes the mean; the sum of
        those of keys and values becomes one when agents average what they share.
        """
        active = ACTIVATIONS["leaky_relu"]
        view = seen if self.scale is None else self.scale(seen)
        code = active(self.encoder(jnp.concatenate([view, acted], axis=-1)))
        code = code / self.agents + jax.lax.stop_gradient(code - code / self.agents)
        return Told(code @ self.attention.key, active(code @ self.attention.value))

    def values(
        self, seen: Float[Array, "B F"], told: Told, index: Int[Array, ""]
    ) -> Float[Array, "B A"]:
        """Value of each action of agent `index`, which sees `seen`; everybody tells of its step,
        and the own entry is ignored."""
        active = ACTIVATIONS["leaky_relu"]
        mine = active(self.own(seen if self.scale is None else self.scale(seen)))
        query, keys, values = (
            x.reshape(*x.shape[:-1], self.num_heads, -1)
            for x in (mine @ self.attention.query, *told)
        )
        likeness = jnp.sum(keys * spread(query, len(keys)), axis=-1) / query.shape[-1] ** 0.5
        other = jnp.arange(len(keys))[:, None, None] != index
        heard = attended(masked(likeness, other), values).reshape(len(mine), -1)
        return self.outer(active(self.inner(jnp.concatenate([mine, heard], axis=-1))))
