"""F2A2 on-policy: from the steps just played, which are fresh samples of everybody's policies."""

import abc
import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.advantages import values_and_gae
from coterie.algorithms.base.algorithm import (
    Information,
    InitKeys,
    Metrics,
    Trajectory,
    joint,
)
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.f2a2.f2a2 import F2A2, JOINT
from coterie.algorithms.f2a2.sharing import InnerLayers, Sharing
from coterie.algorithms.ppo.base import DrawnAction
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.network import Network
from coterie.rl.bodies import RecurrentState
from coterie.rl.distributions import Distribution
from coterie.rl.layers import Dense
from coterie.rl.masked_stats import mean
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import ActionCritic, Critic, Policy
from coterie.types import LearnerSpec, Observation


class Rewards(NamedTuple):
    """Least and largest reward that an agent was paid, or 0, which it may always come to."""

    least: Float[Array, ""]
    most: Float[Array, ""]

    def wider(
        self, reward: Float[Array, "T G"], alive: Bool[Array, "T G"] | None = None
    ) -> "Rewards":
        """The range with the rewards of those who are there."""
        return Rewards(
            jnp.min(reward, where=alive, initial=self.least),
            jnp.max(reward, where=alive, initial=self.most),
        )

    def forever(self, discount: float) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The least and the largest discounted sum of such rewards: one of them forever.

        >>> [float(x) for x in Rewards(jnp.array(-1.0), jnp.array(0.5)).forever(0.5)]
        [-2.0, 1.0]
        """
        horizon = 1.0 / max(1.0 - discount, 1e-6)
        return self.least * horizon, self.most * horizon


class F2A2OnPolicyState(NamedTuple):
    """State of an agent: its models, their optimiser, the agreement, and the range of rewards."""

    models: Models
    optimizer: PyTree
    dual: PyTree
    rewards: Rewards


class Critics(NamedTuple):
    """Critics that the team agrees on (table 1): `Q(o, a)` of everybody's actions, and `V(o)`."""

    joint: ActionCritic
    state: Critic


class PolicyBatch(NamedTuple):
    """Batch that an agent learns from, `[T, G, ...]`.

    view, choices: the own views, and the distributions of the policy now.
    actions:  what everybody did; the own action is at `index`.
    log_prob: of the own action, now, and as it was `before`, when it was played.
    target:   y, what the critics are to learn.
    index:    the own place among the agents.
    """

    view: Observation
    choices: Distribution
    actions: Float[Array, "T G N W"]
    log_prob: Float[Array, "T G"]
    before: Float[Array, "T G"]
    target: Float[Array, "T G"]
    index: Int[Array, ""]

    @property
    def moved(self) -> Float[Array, "T G"]:
        """log pi - log pi_0: how far the policy has moved."""
        return jax.lax.stop_gradient(self.log_prob - self.before)


@dataclass(frozen=True)
class F2A2OnPolicy(F2A2):
    """The on-policy form: a few updates on the steps just played (Proposition 3).

    Each agent has two critics of everybody's observations, of which it shares a part (`sharing`),
    and which learn from its own reward:

        Q(o, a) and V(o)  towards  y = G^lambda,  G^(1) = r_i + gamma V(o')

    with `V` as the last update left it, and never beyond what the least or the largest reward would
    be worth if it were paid forever: no critic is trained on the last observation before a time
    limit, and one that extrapolates would learn from itself and run away. All actions are stored,
    so no agent has to be modelled. A method defines the policy's objective for them. At the first
    update nothing has moved, and the gradient is that of Proposition 3; at later ones terms are
    weighed by ratios of at most 1.
    """

    rollout_length: Annotated[int, AtLeast(1)] = 25
    """Steps played in every environment between two rounds of updates."""
    updates_per_rollout: Annotated[int, AtLeast(1)] = 4
    """Gradient steps after each `rollout_length`, on all of its steps; 4 in the paper."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 5e-4
    """Adam's step size for the policy (beta_psi); 1e-3 in the paper."""
    gae_lambda: Annotated[float, Between(0, 1)] = 0.8
    """lambda of the critics' targets; the paper leaves it open."""
    entropy_coef: Annotated[float, AtLeast(0)] = 0.01
    """Weight of the policy's entropy in its objective; 0 in the paper."""
    critic: Model = MLP((64, 64), "leaky_relu")
    """The critics' network."""
    sharing: Sharing = InnerLayers()
    """Part of its critics that an agent shares: the layers between its own first and last, or (the
    mean reward's critic) the whole."""

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "any"

    @abc.abstractmethod
    def actor_objective(self, critics: Critics, case: PolicyBatch) -> Float[Array, "T G"]:
        """Objective of the policy for the actions it took; the critics are held fixed."""

    @property
    def information(self) -> Information:
        known = replace(JOINT, action_space=self.action_space)
        return self.declared(known, self.updates_per_rollout)

    def check(self, num_envs: int) -> None:
        self.consensus.check()

    def policy_of(self, keys: Key[Array, "2"], inputs: Inputs, spec: LearnerSpec) -> Policy:
        return Policy.init(keys, self.actor, inputs, spec.action)

    def critics(self, key: Key[Array, ""], spec: LearnerSpec) -> Critics:
        keys, everybody = jax.random.split(key, 4), Inputs.of_state(spec)
        critics = Critics(
            ActionCritic.init(keys[:2], self.critic, everybody, spec.joint),
            Critic.init(keys[2:], self.critic, everybody),
        )
        for critic in critics:
            self.sharing.check(critic)
        return critics

    def shared(self, critics: Critics) -> list[PyTree]:
        return [part for critic in critics for part in self.sharing.shared(critic)]

    def heads(self, critics: Critics) -> list[Dense]:
        return [critics.joint.head, critics.state.head]

    def in_reward_units(self, state: F2A2OnPolicyState) -> list[PyTree]:
        return [*self.heads(state.models.critic), state.rewards]

    def values(
        self, critics: Critics, view: Observation, actions: Float[Array, "*batch N W"], index: Array
    ) -> Float[Array, "K *batch"]:
        """Values of everybody's actions by each critic; the own action is at `index`."""
        flat = actions.reshape(*actions.shape[:-2], -1)
        return critics.joint.value(view.critic_input, flat)[None]

    def expected(self, critics: Critics, view: Observation) -> Float[Array, "*batch"]:
        """`V(o)`."""
        return critics.state.value(critics.state.body.step(view.critic_input, ())[0])

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[F2A2OnPolicyState, RecurrentState]:
        models = self.models(keys, spec)
        optimizer = self.optimizer().init(eqx.filter(models, eqx.is_array))
        rewards = Rewards(jnp.zeros(()), jnp.zeros(()))
        state = F2A2OnPolicyState(models, optimizer, self.start(models), rewards)
        return state, models.policy.body.start()

    def learned(self, state: F2A2OnPolicyState) -> Models:
        return state.models

    def act(
        self,
        state: F2A2OnPolicyState,
        memory: RecurrentState,
        view: Observation,
        key: Key[Array, ""],
    ) -> tuple[DrawnAction, RecurrentState]:
        choices, memory = state.models.policy.step(view, memory)
        return DrawnAction(choices.sample(key), choices), memory

    def learn(
        self,
        state: F2A2OnPolicyState,
        trajectory: Trajectory,
        network: Network,
        key: Key[Array, ""],
    ) -> tuple[F2A2OnPolicyState, Network, Metrics]:
        rewards = state.rewards.wider(trajectory.reward, trajectory.view.alive)
        state = state._replace(rewards=rewards)
        # What the team agrees on as a whole is worth what others are paid, too.
        own = self.sharing.own_values or not self.information.sends
        bounds = rewards.forever(self.discount) if own else (-math.inf, math.inf)
        target = self._target(state.models.critic.state, trajectory, bounds)

        def update(carry: tuple[F2A2OnPolicyState, Network], _: None) -> tuple[tuple, Metrics]:
            (models, optimizer, pact, rewards), network = carry
            gradient, said = jax.grad(self._loss, has_aux=True)(
                models, trajectory, target, network.index
            )
            change, optimizer = self.optimizer().update(gradient, optimizer)
            models, pact, network = self.agree(models, change, pact, network)
            said["gradient_norm"] = optax.tree.norm(gradient)
            return (F2A2OnPolicyState(models, optimizer, pact, rewards), network), said

        (state, network), said = jax.lax.scan(
            update, (state, network), None, length=self.updates_per_rollout
        )
        return state, network, jax.tree.map(jnp.mean, said)

    def _target(
        self, critic: Critic, trajectory: Trajectory, bounds: tuple[float | Array, float | Array]
    ) -> Float[Array, "T G"]:
        """`G^lambda_t`, up to the end of the episode or of what was played."""
        value, advantage = values_and_gae(
            critic, trajectory, (), self.discount, self.gae_lambda, bounds
        )
        return value + advantage

    def _case(
        self, policy: Policy, played: Trajectory, target: Float[Array, "T G"], index: Array
    ) -> PolicyBatch:
        action, then = played.decision
        features = policy.body.sequence(played.view.observation, played.memory, played.over)
        choices = policy.choices(features, played.view)
        likely = choices.log_prob(action), then.log_prob(action)
        return PolicyBatch(played.view, choices, joint(played), *likely, target, index)

    def _loss(
        self, models: Models, played: Trajectory, target: Float[Array, "T G"], index: Array
    ) -> tuple[Float[Array, ""], Metrics]:
        """The agent's part of (4.4)."""
        policy, critics = models
        case, present = self._case(policy, played, target, index), played.view.alive
        values = self.values(critics, case.view, case.actions, index)
        expected = self.expected(critics, case.view)
        error = (
            self.objective.critic_stored(values, target, case.moved)
            + 0.5 * (expected - target) ** 2
        )
        gain = self.actor_objective(jax.lax.stop_gradient(critics), case)
        gain = gain + self.objective.stored_td_term(case.log_prob, values, target, case.moved)
        entropy = case.choices.entropy()
        metrics = {
            "critic_loss": mean((values[0] - target) ** 2, present),
            "policy_loss": -mean(gain, present),
            "value": mean(values[0], present),
            "entropy": mean(entropy, present),
        }
        return mean(error - gain - self.entropy_coef * entropy, present), metrics
