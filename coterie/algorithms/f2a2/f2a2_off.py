"""F2A2 off-policy: from a memory of steps, and with a view of what the others would do."""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Experience, Information, Metrics
from coterie.algorithms.base.off_policy import Learner, Models, OffPolicy, Student
from coterie.algorithms.f2a2.f2a2 import F2A2
from coterie.algorithms.f2a2.joint_batch import Memory, Sample, Scene
from coterie.algorithms.f2a2.other_actions import POLICIES, Company, Known
from coterie.algorithms.f2a2.primal_dual import Pact
from coterie.bounds import AtLeast, Between
from coterie.errors import require
from coterie.network import Network, few_at_a_time
from coterie.rl import replay
from coterie.rl.distributions import Distribution
from coterie.rl.masked_stats import mean
from coterie.rl.models import Memory as Recalled
from coterie.rl.models import Policy, followed
from coterie.types import AgentSpec, View, blank_view


class Play(NamedTuple):
    """An action, what it was drawn from, and what the policy remembered before; `[G, ...]`."""

    action: Array
    choices: Distribution
    memory: Recalled


class Beside(NamedTuple):
    """What an agent learns besides its policy and critics: an agreement, and what others do."""

    pact: Pact
    known: Known


class Try(NamedTuple):
    """An own action among others', as a critic sees them, `[B M W]`, and how likely it is.

    moved: log pi - log pi_0: how far the policy has moved since the step, where it acts so.
    """

    actions: Float[Array, "B M W"]
    log_prob: Float[Array, " B"]
    moved: Float[Array, " B"]


class Others(NamedTuple):
    """What everybody would do, as an agent knows it, in its place what it would do itself.

    now, then: where steps began, and where they led to, `[B, M, W]`.
    index:     the own place among the agents.
    """

    now: Float[Array, "B M W"]
    then: Float[Array, "B M W"]
    index: Int[Array, ""]


class Case(NamedTuple):
    """What a policy is to be improved by.

    view, choices: what was seen, and what the policy would do now.
    did, might: what it did then, and what it might do now.
    target: y, of what it did.
    index:  the own place among the agents.
    """

    view: View
    choices: Distribution
    did: Try
    might: Try
    target: Float[Array, " B"]
    index: Int[Array, ""]


@dataclass(frozen=True)
class F2A2OffPolicy(F2A2, OffPolicy):
    """The off-policy form: a minibatch of stored steps in each update (Proposition 4).

    Others' actions, now and next, come from models of them (see `other_actions`).
    """

    follow: Annotated[float, Between(0, 1, open=True)] = 0.005
    """The share of the way that targets go towards what they follow, at each gradient step."""
    expectations: Literal["stored", "both"] = "stored"
    """Whether terms with a temporal difference are of stored actions alone, or (as printed) also
    of actions drawn afresh, with the reward of the stored ones."""
    others: Literal["estimates", "policies", "none"] = "estimates"
    """What the others would do: a guess of their models, what they say, or nothing at all, to
    critics of the own action alone."""
    mind_width: Annotated[int, AtLeast(1)] = 32
    """Width of the networks that model another agent."""
    mental_steps: Annotated[int, AtLeast(1)] = 5
    """Steps of the running episode that its mental state is made of, and that a recurrent policy is
    taken through before each drawn step."""
    trajectories: Annotated[int, AtLeast(1)] = 8
    """Games whose first `horizon` steps form its character."""
    latest: Annotated[int, AtLeast(1)] = 1_200
    """Steps that its model learns from: the latest ones."""

    @abc.abstractmethod
    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Any, ...]:
        """Fresh critics; the policy climbs the first."""

    @abc.abstractmethod
    def following(self, choices: Distribution, key: Key[Array, ""]) -> tuple[Array, Array]:
        """The own next action, `[B, W]`, by the target's choices, and a bonus for it, `[B]`."""

    @abc.abstractmethod
    def afresh(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        """An action of the policy, which a gradient may pass through."""

    @abc.abstractmethod
    def gain(self, critics: Any, case: Case) -> Float[Array, " B"]:
        """What the policy climbs."""

    def pooled(self, gradient: Any, network: Network) -> tuple[Any, Network]:
        """The gradient that an agent steps along: its own."""
        return gradient, network

    def due(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        """Whether the policy and the targets move in this update."""
        return updates >= 0

    def check(self, games: int) -> None:
        super().check(games)
        self._require_company()

    def _require_company(self) -> None:
        """Raise `ConfigError` unless what the others would do can be known as is asked for."""
        require(
            self.others == "none" or self.information.actions == "joint",
            "this method does not observe the others' actions and cannot have "
            f"others={self.others}: use f2a2-sac, or --others none.",
        )

    @property
    def information(self) -> Information:
        if self.others == "none":
            return replace(super().information, actions="own")
        if self.others == "estimates":
            return super().information
        return replace(super().information, sends=(self.payload, POLICIES), to_all=True)

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Learner, Recalled]:
        learner, _ = super().init(key, spec)
        student = learner.student
        memory = student.models.policy.body.start()
        known = self._company.init(jax.random.fold_in(key, 1), spec, self.horizon)
        beside = Beside(self.start(student.models), known)
        return learner._replace(student=student._replace(beside=beside)), memory

    def learned(self, state: Learner) -> Models:
        return state.student.models

    def blank(self, spec: AgentSpec) -> Memory:
        view, zero = blank_view(spec)._replace(state=None), jnp.zeros(())

        def acting() -> Play:
            policy = self.models(jax.random.key(0), spec).policy
            return _played(policy, policy.body.start(), view, jax.random.key(0))[0]

        action, choices, memory = jax.eval_shape(acting)
        return Memory(view, action, choices, memory, zero, zero > 0, zero > 0, view)

    def act(
        self, state: Learner, memory: Recalled, view: View, key: Key[Array, ""]
    ) -> tuple[Play, Recalled]:
        return _played(state.student.models.policy, memory, view, key)

    def steps(self, experience: Experience) -> Memory:
        action, choices, memory = experience.decision
        return Memory(
            experience.view._replace(state=None),
            action,
            choices.possible,  # what was impossible is not asked for again
            memory,
            experience.reward,
            experience.terminated,
            experience.over,
            experience.next_view._replace(state=None),
        )

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        beside, steps = state.student.beside, self.steps(experience)
        known = self._company.introduced(beside.known, steps, state.replay.size == 0)
        student = state.student._replace(beside=beside._replace(known=known))
        return super().learn(state._replace(student=student), experience, network, key)

    def draw(self, stored: replay.Replay, key: Key[Array, ""], games: int) -> Sample:
        recalls = self.recurrent or self.others == "estimates"
        length = self.mental_steps if recalls else 0
        return self._company.draw(stored, key, self.batch, games, length)

    def improve(
        self, student: Student, sample: Sample, network: Network, key: Key[Array, ""]
    ) -> tuple[Student, Network, Metrics]:
        """One update: critic and policy, the agreement, and what is known of the others."""
        company_key, *gradient_keys, say_key = jax.random.split(key, 4)
        pact, known = student.beside
        scene = Scene.of(sample.drawn, network, self.information)
        index = network.index if self.others != "none" else jnp.zeros((), jnp.int32)

        said = self._said(student, scene, say_key) if self.others == "policies" else None
        would, network = self._company.would(known, scene, network, said, company_key)
        would = scene.of_those_there(would)
        others = Others(would[0], would[1], index)
        gradient, metrics = few_at_a_time(self._gradient, 1)(  # each judges all others' steps
            student.models, student.target, scene, others, jnp.stack(gradient_keys)
        )
        gradient, network = self.pooled(gradient, network)
        change: Any
        change, optimizer = self.optimizer().update(gradient, student.optimizer)
        due = self.due(student.updates)
        change = change._replace(policy=jax.tree.map(lambda x: due * x, change.policy))
        models, pact, network = self.agree(student.models, change, pact, network)
        followers = followed(student.target, models, jnp.where(due, self.follow, 0.0))
        metrics |= {"gradient_norm": optax.tree.norm(gradient)}
        if sample.latest is not None:
            lately = Scene.of(sample.latest, network, self.information)
            known, more = self._company.study(known, lately, network)
            metrics |= more
        beside = Beside(pact, known)
        return Student(models, followers, optimizer, student.updates + 1, beside), network, metrics

    def _said(
        self, student: Student, scene: Scene, key: Key[Array, ""]
    ) -> tuple[Float[Array, "B W"], Float[Array, "B W"]]:
        """What this agent's policy would do now, and its target next."""
        now, then = jax.random.split(key)
        mine = self.afresh(scene.now(student.models.policy), now)
        return mine, self.following(scene.next(student.target.policy), then)[0]

    @property
    def _company(self) -> Company:
        sizes = self.mind_width, self.trajectories, self.latest
        return Company(self.others, *sizes, self.critic_learning_rate, self.gradient_clip)

    def _gradient(
        self,
        models: Models,
        target: Models,
        scene: Scene,
        others: Others,
        keys: Key[Array, "2"],
    ) -> tuple[Models, Metrics]:
        """The gradient of an agent's loss."""
        value = self._target(target, scene, others, keys[0])
        return jax.grad(self._loss, has_aux=True)(models, scene, others, value, keys[1])

    def _target(
        self, target: Models, scene: Scene, others: Others, key: Key[Array, ""]
    ) -> Float[Array, " B"]:
        """`y = r + gamma (min_k Q_k(o', a') + bonus)`."""
        step, view = scene.step, scene.next_view
        mine, bonus = self.following(scene.next(target.policy), key)
        actions = others.then.at[:, others.index].set(mine)
        later = jnp.min(self.values(target.critic, view, actions, others.index), axis=0) + bonus
        return step.reward + self.discount * jnp.where(step.terminated, 0.0, later)

    def _loss(
        self,
        models: Models,
        scene: Scene,
        others: Others,
        target: Float[Array, " B"],
        key: Key[Array, ""],
    ) -> tuple[Float[Array, ""], Metrics]:
        """The agent's part of (4.4): critics at what was done, the policy at what it would do."""
        step, view, rule, index = scene.step, scene.view, self.rule, others.index
        present, choices = view.present, scene.now(models.policy)
        mine = self.afresh(choices, key)
        action = jnp.argmax(mine, axis=-1) if step.discrete else mine
        did = _tried(choices, step, step.action, scene.actions)
        might = _tried(choices, step, action, others.now.at[:, index].set(mine))

        values = self.values(models.critic, view, did.actions, index)
        error = rule.critic_stored(values, target, did.moved)
        fixed = jax.lax.stop_gradient(models.critic)
        gain = self.gain(fixed, Case(view, choices, did, might, target, index))
        if self.expectations == "both":
            held = jax.lax.stop_gradient(might)
            again = self.values(models.critic, view, held.actions, index)
            error = error + rule.critic_fresh(again, target, held.moved)
        else:
            gain = gain + rule.wary(did.log_prob, values, target, did.moved)
        metrics = {
            "critic_loss": mean(jnp.mean((values - target) ** 2, axis=0), present),
            "policy_loss": -mean(gain, present),
            "value": mean(values[0], present),
            "entropy": mean(choices.entropy(), present),
        }
        return mean(error - gain, present), metrics


def _played(
    policy: Policy, memory: Recalled, view: View, key: Key[Array, ""]
) -> tuple[Play, Recalled]:
    choices, after = policy.step(view, memory)
    return Play(choices.sample(key), choices, memory), after


def _tried(
    choices: Distribution, step: Memory, action: Array, actions: Float[Array, "B M W"]
) -> Try:
    log_prob = choices.log_prob(action)
    return Try(actions, log_prob, jax.lax.stop_gradient(log_prob - step.choices.log_prob(action)))
