"""F2A2 off-policy: from a memory of steps, and with a view of what the others would do."""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Information, Metrics, Trajectory
from coterie.algorithms.base.off_policy import ActorCriticState, Models, OffPolicy, OffPolicyState
from coterie.algorithms.f2a2.f2a2 import F2A2
from coterie.algorithms.f2a2.joint_batch import JointBatch, Sample, Transition
from coterie.algorithms.f2a2.other_actions import POLICIES, OpponentActions, OpponentModelState
from coterie.algorithms.f2a2.primal_dual import DualState
from coterie.bounds import AtLeast, Between
from coterie.errors import require
from coterie.network import Network, chunked
from coterie.rl import replay
from coterie.rl.distributions import Distribution
from coterie.rl.masked_stats import mean
from coterie.rl.models import Policy, polyak_update
from coterie.rl.models import RecurrentState as Recalled
from coterie.types import AgentSpec, Observation, blank_observation


class Play(NamedTuple):
    """An action, what it was drawn from, and what the policy remembered before; `[G, ...]`."""

    action: Array
    choices: Distribution
    memory: Recalled


class F2A2Extras(NamedTuple):
    """What an agent learns besides its policy and critics: an agreement, and what others do."""

    dual: DualState
    opponents: OpponentModelState


class ActionSample(NamedTuple):
    """An own action among others', as a critic sees them, `[B M W]`, and how likely it is.

    moved: log pi - log pi_0: how far the policy has moved since the step, where it acts so.
    """

    actions: Float[Array, "B M W"]
    log_prob: Float[Array, " B"]
    moved: Float[Array, " B"]


class OtherActions(NamedTuple):
    """What everybody would do, as an agent knows it, in its place what it would do itself.

    now, then: where steps began, and where they led to, `[B, M, W]`.
    index:     the own place among the agents.
    """

    now: Float[Array, "B M W"]
    then: Float[Array, "B M W"]
    index: Int[Array, ""]


class PolicyBatch(NamedTuple):
    """What a policy is to be improved by.

    view, choices: what was seen, and what the policy would do now.
    did, might: what it did then, and what it might do now.
    target: y, of what it did.
    index:  the own place among the agents.
    """

    view: Observation
    choices: Distribution
    did: ActionSample
    might: ActionSample
    target: Float[Array, " B"]
    index: Int[Array, ""]


@dataclass(frozen=True)
class F2A2OffPolicy(F2A2, OffPolicy):
    """The off-policy form: a minibatch of stored steps in each update (Proposition 4).

    Others' actions, now and next, come from models of them (see `other_actions`).
    """

    tau: Annotated[float, Between(0, 1, open=True)] = 0.005
    """The share of the way that targets go towards what they follow, at each gradient step."""
    td_terms: Literal["stored", "both"] = "stored"
    """Whether terms with a temporal difference are of stored actions alone, or (as printed) also
    of actions drawn afresh, with the reward of the stored ones."""
    opponent_actions: Literal["estimates", "policies", "none"] = "estimates"
    """What the others would do: a guess of their models, what they say, or nothing at all, to
    critics of the own action alone."""
    opponent_hidden_size: Annotated[int, AtLeast(1)] = 32
    """Width of the networks that model another agent."""
    opponent_history: Annotated[int, AtLeast(1)] = 5
    """Steps of the running episode that its mental state is made of, and that a recurrent policy is
    taken through before each drawn step."""
    num_character_trajectories: Annotated[int, AtLeast(1)] = 8
    """Environments whose first `rollout_length` steps form its character."""
    opponent_window: Annotated[int, AtLeast(1)] = 1_200
    """Steps that its model learns from: the latest ones."""

    @abc.abstractmethod
    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Any, ...]:
        """Fresh critics; the policy climbs the first."""

    @abc.abstractmethod
    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        """The own next action, `[B, W]`, by the target's choices, and a bonus for it, `[B]`."""

    @abc.abstractmethod
    def sample_action(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        """An action of the policy, which a gradient may pass through."""

    @abc.abstractmethod
    def actor_objective(self, critics: Any, case: PolicyBatch) -> Float[Array, " B"]:
        """What the policy climbs."""

    def aggregate_gradient(self, gradient: Any, network: Network) -> tuple[Any, Network]:
        """The gradient that an agent steps along: its own."""
        return gradient, network

    def update_policy_now(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        """Whether the policy and the targets move in this update."""
        return updates >= 0

    def check(self, num_envs: int) -> None:
        super().check(num_envs)
        self._require_opponents()

    def _require_opponents(self) -> None:
        """Raise `ConfigError` unless what the others would do can be known as is asked for."""
        require(
            self.opponent_actions == "none" or self.information.actions == "joint",
            "this method does not observe the others' actions and cannot have "
            f"others={self.opponent_actions}: use f2a2-sac, or --opponent-actions none.",
        )

    @property
    def information(self) -> Information:
        if self.opponent_actions == "none":
            return replace(super().information, actions="own")
        if self.opponent_actions == "estimates":
            return super().information
        return replace(
            super().information, payloads=(self.payload, POLICIES), requires_complete_graph=True
        )

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[OffPolicyState, Recalled]:
        learner, _ = super().init(key, spec)
        student = learner.actor_critic
        memory = student.models.policy.body.start()
        known = self._opponents.init(jax.random.fold_in(key, 1), spec, self.rollout_length)
        beside = F2A2Extras(self.start(student.models), known)
        return learner._replace(actor_critic=student._replace(extras=beside)), memory

    def learned(self, state: OffPolicyState) -> Models:
        return state.actor_critic.models

    def blank(self, spec: AgentSpec) -> Transition:
        view, zero = blank_observation(spec)._replace(state=None), jnp.zeros(())

        def acting() -> Play:
            policy = self.models(jax.random.key(0), spec).policy
            return _played(policy, policy.body.start(), view, jax.random.key(0))[0]

        action, choices, memory = jax.eval_shape(acting)
        return Transition(view, action, choices, memory, zero, zero > 0, zero > 0, view)

    def act(
        self, state: OffPolicyState, memory: Recalled, view: Observation, key: Key[Array, ""]
    ) -> tuple[Play, Recalled]:
        return _played(state.actor_critic.models.policy, memory, view, key)

    def steps(self, trajectory: Trajectory) -> Transition:
        action, choices, memory = trajectory.decision
        return Transition(
            trajectory.view._replace(state=None),
            action,
            choices.possible,  # what was impossible is not asked for again
            memory,
            trajectory.reward,
            trajectory.terminated,
            trajectory.over,
            trajectory.next_view._replace(state=None),
        )

    def learn(
        self, state: OffPolicyState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[OffPolicyState, Network, Metrics]:
        beside, steps = state.actor_critic.extras, self.steps(trajectory)
        known = self._opponents.set_characters(beside.opponents, steps, state.replay.size == 0)
        student = state.actor_critic._replace(extras=beside._replace(opponents=known))
        return super().learn(state._replace(actor_critic=student), trajectory, network, key)

    def draw(self, stored: replay.Replay, key: Key[Array, ""], num_envs: int) -> Sample:
        recalls = self.recurrent or self.opponent_actions == "estimates"
        length = self.opponent_history if recalls else 0
        return self._opponents.draw(stored, key, self.batch_size, num_envs, length)

    def improve(
        self, student: ActorCriticState, sample: Sample, network: Network, key: Key[Array, ""]
    ) -> tuple[ActorCriticState, Network, Metrics]:
        """One update: critic and policy, the agreement, and what is known of the others."""
        company_key, *gradient_keys, say_key = jax.random.split(key, 4)
        pact, known = student.extras
        scene = JointBatch.of(sample.sequence, network, self.information)
        index = network.index if self.opponent_actions != "none" else jnp.zeros((), jnp.int32)

        said = (
            self._own_actions(student, scene, say_key)
            if self.opponent_actions == "policies"
            else None
        )
        would, network = self._opponents.predict(known, scene, network, said, company_key)
        would = scene.of_those_there(would)
        others = OtherActions(would[0], would[1], index)
        gradient, metrics = chunked(self._gradient, 1)(  # each judges all others' steps
            student.models, student.target, scene, others, jnp.stack(gradient_keys)
        )
        gradient, network = self.aggregate_gradient(gradient, network)
        change: Any
        change, optimizer = self.optimizer().update(gradient, student.optimizer)
        due = self.update_policy_now(student.updates)
        change = change._replace(policy=jax.tree.map(lambda x: due * x, change.policy))
        models, pact, network = self.agree(student.models, change, pact, network)
        followers = polyak_update(student.target, models, jnp.where(due, self.tau, 0.0))
        metrics |= {"gradient_norm": optax.tree.norm(gradient)}
        if sample.latest is not None:
            lately = JointBatch.of(sample.latest, network, self.information)
            known, more = self._opponents.update(known, lately, network)
            metrics |= more
        beside = F2A2Extras(pact, known)
        return (
            ActorCriticState(models, followers, optimizer, student.updates + 1, beside),
            network,
            metrics,
        )

    def _own_actions(
        self, student: ActorCriticState, scene: JointBatch, key: Key[Array, ""]
    ) -> tuple[Float[Array, "B W"], Float[Array, "B W"]]:
        """What this agent's policy would do now, and its target next."""
        now, then = jax.random.split(key)
        mine = self.sample_action(scene.now(student.models.policy), now)
        return mine, self.next_action(scene.next(student.target.policy), then)[0]

    @property
    def _opponents(self) -> OpponentActions:
        sizes = self.opponent_hidden_size, self.num_character_trajectories, self.opponent_window
        return OpponentActions(self.opponent_actions, *sizes, self.critic_lr, self.max_grad_norm)

    def _gradient(
        self,
        models: Models,
        target: Models,
        scene: JointBatch,
        others: OtherActions,
        keys: Key[Array, "2"],
    ) -> tuple[Models, Metrics]:
        """The gradient of an agent's loss."""
        value = self._target(target, scene, others, keys[0])
        return jax.grad(self._loss, has_aux=True)(models, scene, others, value, keys[1])

    def _target(
        self, target: Models, scene: JointBatch, others: OtherActions, key: Key[Array, ""]
    ) -> Float[Array, " B"]:
        """`y = r + gamma (min_k Q_k(o', a') + bonus)`."""
        step, view = scene.step, scene.next_view
        mine, bonus = self.next_action(scene.next(target.policy), key)
        actions = others.then.at[:, others.index].set(mine)
        later = jnp.min(self.values(target.critic, view, actions, others.index), axis=0) + bonus
        return step.reward + self.discount * jnp.where(step.terminated, 0.0, later)

    def _loss(
        self,
        models: Models,
        scene: JointBatch,
        others: OtherActions,
        target: Float[Array, " B"],
        key: Key[Array, ""],
    ) -> tuple[Float[Array, ""], Metrics]:
        """The agent's part of (4.4): critics at what was done, the policy at what it would do."""
        step, view, rule, index = scene.step, scene.view, self.rule, others.index
        present, choices = view.alive, scene.now(models.policy)
        mine = self.sample_action(choices, key)
        action = jnp.argmax(mine, axis=-1) if step.discrete else mine
        did = _tried(choices, step, step.action, scene.actions)
        might = _tried(choices, step, action, others.now.at[:, index].set(mine))

        values = self.values(models.critic, view, did.actions, index)
        error = rule.critic_stored(values, target, did.moved)
        fixed = jax.lax.stop_gradient(models.critic)
        gain = self.actor_objective(fixed, PolicyBatch(view, choices, did, might, target, index))
        if self.td_terms == "both":
            held = jax.lax.stop_gradient(might)
            again = self.values(models.critic, view, held.actions, index)
            error = error + rule.critic_fresh(again, target, held.moved)
        else:
            gain = gain + rule.stored_td_term(did.log_prob, values, target, did.moved)
        metrics = {
            "critic_loss": mean(jnp.mean((values - target) ** 2, axis=0), present),
            "policy_loss": -mean(gain, present),
            "value": mean(values[0], present),
            "entropy": mean(choices.entropy(), present),
        }
        return mean(error - gain, present), metrics


def _played(
    policy: Policy, memory: Recalled, view: Observation, key: Key[Array, ""]
) -> tuple[Play, Recalled]:
    choices, after = policy.step(view, memory)
    return Play(choices.sample(key), choices, memory), after


def _tried(
    choices: Distribution, step: Transition, action: Array, actions: Float[Array, "B M W"]
) -> ActionSample:
    log_prob = choices.log_prob(action)
    return ActionSample(
        actions, log_prob, jax.lax.stop_gradient(log_prob - step.choices.log_prob(action))
    )
