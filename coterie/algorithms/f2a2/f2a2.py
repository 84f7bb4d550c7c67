"""F2A2's framework: actor and critic as one objective, and agreement on a part of its parameters.

`off_policy` learns from a memory of steps, `on_policy` from the steps just played.
"""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import equinox as eqx
import jax
import optax
from jaxtyping import Array, Key, PyTree

from coterie.algorithms.base.algorithm import Information, InitKeys
from coterie.algorithms.base.normalizing import Normalizing
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.f2a2.consensus import Consensus, PrimalDual, SharedSplit
from coterie.algorithms.f2a2.joint_objective import JointObjective, Objective
from coterie.bounds import RATE, Above, AtMost, Between
from coterie.network import Network, Payload
from coterie.rl.layers import Dense
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import Policy
from coterie.rl.scaling import of_learned
from coterie.types import LearnerSpec

JOINT = Information(state="observations", actions="joint")
"""Declaration of critics of everybody's observations and actions."""


@dataclass(frozen=True)
class F2A2(Normalizing):
    """Flexible fully-decentralised actor-critic (F2A2; Algorithm 1).

    An agent minimises its part of the augmented Lagrangian (5.2): critic and policy together (see
    `joint_objective`), in parameters of its own and in a copy of what is shared, on which the team
    agrees by the primal-dual scheme (5.4) (see `consensus`). In each update critics and policies
    step at once, then there is one round of agreement: the printed loop over agents would average
    new copies with old ones. The force of the agreement is a plain gradient step beside Adam's.

    Everybody's observations and actions are known to all while they learn, as the paper has it;
    rewards and policies are not.
    """

    normalize_rewards: bool = True
    """Divide rewards by the running deviation of discounted returns."""
    critic_lr: Annotated[float, Above(0), AtMost(RATE)] = 3e-3
    """Step size of the critics (beta_phi), and of the force that holds their copies together."""
    discount: Annotated[float, Between(0, 1)] = 0.95
    """gamma: what a reward one step later is worth now."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 10.0
    """Largest norm of each network's gradient."""
    actor: Model = MLP((64, 64), "leaky_relu")
    """The policy's network."""
    critic_optimizer: Literal["adam", "sgd"] = "adam"
    """Adam scales each agent's errors by their own size; sgd agrees on the mean loss's optimum."""
    consensus: Consensus = PrimalDual()
    """Rule by which the team agrees on the shared parameters."""
    objective: Objective = JointObjective()
    """Actor and critic as one objective, or (the ablation) each for itself."""

    recurrent_models: ClassVar[tuple[str, ...]] = ("actor",)
    actor_lr: ClassVar[Any]
    """Adam's step size for the policy (beta_psi): a field of those who derive from this."""

    @abc.abstractmethod
    def critics(self, key: Key[Array, ""], spec: LearnerSpec) -> Any:
        """Make fresh critics."""

    @abc.abstractmethod
    def learned(self, state: Any) -> Models:
        """The models in an agent's state."""

    @abc.abstractmethod
    def heads(self, critics: Any) -> list[Dense]:
        """The last layers of critics."""

    @abc.abstractmethod
    def policy_of(self, keys: Key[Array, "2"], inputs: Inputs, spec: LearnerSpec) -> Policy:
        """A fresh policy."""

    @property
    def payload(self) -> str:
        """Name of the payload that carries the shared parameters."""
        return "critic"

    @abc.abstractmethod
    def shared(self, critics: Any) -> list[PyTree]:
        """The parts of the critics that the team shares."""

    def declared(self, information: Information, updates: int) -> Information:
        """Declaration of what is known and sent, with the consensus in each of so many updates."""
        shared = Payload(
            self.payload,
            lasting=lambda state: self.parts(self.learned(state)).shared,
            messages=self.consensus.messages * updates,
        )
        return self.scaled_alike(self.consensus.declared(replace(information, payloads=(shared,))))

    def check_communication(self, gaps: tuple[float, float], wait: float) -> None:
        self.consensus.check_step(self.critic_lr, gaps, wait)

    def models(self, keys: InitKeys, spec: LearnerSpec) -> Models:
        """A fresh policy and fresh critics; what is shared is drawn alike by all."""
        self.require_actions(spec.action)
        own, common = (self.parts(self._drawn(key, spec)) for key in keys)
        return SharedSplit(common.shared, own.individual).whole

    def _drawn(self, key: Key[Array, ""], spec: LearnerSpec) -> Models:
        keys = jax.random.split(key, 3)
        return Models(self.policy_of(keys[:2], Inputs.of(spec), spec), self.critics(keys[2], spec))

    def start(self, models: Models) -> PyTree:
        """Initial state of the agreement, before any exchange."""
        return self.consensus.start(self.parts(models).shared)

    def agree(
        self, models: Models, change: Any, pact: PyTree, network: Network
    ) -> tuple[Models, PyTree, Network]:
        """Step along the gradient and the force of (5.4) at once, and agree on what is shared."""
        before = self.parts(models).shared
        after, individual = self.parts(eqx.apply_updates(models, change))
        shared, pact, network = self.consensus.agree(
            before, after, pact, self.critic_lr, network, self.payload
        )
        return SharedSplit(shared, individual).whole, pact, network

    def policy(self, state: Any) -> Policy:
        return self.learned(state).policy

    def optimizer(self) -> optax.GradientTransformation:
        """Optimiser of the models."""
        clip = optax.clip_by_global_norm(self.max_grad_norm)
        critic = {"adam": optax.adam, "sgd": optax.sgd}[self.critic_optimizer]
        rules = {
            "policy": optax.chain(clip, optax.adam(self.actor_lr)),
            "critic": optax.chain(clip, critic(self.critic_lr)),
        }
        return of_learned(optax.partition(rules, Models("policy", "critic")))  # type: ignore[arg-type]

    def parts(self, models: Models) -> SharedSplit:
        """Split models into the parameters that the team shares and those that it does not."""
        leaves, structure = jax.tree.flatten(models)
        places = jax.tree.unflatten(structure, range(len(leaves)))
        ours = set(jax.tree.leaves(self.shared(places.critic)))
        return SharedSplit.of(models, jax.tree.map(lambda place: place in ours, places))
