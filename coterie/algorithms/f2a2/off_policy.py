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
    Lookahead,
    Models,
    OffPolicyState,
    require_lookahead,
)
from coterie.algorithms.f2a2.f2a2 import F2A2, JOINT
from coterie.algorithms.f2a2.joint_batch import JointBatch
from coterie.algorithms.f2a2.opponents import EstimatedActions, Opponents
from coterie.algorithms.f2a2.policy_batch import (
    ActionSample,
    JointActions,
    PolicyBatch,
    UpdateBatch,
)
from coterie.algorithms.f2a2.stored_steps import RecordedAction, Sample, Transition
from coterie.algorithms.f2a2.temperature import Temperature
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.errors import require
from coterie.network import Network, chunked
from coterie.rl import replay as experience
from coterie.rl.bodies import RecurrentState
from coterie.rl.distributions import Distribution
from coterie.rl.masked_stats import mean
from coterie.rl.networks import polyak_update
from coterie.rl.optimizers import clipped_adams
from coterie.rl.replay import Replay
from coterie.types import LearnerSpec, Observation


class F2A2Extras(NamedTuple):
    """State besides policy and critics: the agreement on parameters, models of the others, and
    the temperature."""

    dual: PyTree
    opponents: PyTree
    temperature: PyTree


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
    tau: Annotated[float, Between(0, 1, open=True)] = 0.02
    """The share of the way that targets go towards what they follow, at each gradient step."""
    td_terms: Literal["stored", "both"] = "stored"
    """Whether terms with a temporal difference are of stored actions alone, or (as printed) also
    of actions drawn afresh, with the reward of the stored ones."""
    opponents: Opponents = EstimatedActions()
    """Source of the other agents' actions."""
    burn_in: Annotated[int, AtLeast(0)] = 5
    """Steps that a recurrent policy is taken through before each drawn step."""
    n_step: Annotated[int, AtLeast(1)] = 1
    """Rewards that a target sums before it looks at the critics."""

    action_space: ClassVar[Literal["any", "discrete", "continuous"]] = "any"

    @abc.abstractmethod
    def next_action(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        """The own next action, `[B, W]`, by the target's choices, and the nats of entropy that it
        is paid for, `[B]`."""

    @abc.abstractmethod
    def values(
        self, critics: Any, view: Observation, actions: JointActions, index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        """Values of everybody's actions by each critic; the agent's own actions are at `index`."""

    def hear(self, student: ActorCriticState, drawn: UpdateBatch, network: Network) -> UpdateBatch:
        """The batch with what everybody's critics tell of the steps; nothing but at a centre."""
        return drawn

    def send_back(
        self, models: Models, drawn: UpdateBatch, gradient: Models, felt: PyTree, network: Network
    ) -> Models:
        """The gradient with that of everybody's losses in what the own critics told.

        felt: the gradient of the own loss in what everybody told, `[N, B, ...]`.
        """
        return gradient

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
    @abc.abstractmethod
    def entropy_price(self) -> Temperature:
        """Worth of a nat of entropy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_lookahead(self.n_step, self.rollout_length)
        require(
            self.n_step == 1 or not self.actor.recurrent,
            f"n_step {self.n_step} looks at a view before which a policy's memory is not kept: use "
            "--n-step 1, or a policy without a memory (--actor mlp).",
        )

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

    def samples_per_insert(self, num_envs: int) -> float:
        return self.replay.samples_per_insert(num_envs * self.rollout_length)

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[OffPolicyState, RecurrentState]:
        models = self.models(keys, spec)
        optimizer = self.optimizer().init(eqx.filter(models, eqx.is_array))
        opponents = self.opponents.init(
            jax.random.fold_in(keys.own, 1), spec, self.rollout_length, self._opponent_rule()
        )
        extras = F2A2Extras(self.start(models), opponents, self.entropy_price.start())
        zero = jnp.zeros((), jnp.int32)
        student = ActorCriticState(models, models, optimizer, zero, extras)
        memory = models.policy.body.start()
        stored = experience.empty(Transition.blank(models.policy, spec), self.replay.buffer_size)
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
        return RecordedAction.of(state.actor_critic.models.policy, memory, view, key)

    def learn(
        self, state: OffPolicyState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[OffPolicyState, Network, Metrics]:
        student, stored = state.actor_critic, state.replay.items
        ahead = Lookahead.of(trajectory, self.discount, self.n_step)
        steps = Transition.of(trajectory, ahead, stored.encoder)
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
        pact, known, temperature = student.extras
        drawn, network = self._with_others(student, sample, network, (others_key, own_key))
        gradient, felt, metrics = chunked(self._gradient, 1)(  # each judges all others' steps
            student.models, student.target, drawn, jnp.stack(gradient_keys)
        )
        gradient = self.send_back(student.models, drawn, gradient, felt, network)
        temperature, cooled = self.entropy_price.updated(temperature, metrics.pop("excess"))
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
            known, sample, network, self.information, self._opponent_rule()
        )
        metrics |= {"gradient_norm": optax.tree.norm(gradient)} | more | cooled
        extras = F2A2Extras(pact, known, temperature)
        student = ActorCriticState(models, target, optimizer, student.updates + 1, extras)
        return student, network, metrics

    def _with_others(
        self,
        student: ActorCriticState,
        sample: Sample,
        network: Network,
        keys: tuple[Key[Array, ""], Key[Array, ""]],
    ) -> tuple[UpdateBatch, Network]:
        """Drawn steps, with the actions that everybody would take as far as the agent knows."""
        steps = JointBatch.of(sample.sequence, network, self.information)

        def own() -> tuple[Float[Array, "B W"], Float[Array, "B W"]]:
            now, then = jax.random.split(keys[1])
            mine = self.sample_action(steps.now(student.models.policy), now)
            return mine, self.next_action(steps.next(student.target.policy), then)[0]

        would, network = self.opponents.predict(
            student.extras.opponents, steps, network, own, keys[0]
        )
        now, then = map(JointActions, steps.of_those_there(would))
        # Alone in its arrays, an agent's place is the first.
        index = network.index if self.opponents.known else jnp.zeros((), jnp.int32)
        alpha = self.entropy_price.alpha(student.extras.temperature)
        drawn = UpdateBatch(steps, JointActions(steps.actions), now, then, index, alpha)
        return self.hear(student, drawn, network), network

    def _gradient(
        self, models: Models, target: Models, drawn: UpdateBatch, keys: Key[Array, "2"]
    ) -> tuple[Models, PyTree, Metrics]:
        """The gradient of an agent's loss in its models, and in what critics told of the steps."""
        value = self._target(target, drawn, keys[0])

        def loss(models: Models, told: PyTree) -> tuple[Float[Array, ""], Metrics]:
            heard = drawn._replace(taken=drawn.taken._replace(told=told))
            return self._loss(models, heard, value, keys[1])

        (gradient, felt), metrics = jax.grad(loss, (0, 1), has_aux=True)(models, drawn.taken.told)
        return gradient, felt, metrics

    def _target(
        self, target: Models, drawn: UpdateBatch, key: Key[Array, ""]
    ) -> Float[Array, " B"]:
        """`y = r + gamma (min_k Q_k(o', a') + alpha nats)`, of one reward or of several."""
        step, view = drawn.steps.step, drawn.steps.next_view
        mine, nats = self.next_action(drawn.steps.next(target.policy), key)
        actions = drawn.then.with_own(drawn.index, mine)
        later = jnp.min(self.values(target.critic, view, actions, drawn.index), axis=0)
        return step.reward + step.discount * (later + drawn.alpha * nats)

    def _loss(
        self, models: Models, drawn: UpdateBatch, target: Float[Array, " B"], key: Key[Array, ""]
    ) -> tuple[Float[Array, ""], Metrics]:
        """The agent's part of (4.4): critics at actions taken, the policy at fresh ones."""
        step, view, rule, index = drawn.steps.step, drawn.steps.view, self.objective, drawn.index
        present, choices = view.alive, drawn.steps.now(models.policy)
        mine = self.sample_action(choices, key)
        action = jnp.argmax(mine, axis=-1) if step.discrete else mine
        did = _tried(choices, step, step.action, drawn.taken)
        might = _tried(choices, step, action, drawn.now.with_own(index, mine))

        values = self.values(models.critic, view, did.actions, index)
        error = rule.critic_stored(values, target, did.moved)
        fixed = jax.lax.stop_gradient(models.critic)
        case = PolicyBatch(view, choices, did, might, target, index, drawn.alpha)
        gain = self.actor_objective(fixed, case)
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
            "excess": self.entropy_price.excess(choices, present),
        }
        return mean(error - gain, present), metrics

    def _opponent_rule(self) -> optax.GradientTransformation:
        """Optimiser of the models of the others."""
        return clipped_adams(
            {"opponent_models": self.critic_lr}, "opponent_models", self.max_grad_norm
        )


def _tried(
    choices: Distribution, step: Transition, action: Array, actions: JointActions
) -> ActionSample:
    log_prob = choices.log_prob(action)
    return ActionSample(
        actions, log_prob, jax.lax.stop_gradient(log_prob - step.choices.log_prob(action))
    )
