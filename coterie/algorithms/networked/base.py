"""Base of the networked actor-critics: private rewards, and critics that the team agrees on."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.algorithms.base.algorithm import (
    ActionOnly,
    Information,
    InitKeys,
    Metrics,
    Trajectory,
)
from coterie.algorithms.base.normalizing import Normalizing
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.internal.count import Count
from coterie.internal.parts import Part
from coterie.network import Network, Payload, chunked
from coterie.rl.masked_stats import mean
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import Policy
from coterie.rl.optimizers import rescaled, scales
from coterie.rl.scaling import learned, of_learned
from coterie.rl.schedules import decayed
from coterie.types import LearnerSpec, Observation


class NetworkedState(NamedTuple):
    """State of an agent of a networked actor-critic.

    critic:    what the team is to agree on.
    optimizer: of the policy and of the critic; of these, only the critic's scales are sent.
    average:   mu, the running mean of its own reward.
    updates:   how often it has learned.
    last:      the step it could not yet learn from, if the method looks at the next action.
    """

    policy: Policy
    critic: PyTree
    optimizer: tuple[PyTree, PyTree]
    average: Float[Array, ""]
    updates: Count
    last: PyTree


class CriticMessage(NamedTuple):
    """Message of an agent, which neighbours average.

    critic: the critic.
    scales: what Adam divides the critic's gradients by, squared, `[]` for each array (see `scales`
            of `coterie.rl.optimizers`); `None` with sgd, or to leave the optimiser as it is.
    """

    critic: PyTree
    scales: PyTree


class CriticConsensus(Part, abc.ABC):
    """Rule by which the team agrees on its critics."""

    @abc.abstractmethod
    def declared(self, information: Information) -> Information:
        """Declaration of what an algorithm may know and sends with this consensus."""

    @abc.abstractmethod
    def agree(self, mine: CriticMessage, network: Network) -> tuple[CriticMessage, Network]:
        """Critic of an agent after one exchange with the others."""


@dataclass(frozen=True)
class Gossip(CriticConsensus, name="gossip"):
    """Averages with the neighbours."""

    rounds: Annotated[int, AtLeast(1)] = 1
    """Rounds of averaging after each update."""

    def declared(self, information: Information) -> Information:
        critic = Payload("critic", lasting=_message, messages=self.rounds)
        return replace(information, payloads=(critic,))

    def agree(self, mine: CriticMessage, network: Network) -> tuple[CriticMessage, Network]:
        return network.gossip(mine, "critic", self.rounds)


@dataclass(frozen=True)
class ToldReward(CriticConsensus, name="team-reward"):
    """No averages: a centre tells all critics the team's mean reward.

    So Adam keeps all its moments, where a networked critic sends one for each array.
    """

    def declared(self, information: Information) -> Information:
        return replace(information, reward="team", central=True)

    def agree(self, mine: CriticMessage, network: Network) -> tuple[CriticMessage, Network]:
        return mine._replace(scales=None), network


def _message(state: NetworkedState) -> CriticMessage:
    """Message of an agent in this state."""
    return CriticMessage(learned(state.critic), scales(state.optimizer[1]))


class NetworkedTargets(NamedTuple):
    """Batch that one update learns from, `[T, G, ...]`.

    view, action: where the policy acted, and how.
    advantage: how much better than expected that was for the team.
    counts:    which steps count; `None` for all.
    loss:      the critic's loss, given it and a copy of it that is held fixed.
    last:      the step that is left for the next update.
    """

    view: Observation
    action: Array
    advantage: Float[Array, "T G"]
    counts: Bool[Array, "T G"] | None
    loss: Callable[[PyTree, PyTree], Float[Array, ""]]
    last: PyTree = ()


@dataclass(frozen=True)
class Networked(Normalizing):
    """The hyper-parameters and the update that networked actor-critics share.

    With `discount = 1` rewards are counted from their running mean (the average-reward form of the
    paper); below 1 they are discounted.

    The paper's rates are the same for all agents, which is what makes the agreed critic one of the
    *mean* reward. Adam divides by the scale of an agent's own gradients; those who are paid in
    large numbers would count for less. So the scales are averaged along with the critic, one for
    each array: all divide by nearly the same, and the critic comes to rest where the mean of all
    gradients vanishes, as with sgd.
    """

    rollout_length: Annotated[int, AtLeast(1)] = 10
    """Steps played in every environment between two updates; 1 is the paper's order."""
    normalize_rewards: bool = False
    """Divide rewards by the running deviation of discounted returns."""
    discount: Annotated[float, Between(0, 1)] = 0.97
    """gamma: what a reward one step later is worth now; 1 for the average-reward form."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-3
    """beta_theta: step size of the policy."""
    critic_lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-3
    """beta_omega: step size of the critic and of the mean reward."""
    actor_lr_decay: Annotated[float, Between(0, 1)] = 0.0
    """Steps fall as 1 / (1 + updates)^q; 0 for constant ones."""
    critic_lr_decay: Annotated[float, Between(0, 1)] = 0.0
    """Exponent of the critic's decay; the theory wants it below the actor's, and above 1/2."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """With Adam, the scale of the critic's gradients is averaged, too. The theory is of sgd."""
    critic_epochs: Annotated[int, AtLeast(1)] = 5
    """Gradient steps of the critic for each one of the policy; 1 in the paper."""
    consensus: CriticConsensus = Gossip()
    """Rule by which the team agrees on its critics."""
    entropy_coef: Annotated[float, AtLeast(0)] = 0.003
    """Weight of the policy's entropy in its objective; 0 in the paper."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 10.0
    """Largest norm of each gradient. An agent whose gradients are longer counts for less."""
    critic_input: Literal["state", "observation"] = "state"
    """Input of the critics. They can agree only on a function of what all agents see alike."""
    critic_actions: Literal["joint", "mean"] = "joint"
    """Whether critics see every agent's action, or their mean: a size that N does not change."""
    actor: Model = MLP((64, 64), "tanh")
    """The policy's network."""
    critic: Model = MLP((64, 64), "tanh")
    """The critics' networks."""

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "any"

    @abc.abstractmethod
    def start_critic(self, key: Key[Array, ""], spec: LearnerSpec) -> tuple[PyTree, PyTree]:
        """A fresh critic, and the first `last` step."""

    @abc.abstractmethod
    def targets(
        self,
        state: NetworkedState,
        trajectory: Trajectory,
        network: Network,
        average: Float[Array, ""],
    ) -> NetworkedTargets:
        """Targets of an experience; `average` is mu, or 0 if discounted."""

    @property
    def information(self) -> Information:
        state, actions = self.critic_input == "state", self.critic_actions
        known = Information(state=state, actions=actions, action_space=self.action_space)
        return self.scaled_alike(self.consensus.declared(known))

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[NetworkedState, tuple[()]]:
        own = jax.random.split(keys.own)
        policy = Policy.init(own, self.actor, Inputs.of(spec), spec.action)
        critic, last = self.start_critic(keys.common, spec)
        optimizer = self._optimizer()
        actor_start, critic_start = (
            optimizer.init(eqx.filter(model, eqx.is_array)) for model in (policy, critic)
        )
        zero = jnp.zeros(())
        return NetworkedState(
            policy, critic, (actor_start, critic_start), zero, Count.of(0), last
        ), ()

    def act(
        self, state: NetworkedState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[ActionOnly, tuple[()]]:
        return ActionOnly(state.policy.distribution(view).sample(key)), memory

    def learn(
        self, state: NetworkedState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[NetworkedState, Network, Metrics]:
        state, metrics = chunked(self._improved)(state, trajectory, network)
        actor, optimizer = state.optimizer
        (critic, agreed), network = self.consensus.agree(
            CriticMessage(learned(state.critic), scales(optimizer)), network
        )
        critic = eqx.combine(critic, state.critic)
        optimizers = actor, rescaled(optimizer, agreed)
        return state._replace(critic=critic, optimizer=optimizers), network, metrics

    def policy(self, state: NetworkedState) -> Policy:
        return state.policy

    def critic_inputs(self, spec: LearnerSpec, actions: bool) -> Inputs:
        """Inputs of a critic: of what is seen, and of the actions."""
        acted = spec.joint if actions else 0
        if self.critic_input == "state":
            return Inputs.of_state(spec, acted)
        return Inputs(spec.observation + acted, scale=Inputs.of(spec).scale)

    def _improved(
        self, state: NetworkedState, trajectory: Trajectory, network: Network
    ) -> tuple[NetworkedState, Metrics]:
        """State of the agent after its own gradient steps, before any exchange."""
        rates = self._rates(state.updates)
        lesson = self.targets(state, trajectory, network, self._counted_from(state))
        policy, actor_optimizer, said = self._improve_policy(state, lesson, rates[0])
        critic, critic_optimizer, loss = self._improve_critic(state, lesson, rates[1])
        reward = mean(trajectory.reward, trajectory.view.alive)
        average = state.average + jnp.minimum(rates[1], 1.0) * (reward - state.average)
        metrics = {
            "critic_loss": loss,
            "advantage_rms": jnp.sqrt(mean(lesson.advantage**2, lesson.counts)),
            "average_reward": average,
        }
        optimizers = actor_optimizer, critic_optimizer
        state = NetworkedState(
            policy, critic, optimizers, average, state.updates.next(), lesson.last
        )
        return state, metrics | said

    def _counted_from(self, state: NetworkedState) -> Float[Array, ""]:
        return state.average if self.discount == 1.0 else jnp.zeros(())

    def _rates(self, updates: Count) -> tuple[Float[Array, ""], Float[Array, ""]]:
        done = updates.real()
        return (
            decayed(self.actor_lr, self.actor_lr_decay, done),
            decayed(self.critic_lr, self.critic_lr_decay, done),
        )

    def _improve_policy(
        self, state: NetworkedState, lesson: NetworkedTargets, rate: Float[Array, ""]
    ) -> tuple[Policy, PyTree, Metrics]:
        """One step along `advantage * grad log pi` (and the entropy's gradient)."""

        def loss(policy: Policy) -> tuple[Float[Array, ""], Metrics]:
            chosen = policy.distribution(lesson.view)
            entropy = chosen.entropy()
            score = lesson.advantage * chosen.log_prob(lesson.action)
            value = -mean(score + self.entropy_coef * entropy, lesson.counts)
            return value, {"policy_loss": value, "entropy": mean(entropy, lesson.counts)}

        gradient, said = jax.grad(loss, has_aux=True)(state.policy)
        policy, optimizer = self._step(state.policy, gradient, state.optimizer[0], rate)
        return policy, optimizer, said

    def _improve_critic(
        self, state: NetworkedState, lesson: NetworkedTargets, rate: Float[Array, ""]
    ) -> tuple[PyTree, PyTree, Float[Array, ""]]:
        """Steps down the squared errors; the last loss."""

        def step(carry: tuple[PyTree, PyTree], _: None) -> tuple[tuple, Float[Array, ""]]:
            critic, optimizer = carry
            loss, gradient = jax.value_and_grad(lesson.loss)(critic, jax.lax.stop_gradient(critic))
            return self._step(critic, gradient, optimizer, rate), loss

        start = state.critic, state.optimizer[1]
        (critic, optimizer), losses = jax.lax.scan(step, start, None, length=self.critic_epochs)
        return critic, optimizer, losses[-1]

    def _step(
        self, model: PyTree, gradient: PyTree, optimizer: PyTree, rate: Float[Array, ""]
    ) -> tuple[PyTree, PyTree]:
        change, optimizer = self._optimizer().update(gradient, optimizer)
        return eqx.apply_updates(model, jax.tree.map(lambda c: rate * c, change)), optimizer

    def _optimizer(self) -> optax.GradientTransformation:
        clip = optax.clip_by_global_norm(self.max_grad_norm)
        rule = optax.sgd(1.0) if self.optimizer == "sgd" else optax.adam(1.0)
        return of_learned(optax.chain(clip, rule))


def observation_actions(
    seen: Float[Array, "*batch S"], actions: Float[Array, "*batch M W"]
) -> Array:
    """Concatenate observations and actions to one vector `[..., S + M W]`."""
    return jnp.concatenate([seen, actions.reshape(*actions.shape[:-2], -1)], axis=-1)
