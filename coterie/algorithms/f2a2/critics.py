"""Critics of F2A2-SAC: values of every own action, given what all see and do, or the own view."""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.base.off_policy import ActorCriticState, Models
from coterie.algorithms.f2a2.opponents import CommunicatedActions, Opponents
from coterie.algorithms.f2a2.policy_batch import JointActions, UpdateBatch
from coterie.algorithms.f2a2.sharing import Sharing, WholeCritic
from coterie.bounds import AtLeast
from coterie.errors import require
from coterie.internal.parts import Part
from coterie.network import Network
from coterie.rl.distributions import NEVER
from coterie.rl.layers import ACTIVATIONS, Dense
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import FRESH_GAIN, Policy
from coterie.rl.opponent_model import others
from coterie.rl.scaling import InputScale
from coterie.types import LearnerSpec, Observation


class SoftCritic(Part, abc.ABC):
    """A critic of every own action, of which the team shares a part."""

    payload: ClassVar[str] = "critic"
    """What the shared part is called when it is sent."""
    information: ClassVar[Information]
    """What a learner has to know for it."""
    central: ClassVar[bool] = False
    """Whether it reads what other agents' critics make of their steps, as at a centre."""

    def require_company(self, opponents: Opponents, central: bool, num_critics: int) -> None:
        """Raise `ConfigError` unless the critic is told what it reads."""
        joint = self.information.actions == "joint"
        require(
            joint or not opponents.known,
            "this method does not observe the others' actions and cannot know what they would do: "
            "use f2a2-sac, or --opponents ignored.",
        )
        require(
            not joint or opponents.known,
            "a critic that attends to the others has to know of them: use f2a2-isac, or "
            "--opponents estimated or communicated.",
        )
        require(
            not self.central or (central and isinstance(opponents, CommunicatedActions)),
            "critics that read what others' critics make of their steps need a centre that is told "
            "everybody's actions: use maac, or --critic attention.",
        )
        require(
            not self.central or num_critics == 1,
            "critics that read what others' critics make of their steps have no twins: use "
            "--num-critics 1, or --critic attention.",
        )

    @abc.abstractmethod
    def build(self, key: Key[Array, ""], spec: LearnerSpec) -> Any:
        """A fresh critic."""

    @abc.abstractmethod
    def shared(self, critic: Any) -> list[PyTree]:
        """The parts of a critic that the team shares."""

    def hear(self, student: ActorCriticState, drawn: UpdateBatch, network: Network) -> UpdateBatch:
        """The batch with what everybody's critics tell of the steps; nothing unless `central`."""
        return drawn

    def send_back(
        self, models: Models, drawn: UpdateBatch, gradient: Models, felt: PyTree, network: Network
    ) -> Models:
        """The gradient with that of everybody's losses in what the own critics told."""
        return gradient

    @abc.abstractmethod
    def head(self, critic: Any) -> Dense:
        """The last layer of a critic."""

    @abc.abstractmethod
    def values(
        self, critic: Any, view: Observation, actions: JointActions, index: Int[Array, ""]
    ) -> Float[Array, "B A"]:
        """Value of each of the agent's actions; its own entry of `actions` is ignored."""


@dataclass(frozen=True)
class AttentionCritic(SoftCritic, name="attention"):
    """A critic that attends to the others (MAAC's; Iqbal & Sha 2019).

    Shared is what MAAC shares: how critics look at the others; the rest is an agent's own and
    learns from its reward.
    """

    num_heads: Annotated[int, AtLeast(1)] = 4
    """Heads of the critics' attention."""
    attention_dim: Annotated[int, AtLeast(1)] = 128
    """Numbers that a critic makes of each agent: a multiple of the heads."""

    payload: ClassVar[str] = "attention"
    information: ClassVar[Information] = Information(state="observations", actions="joint")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_heads(self.attention_dim, self.num_heads)

    def build(self, key: Key[Array, ""], spec: LearnerSpec) -> "AttentionNetwork":
        return AttentionNetwork.init(key, spec, self.attention_dim, self.num_heads)

    def shared(self, critic: "AttentionNetwork") -> list[PyTree]:
        return [critic.attention]

    def head(self, critic: "AttentionNetwork") -> Dense:
        return critic.outer

    def values(
        self,
        critic: "AttentionNetwork",
        view: Observation,
        actions: JointActions,
        index: Int[Array, ""],
    ) -> Float[Array, "B A"]:
        return critic.values(view.critic_input, actions.taken, index)


def require_heads(width: int, heads: int) -> None:
    """Raise `ConfigError` unless the heads of an attention can divide its width."""
    require(
        width % heads == 0,
        f"a critic of width {width} cannot be dealt to {heads} heads: try 128 and 4.",
    )


@dataclass(frozen=True)
class IndependentCritic(SoftCritic, name="independent"):
    """A critic of the own observation and action alone, for large teams (section 6.3).

    Critics are shared as a whole, as in the paper, whose agents all see and do as much: what they
    see tells them apart. Of a team of several kinds only what is alike can be shared.
    """

    model: Model = MLP((64, 64), "leaky_relu")
    """The critic's network."""
    sharing: Sharing = WholeCritic()
    """Part of its critics that an agent shares: the whole, or (a team of several kinds) the layers
    between the first and the last."""

    information: ClassVar[Information] = Information()

    def build(self, key: Key[Array, ""], spec: LearnerSpec) -> Policy:
        keys, inputs = jax.random.split(key), Inputs.of(spec)
        network = Policy.init(keys, self.model, inputs, spec.action, FRESH_GAIN)
        self.sharing.check(network)
        return network

    def shared(self, critic: Policy) -> list[PyTree]:
        return self.sharing.shared(critic)

    def head(self, critic: Policy) -> Dense:
        return critic.head

    def values(
        self,
        critic: Policy,
        view: Observation,
        actions: JointActions,
        index: Int[Array, ""],
    ) -> Float[Array, "B A"]:
        return critic.head(critic.body.step(view.observation, ())[0])


class Attention(NamedTuple):
    """Attention weights that F2A2-SAC shares: keys, queries and values, `[H, H]` each.

    Each of the heads has a block of their columns.
    """

    key: Float[Array, "H H"]
    query: Float[Array, "H H"]
    value: Float[Array, "H H"]


class AttentionNetwork(eqx.Module):
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
    scale: InputScale | None
    num_heads: int = eqx.field(static=True)

    @staticmethod
    def init(key: Key[Array, ""], spec: LearnerSpec, width: int, heads: int) -> "AttentionNetwork":
        """A fresh critic; `heads` divides its `width`."""
        seen, acted = spec.padded.observation, spec.padded.action.size
        own, encoders, attention, inner, outer = jax.random.split(key, 5)
        square = jax.nn.initializers.orthogonal()
        return AttentionNetwork(
            Dense.init(own, seen, width, 2.0**0.5),
            # One by one, as in `OpponentModels`.
            jax.lax.map(
                lambda key: Dense.init(key, seen + acted, width, 2.0**0.5),
                jax.random.split(encoders, spec.agents),
            ),
            Attention(*(square(k, (width, width)) for k in jax.random.split(attention, 3))),
            Dense.init(inner, 2 * width, width, 2.0**0.5),
            Dense.init(outer, width, spec.action.size, FRESH_GAIN),
            Inputs.of_state(spec).scale,
            heads,
        )

    def values(
        self,
        seen: Float[Array, "B S"],
        acted: Float[Array, "B N W"],
        index: Int[Array, ""],
    ) -> Float[Array, "B A"]:
        """Value of each action of agent `index`; its own entry of `acted` is ignored.

        seen: everybody's observations side by side.
        """
        active, (batch, agents, _) = ACTIVATIONS["leaky_relu"], acted.shape
        seen = seen if self.scale is None else self.scale(seen)
        views = jnp.moveaxis(seen.reshape(batch, agents, -1), 1, 0)
        mine, who = active(self.own(views[index])), others(index, agents)
        layers = jax.tree.map(lambda x: x[who], self.encoders)
        codes = active(jax.vmap(_encoded)(views[who], jnp.moveaxis(acted, 1, 0)[who], layers))
        size = mine.shape[-1] // self.num_heads
        # What keys make of everybody, a query asks of itself: the same likeness, for one product.
        asking = mine @ self.attention.query, self.attention.key
        query, key = (x.reshape(-1, self.num_heads, size) for x in asking)
        asked = jnp.einsum("bhd,ehd->bhe", query, key)
        likeness = jnp.einsum("nbe,bhe->nbh", codes, asked) / size**0.5
        # For each agent by itself: the gradient of one large product takes twice as long.
        value = jnp.broadcast_to(self.attention.value, (len(who), *self.attention.value.shape))
        values = active(codes @ value).reshape(*likeness.shape, size)
        heard = attended(likeness, values).reshape(batch, -1)
        return self.outer(active(self.inner(jnp.concatenate([mine, heard], axis=-1))))


def attended(
    likeness: Float[Array, "N B H"], values: Float[Array, "N B H D"]
) -> Float[Array, "B H D"]:
    """The mean of everybody's values, each weighed by the softmax of its likeness; 0 of nobody's.

    A likeness of `NEVER` has no weight.
    """
    most = jnp.max(jax.lax.stop_gradient(likeness), axis=0, initial=0.5 * NEVER)
    chances = jnp.exp(likeness - most)
    shares = 1.0 / jnp.maximum(total(chances), 1e-9)
    return total((chances * spread(shares, len(likeness)))[..., None] * values)


def total(x: Float[Array, "N *rest"]) -> Float[Array, "*rest"]:
    """The sum over agents, in a tenth of the time of `jnp.sum`."""
    return jnp.tensordot(jnp.ones(len(x)), x, 1)


def spread(x: Float[Array, "*rest"], agents: int) -> Float[Array, "N *rest"]:
    """Numbers beside each of the agents; the gradient is a `total`."""
    return jnp.tensordot(jnp.ones(agents), x, 0)


def _encoded(
    seen: Float[Array, "B F"], acted: Float[Array, "B W"], layer: Dense
) -> Float[Array, "B H"]:
    """`layer` of both side by side; what is seen is multiplied once, whatever is done."""
    weight = layer.weight
    return seen @ weight[: seen.shape[-1]] + acted @ weight[seen.shape[-1] :] + layer.bias
