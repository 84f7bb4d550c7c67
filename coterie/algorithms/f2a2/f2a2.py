"""F2A2's framework: actor and critic as one objective, and agreement on a part of its parameters.

What it is of a method, and whether it remembers, is said by those who derive from it: `f2a2_on`
learns from the steps just played, `f2a2_off` from a memory of them.
"""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import equinox as eqx
import jax
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Algorithm, Information
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.f2a2.joint_objective import JointObjective
from coterie.algorithms.f2a2.primal_dual import DualState, PrimalDual, SharedSplit
from coterie.bounds import Above, AtLeast, Between
from coterie.errors import ConfigError
from coterie.network import Network
from coterie.rl.models import Policy, Shape
from coterie.rl.widths import Widths, require_memory
from coterie.types import AgentSpec, Observation


@dataclass(frozen=True)
class F2A2(Algorithm):
    """Flexible fully-decentralised actor-critic (F2A2; Algorithm 1).

    An agent minimises its part of the augmented Lagrangian (5.2): critic and policy together (see
    `joint_objective`), in parameters of its own and in a copy of what is shared, on which the team
    agrees by the primal-dual scheme (5.4) (see `primal_dual`). In each update critics and policies
    step at once, then there is one round of agreement: the printed loop over agents would average
    new copies with old ones. The force of the agreement is a plain gradient step beside Adam's.

    Everybody's observations and actions are known to all while they learn, as the paper has it;
    rewards and policies are not.
    """

    actor_lr: Annotated[float, Above(0)] = 1e-3
    """Adam's step size for the policy (beta_psi)."""
    critic_lr: Annotated[float, Above(0)] = 1e-3
    """Step size of the critics (beta_phi), and of the force that holds their copies together."""
    discount: Annotated[float, Between(0, 1)] = 0.99
    """gamma: what a reward one step later is worth now."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 1.0
    """Largest norm of each network's gradient."""
    hidden_sizes: Widths = (64, 64)
    """Widths of the dense layers, of the policy and of the critic alike."""
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "leaky_relu"
    """Non-linearity after each dense layer."""
    recurrent: bool = False
    """Put a gated recurrent unit after the policy's dense layers; critics have no memory."""
    critic_optimizer: Literal["adam", "sgd"] = "adam"
    """Adam scales each agent's errors by their own size; sgd agrees on the mean reward's critic."""
    penalty: Annotated[float, AtLeast(0)] = 100.0
    """beta: how strongly copies are held together; 3 beta critic_lr must be below 4 on
    the complete graph, below 3 on a ring; agents that listen at intervals want less."""
    dual_decay: Annotated[float, Between(0, 1)] = 0.0
    """The share of the dual variables forgotten in each round: above 0 where agents listen at
    intervals of their own."""
    objective: Literal["joint", "alternating"] = "joint"
    """Actor and critic as one objective, or (the ablation) each for itself."""
    actor_weight_in_critic: Annotated[float, AtLeast(0)] = 0.01
    """alpha_1 / alpha_2 in the critic's block: the joint objective lifts values by half of it."""
    td_weight_in_actor: Annotated[float, AtLeast(0)] = 0.1
    """alpha_2 / alpha_1 in the policy's: how much it avoids what surprises the critic."""

    payload: ClassVar[str] = "critic"

    @abc.abstractmethod
    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> Any:
        """Fresh critics."""

    @abc.abstractmethod
    def learned(self, state: Any) -> Models:
        """The models in an agent's state."""

    @abc.abstractmethod
    def values(
        self,
        critics: Any,
        view: Observation,
        actions: Float[Array, "*batch M W"],
        index: Int[Array, ""],
    ) -> Float[Array, "K *batch"]:
        """What each critic thinks of everybody's actions; the own ones are at `index`."""

    def actor(self, keys: Key[Array, "2"], shape: Shape, spec: AgentSpec) -> Policy:
        """A fresh policy."""
        return Policy.init(keys, shape, spec.action)

    def shares(self, models: Models) -> Any:
        """Which parameters are shared: truth values for a prefix of the models."""
        return Models(policy=False, critic=True)  # type: ignore[arg-type]

    @property
    def information(self) -> Information:
        return Information(state="observations", actions="joint", payloads=(self.payload,))

    def __post_init__(self) -> None:
        super().__post_init__()
        require_memory(self.hidden_sizes, self.recurrent)

    def check(self, num_envs: int) -> None:
        self.require_agreement()
        super().check(num_envs)

    def require_agreement(self) -> None:
        """Raise `ConfigError` unless copies can be held together at all."""
        self._scheme.check()

    def check_communication(self, gaps: tuple[float, float], wait: float) -> None:
        self._scheme.check_step(self.critic_lr, gaps, wait)

    def models(self, key: Key[Array, ""], spec: AgentSpec) -> Models:
        """A fresh policy and fresh critics."""
        if spec.states:
            raise ConfigError(
                "f2a2 learns from observations, but this environment's are numbered states: "
                "use maddpg, networked-q or a method with tables."
            )
        keys = jax.random.split(key, 3)
        seen = Shape.of(spec, self.hidden_sizes, self.activation, self.recurrent)
        return Models(self.actor(keys[:2], seen, spec), self.critics(keys[2], spec))

    def start(self, models: Models) -> DualState:
        """The agreement before anybody has met."""
        return self._scheme.start(self.parts(models).shared)

    def agree(
        self, models: Models, change: Any, pact: DualState, network: Network
    ) -> tuple[Models, DualState, Network]:
        """(5.4): what is shared steps along the gradient and the force at once, then all meet."""
        force = self._scheme.dual_gradient(self.parts(models).shared, pact)
        shared, individual = self.parts(eqx.apply_updates(models, change))
        rates = self.actor_lr, self.critic_lr
        pulled = Models(
            *(
                jax.tree.map(lambda x, f, rate=rate: x - rate * f, part, push)
                for rate, part, push in zip(rates, shared, force, strict=True)
            )
        )
        pact, network = self._scheme.consensus_step(pulled, pact, network, self.payload)
        return SharedSplit(pulled, individual).whole, pact, network

    def shared(self, state: Any) -> dict[str, PyTree]:
        return {self.payload: self.parts(self.learned(state)).shared}

    def policy(self, state: Any) -> Policy:
        return self.learned(state).policy

    @property
    def rule(self) -> JointObjective:
        """The joint objective, or its ablation."""
        if self.objective == "alternating":
            return JointObjective()
        return JointObjective(self.actor_weight_in_critic, self.td_weight_in_actor, cut=1.0)

    def optimizer(self) -> optax.GradientTransformation:
        """How models follow their gradients."""
        clip = optax.clip_by_global_norm(self.max_grad_norm)
        critic = {"adam": optax.adam, "sgd": optax.sgd}[self.critic_optimizer]
        rules = {
            "policy": optax.chain(clip, optax.adam(self.actor_lr)),
            "critic": optax.chain(clip, critic(self.critic_lr)),
        }
        return optax.partition(rules, Models("policy", "critic"))  # type: ignore[arg-type]

    @property
    def _scheme(self) -> PrimalDual:
        return PrimalDual(self.penalty, self.dual_decay)

    def parts(self, models: Models) -> SharedSplit:
        """What the team shares of these, and what it does not."""
        return SharedSplit.of(models, self.shares(models))
