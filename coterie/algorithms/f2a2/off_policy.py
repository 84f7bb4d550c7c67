"""F2A2 off-policy: from a memory of steps, given the actions that the others would take."""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Information, InitKeys, Metrics, Trajectory
from coterie.algorithms.base.off_policy import (
    ActorCriticState,
    ExperienceReplay,
    Models,
    OffPolicyState,
)
from coterie.algorithms.f2a2.f2a2 import F2A2, JOINT
from coterie.algorithms.f2a2.joint_batch import JointBatch, Sample, Transition
from coterie.algorithms.f2a2.opponents import EstimatedActions, Opponents
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.network import Network, chunked
from coterie.rl import replay as experience
from coterie.rl.bodies import RecurrentState
from coterie.rl.distributions import Distribution
from coterie.rl.masked_stats import mean
from coterie.rl.networks import Policy, polyak_update
from coterie.rl.optimizers import clipped_adams
from coterie.rl.replay import Replay
from coterie.types import LearnerSpec, Observation, ObservationEncoder, blank_observation


class RecordedAction(NamedTuple):
    """Action, the distribution it was drawn from, and the policy's memory before; `[G, ...]`."""

    action: Array
    choices: Distribution
    memory: RecurrentState


class F2A2Extras(NamedTuple):
    """State besides policy and critics: the agreement on parameters, and models of the others."""

    dual: PyTree
    opponents: PyTree


class ActionSample(NamedTuple):
    """Own action among others', as a critic sees them, `[B M W]`, and its log-probability.

    moved: log pi - log pi_0: how far the policy has moved since the step, where it acts so.
    """

    actions: Float[Array, "B M W"]
    log_prob: Float[Array, " B"]
    moved: Float[Array, " B"]


class OtherActions(NamedTuple):
    """Actions that everybody would take, as an agent knows them; its own entry is not used.

    now, then: where steps began, and where they led to, `[B, M, W]`.
    index:     the own place among the agents.
    """

    now: Float[Array, "B M W"]
    then: Float[Array, "B M W"]
    index: Int[Array, ""]


class PolicyBatch(NamedTuple):
    """Batch that a policy is improved on.

    view, choices: the own views, and the distributions of the policy now.
    did, might: the action that it took then, and one that it might take now.
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
class F2A2OffPolicy(F2A2):
    """The off-policy form: a minibatch of stored steps in each update (Proposition 4).

    Others' actions, now and next, come from models of them (see `opponents`). A method
    defines its critics, the actions of its targets and its policy, and the policy's objective.
    """

    rollout_length: Annotated[int, AtLeast(1)] = 25
    """Steps played in every environment between two rounds of updates."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-3
    """Adam's step size for the policy (beta_psi)."""
    replay: ExperienceReplay = ExperienceReplay()
    """The memory of steps, and how much is learned from it."""
    tau: Annotated[float, Between(0, 1, open=True)] = 0.005
    """The share of the way that targets go towards what they follow, at each gradient step."""
    td_terms: Literal["stored", "both"] = "stored"
    """Whether terms with a temporal difference are of stored actions alone, or (as printed) also
    of actions drawn afresh, with the reward of the stored ones."""
    opponents: Opponents = EstimatedActions()
    """Source of the other agents' actions."""
    burn_in: Annotated[int, AtLeast(0)] = 5
    """Steps that a recurrent policy is taken through before each drawn step."""

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "any"

    @abc.abstractmethod
    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        """The own next action, `[B, W]`, by the target's choices, and a bonus for it, `[B]`."""

    @abc.abstractmethod
    def sample_action(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        """An action of the policy, which a gradient may pass through."""

    @abc.abstractmethod
    def actor_objective(self, critics: Any, case: PolicyBatch) -> Float[Array, " B"]:
        """Objective of the policy."""

    @abc.abstractmethod
    def update_policy_now(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        """True if the policy and the targets move in this update."""

    @property
    def critics_know(self) -> Information:
        """Inputs of the critics."""
        return JOINT

    @property
    def information(self) -> Information:
        updates, batch = self.replay.updates_per_rollout, self.replay.batch_size
        known = replace(self.critics_know, action_space=self.action_space)
        known = self.declared(known, updates)
        return self.opponents.declared(known, lambda spec: batch * max(spec.sizes), updates)

    def check(self, num_envs: int) -> None:
        self.consensus.check()
        self.replay.check(num_envs, self.rollout_length)

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[OffPolicyState, RecurrentState]:
        models = self.models(keys, spec)
        optimizer = self.optimizer().init(eqx.filter(models, eqx.is_array))
        opponents = self.opponents.init(
            jax.random.fold_in(keys.own, 1), spec, self.rollout_length, self._opponent_rule()
        )
        extras = F2A2Extras(self.start(models), opponents)
        zero = jnp.zeros((), jnp.int32)
        student = ActorCriticState(models, models, optimizer, zero, extras)
        memory = models.policy.body.start()
        stored = experience.empty(self._blank(spec), self.replay.buffer_size)
        return OffPolicyState(student, stored), memory

    def in_reward_units(self, state: OffPolicyState) -> list[PyTree]:
        student = state.actor_critic
        heads = self.heads(student.models.critic) + self.heads(student.target.critic)
        return [*heads, state.replay.items.reward]

    def learned(self, state: OffPolicyState) -> Models:
        return state.actor_critic.models

    def act(
        self, state: OffPolicyState, memory: RecurrentState, view: Observation, key: Key[Array, ""]
    ) -> tuple[RecordedAction, RecurrentState]:
        return _played(state.actor_critic.models.policy, memory, view, key)

    def learn(
        self, state: OffPolicyState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[OffPolicyState, Network, Metrics]:
        student, stored = state.actor_critic, state.replay.items
        steps = _steps(trajectory, stored.encoder)
        known = self.opponents.set_characters(
            student.extras.opponents, steps, state.replay.size == 0
        )
        student = student._replace(extras=student.extras._replace(opponents=known))
        num_envs = trajectory.reward.shape[1]

        def draw(stored: Replay, key: Key[Array, ""]) -> Sample:
            return self.draw(stored, key, num_envs)

        state = state._replace(actor_critic=student)
        return self.replay.learn(state, steps, draw, self._improve, network, key)

    def draw(self, stored: Replay, key: Key[Array, ""], num_envs: int) -> Sample:
        """Remembered steps to learn from, of so many environments side by side."""
        before = self.burn_in if self.actor.recurrent else 0
        length = max(before, self.opponents.steps_before)
        return self.opponents.draw(stored, key, self.replay.batch_size, num_envs, length)

    def _improve(
        self, student: ActorCriticState, sample: Sample, network: Network, key: Key[Array, ""]
    ) -> tuple[ActorCriticState, Network, Metrics]:
        """One update: critic and policy, the agreement, and the models of the others."""
        others_key, *gradient_keys, own_key = jax.random.split(key, 4)
        pact, known = student.extras
        information = self.information
        batch = JointBatch.of(sample.sequence, network, information)
        others, network = self._others(known, student, batch, network, (others_key, own_key))
        gradient, metrics = chunked(self._gradient, 1)(  # each judges all others' steps
            student.models, student.target, batch, others, jnp.stack(gradient_keys)
        )
        shared, mine = self.parts(gradient)
        shared, network = self.consensus.pooled(shared, network, self.payload)
        gradient = eqx.combine(shared, mine)
        change: Any
        change, optimizer = self.optimizer().update(gradient, student.optimizer)
        due = self.update_policy_now(student.updates)
        change = change._replace(policy=jax.tree.map(lambda x: due * x, change.policy))
        models, pact, network = self.agree(student.models, change, pact, network)
        target = polyak_update(student.target, models, jnp.where(due, self.tau, 0.0))
        known, more = self.opponents.update(
            known, sample, network, information, self._opponent_rule()
        )
        metrics |= {"gradient_norm": optax.tree.norm(gradient)} | more
        extras = F2A2Extras(pact, known)
        student = ActorCriticState(models, target, optimizer, student.updates + 1, extras)
        return student, network, metrics

    def _others(
        self,
        known: PyTree,
        student: ActorCriticState,
        batch: JointBatch,
        network: Network,
        keys: tuple[Key[Array, ""], Key[Array, ""]],
    ) -> tuple[OtherActions, Network]:
        """Actions that everybody would take now and next, as far as the agent knows."""

        def own() -> tuple[Float[Array, "B W"], Float[Array, "B W"]]:
            now, then = jax.random.split(keys[1])
            mine = self.sample_action(batch.now(student.models.policy), now)
            return mine, self.next_action(batch.next(student.target.policy), then)[0]

        would, network = self.opponents.predict(known, batch, network, own, keys[0])
        would = batch.of_those_there(would)
        # Alone in its arrays, an agent's place is the first.
        index = network.index if self.opponents.known else jnp.zeros((), jnp.int32)
        return OtherActions(would[0], would[1], index), network

    def _gradient(
        self,
        models: Models,
        target: Models,
        batch: JointBatch,
        others: OtherActions,
        keys: Key[Array, "2"],
    ) -> tuple[Models, Metrics]:
        """The gradient of an agent's loss."""
        value = self._target(target, batch, others, keys[0])
        return jax.grad(self._loss, has_aux=True)(models, batch, others, value, keys[1])

    def _target(
        self, target: Models, batch: JointBatch, others: OtherActions, key: Key[Array, ""]
    ) -> Float[Array, " B"]:
        """`y = r + gamma (min_k Q_k(o', a') + bonus)`."""
        step, view = batch.step, batch.next_view
        mine, bonus = self.next_action(batch.next(target.policy), key)
        actions = others.then.at[:, others.index].set(mine)
        later = jnp.min(self.values(target.critic, view, actions, others.index), axis=0) + bonus
        return step.reward + self.discount * jnp.where(step.terminated, 0.0, later)

    def _loss(
        self,
        models: Models,
        batch: JointBatch,
        others: OtherActions,
        target: Float[Array, " B"],
        key: Key[Array, ""],
    ) -> tuple[Float[Array, ""], Metrics]:
        """The agent's part of (4.4): critics at actions taken, the policy at fresh ones."""
        step, view, rule, index = batch.step, batch.view, self.objective, others.index
        present, choices = view.alive, batch.now(models.policy)
        mine = self.sample_action(choices, key)
        action = jnp.argmax(mine, axis=-1) if step.discrete else mine
        did = _tried(choices, step, step.action, batch.actions)
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

    def _blank(self, spec: LearnerSpec) -> Transition:
        """A remembered step of zeros, for its shapes."""
        view, zero = blank_observation(spec)._replace(state=None), jnp.zeros(())

        def acting() -> RecordedAction:
            policy = self.models(InitKeys.of(jax.random.key(0)), spec).policy
            return _played(policy, policy.body.start(), view, jax.random.key(0))[0]

        action, choices, memory = jax.eval_shape(acting)
        no = zero > 0
        return Transition(view, action, choices, memory, zero, no, no, view, spec.encoder)

    def _opponent_rule(self) -> optax.GradientTransformation:
        """Optimiser of the models of the others."""
        return clipped_adams(
            {"opponent_models": self.critic_lr}, "opponent_models", self.max_grad_norm
        )


def _steps(trajectory: Trajectory, encoder: ObservationEncoder) -> Transition:
    """Data that the replay keeps of every step, `[T, G, ...]`."""
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
        encoder,
    )


def _played(
    policy: Policy, memory: RecurrentState, view: Observation, key: Key[Array, ""]
) -> tuple[RecordedAction, RecurrentState]:
    choices, after = policy.step(view, memory)
    return RecordedAction(choices.sample(key), choices, memory), after


def _tried(
    choices: Distribution, step: Transition, action: Array, actions: Float[Array, "B M W"]
) -> ActionSample:
    log_prob = choices.log_prob(action)
    return ActionSample(
        actions, log_prob, jax.lax.stop_gradient(log_prob - step.choices.log_prob(action))
    )
