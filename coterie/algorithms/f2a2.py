"""What the methods of F2A2 share: a joint objective, an agreement, and a view of the others."""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.algorithm import Experience, Information, Metrics, joint
from coterie.algorithms.company import POLICIES, Company, Known, Memory, Sample
from coterie.algorithms.joint import Joint
from coterie.algorithms.off_policy import Learner, Models, OffPolicy, Student
from coterie.algorithms.primal_dual import Pact, Parts, PrimalDual
from coterie.errors import ConfigError
from coterie.network import Network
from coterie.rl import replay
from coterie.rl.averages import mean
from coterie.rl.distributions import Categorical, Distribution
from coterie.rl.models import Policy, Shape, followed
from coterie.types import AgentSpec, View, blank_view


class Play(NamedTuple):
    """An action, and the distribution it was drawn from; `[G, ...]`."""

    action: Array
    choices: Distribution


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
class F2A2(OffPolicy):
    """Flexible fully-decentralised actor-critic (F2A2; Algorithm 1), off-policy.

    An agent minimises its part of the augmented Lagrangian (5.2): critic and policy together (see
    `joint`), in parameters of its own and in a copy of what is shared, on which the team agrees by
    the primal-dual scheme (5.4) (see `primal_dual`). Others' actions, now and next, come from
    models of them (see `company`). In each update critics and policies step at once, then there is
    one round of agreement: the printed loop over agents would average new copies with old ones. The
    force of the agreement is a plain gradient step beside Adam's.

    Everybody's observations and actions are known to all while they learn, as the paper has it;
    rewards and policies are not.
    """

    learning_rate: float = 1e-3
    """Adam's step size for the policy (beta_psi)."""
    critic_learning_rate: float = 1e-3
    """Step size of the critics (beta_phi), and of the force that holds their copies together."""
    discount: float = 0.99
    """gamma: what a reward one step later is worth now."""
    follow: float = 0.005
    """The share of the way that targets go towards what they follow, at each gradient step."""
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "leaky_relu"
    """Non-linearity after each dense layer."""
    critic_optimizer: Literal["adam", "sgd"] = "adam"
    """Adam scales each agent's errors by their own size; sgd agrees on the mean reward's critic."""
    penalty: float = 100.0
    """beta: how strongly copies are held together; 3 beta critic_learning_rate must be below 4."""
    forget: float = 0.0
    """The share of the dual variables forgotten in each round: above 0 where agents listen at
    intervals of their own."""
    objective: Literal["joint", "alternating"] = "joint"
    """Actor and critic as one objective, or (the ablation) each for itself."""
    optimism: float = 0.01
    """alpha_1 / alpha_2 in the critic's block: the joint objective lifts values by half of it."""
    caution: float = 0.1
    """alpha_2 / alpha_1 in the policy's: how much it avoids what surprises the critic."""
    expectations: Literal["stored", "both"] = "stored"
    """Whether terms with a temporal difference are of stored actions alone, or (as printed) also
    of actions drawn afresh, with the reward of the stored ones."""
    others: Literal["estimates", "policies", "none"] = "estimates"
    """What the others would do: a guess of their models, what they say, or nothing at all, to
    critics of the own action alone."""
    mind_width: int = 32
    """Width of the networks that model another agent."""
    mental_steps: int = 5
    """Steps of the running episode that its mental state is made of."""
    trajectories: int = 8
    """Games whose first `horizon` steps form its character."""
    latest: int = 1_200
    """Steps that its model learns from: the latest ones."""

    payload: ClassVar[str] = "critic"

    @abc.abstractmethod
    def critics(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Any, ...]:
        """Fresh critics; the policy climbs the first."""

    @abc.abstractmethod
    def values(
        self, critics: Any, view: View, actions: Float[Array, "B M W"], index: Int[Array, ""]
    ) -> Float[Array, "K B"]:
        """What each critic thinks of everybody's actions; the own ones are at `index`."""

    @abc.abstractmethod
    def following(self, target: Models, view: View, key: Key[Array, ""]) -> tuple[Array, Array]:
        """The own action in the target, `[B, W]`, and a bonus for it, `[B]`."""

    @abc.abstractmethod
    def afresh(self, choices: Distribution, key: Key[Array, ""]) -> Float[Array, "B W"]:
        """An action of the policy, which a gradient may pass through."""

    @abc.abstractmethod
    def gain(self, critics: Any, case: Case) -> Float[Array, " B"]:
        """What the policy climbs."""

    def shares(self, models: Models) -> Any:
        """Which parameters are shared: truth values for a prefix of the models."""
        return Models(policy=False, critic=True)  # type: ignore[arg-type]

    def due(self, updates: Int[Array, ""]) -> Bool[Array, ""]:
        """Whether the policy and the targets move in this update."""
        return updates >= 0

    def actor(self, keys: Key[Array, "2"], shape: Shape, spec: AgentSpec) -> Policy:
        """A fresh policy."""
        return Policy.init(keys, shape, spec.action)

    @property
    def information(self) -> Information:
        sends = (self.payload, POLICIES) if self.others == "policies" else (self.payload,)
        actions = "own" if self.others == "none" else "joint"
        return Information(state="observations", actions=actions, sends=sends)

    def check(self, games: int) -> None:
        self._agreement.check(self.critic_learning_rate)
        super().check(games)

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Learner, tuple[()]]:
        learner, memory = super().init(key, spec)
        student = learner.student
        pact = self._agreement.start(self._parts(student.models).shared)
        known = self._company.init(jax.random.fold_in(key, 1), spec, self.horizon)
        return learner._replace(student=student._replace(beside=Beside(pact, known))), memory

    def models(self, key: Key[Array, ""], spec: AgentSpec) -> Models:
        if spec.states:
            raise ConfigError(
                "f2a2 learns from everybody's observations, but this game's are numbered states: "
                "use maddpg, networked-q or a method with tables."
            )
        keys = jax.random.split(key, 3)
        seen = Shape.of(spec, self.hidden, self.activation, False)
        return Models(self.actor(keys[:2], seen, spec), self.critics(keys[2], spec))  # type: ignore[arg-type]

    def blank(self, spec: AgentSpec) -> Memory:
        view, zero = blank_view(spec), jnp.zeros(())

        def acting() -> Play:
            choices = self.models(jax.random.key(0), spec).policy.facing(view)
            return Play(choices.sample(jax.random.key(0)), choices)

        actions = jnp.zeros((len(spec.sizes) or 1, max(spec.sizes, default=spec.action.size)))
        play = jax.eval_shape(acting)
        rest = zero, zero > 0, zero > 0, view
        return Memory(view, actions, play.action, play.choices, *rest)

    def act(
        self, state: Learner, memory: tuple[()], view: View, key: Key[Array, ""]
    ) -> tuple[Play, tuple[()]]:
        choices = state.student.models.policy.facing(view)
        return Play(choices.sample(key), choices), memory

    def steps(self, experience: Experience) -> Memory:
        action, choices = experience.decision
        mine = jnp.clip(action, -1.0, 1.0)
        if isinstance(choices, Categorical):  # what was impossible is not asked for again
            choices = Categorical(jnp.where(choices.log_probs > -1e8, choices.log_probs, 0.0))
            mine = jax.nn.one_hot(action, choices.log_probs.shape[-1])
        return Memory(
            experience.view,
            mine[..., None, :] if self.others == "none" else joint(experience),
            action,
            choices,
            experience.reward,
            experience.terminated,
            experience.over,
            experience.next_view,
        )

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        beside, steps = state.student.beside, self.steps(experience)
        known = self._company.introduced(beside.known, steps, state.replay.size == 0)
        student = state.student._replace(beside=beside._replace(known=known))
        return super().learn(state._replace(student=student), experience, network, key)

    def draw(self, stored: replay.Replay, key: Key[Array, ""], games: int) -> Sample:
        return self._company.draw(stored, key, self.batch, games)

    def improve(
        self, student: Student, sample: Sample, network: Network, key: Key[Array, ""]
    ) -> tuple[Student, Network, Metrics]:
        """One update: critic and policy, the agreement, and what is known of the others."""
        company_key, target_key, loss_key = jax.random.split(key, 3)
        step, (pact, known) = sample.step, student.beside
        index = network.index if self.others != "none" else jnp.zeros((), jnp.int32)

        def say(view: View, key: Key[Array, ""]) -> Float[Array, "B W"]:
            return self.afresh(student.models.policy.facing(view), key)

        (now, then), network = self._company.would(known, sample, network, say, company_key)
        target = self._target(student.target, step, then, index, target_key)
        gradient, said = jax.grad(self._loss, has_aux=True)(
            student.models, step, now, target, index, loss_key
        )
        change, optimizer = self.optimizer().update(gradient, student.optimizer)
        due = self.due(student.updates)
        models, pact, network = self._agree(student.models, change, due, pact, network)
        followers = followed(student.target, models, jnp.where(due, self.follow, 0.0))
        known, learned = self._company.study(known, sample, network.index)
        said |= learned | {"gradient_norm": optax.tree.norm(gradient)}
        beside = Beside(pact, known)
        return Student(models, followers, optimizer, student.updates + 1, beside), network, said

    def shared(self, state: Learner) -> dict[str, PyTree]:
        return {self.payload: self._parts(state.student.models).shared}

    def optimizer(self) -> optax.GradientTransformation:
        if self.critic_optimizer == "adam":
            return super().optimizer()
        clip = optax.clip_by_global_norm(self.gradient_clip)
        rules = {
            "policy": optax.chain(clip, optax.adam(self.learning_rate)),
            "critic": optax.chain(clip, optax.sgd(self.critic_learning_rate)),
        }
        return optax.partition(rules, Models("policy", "critic"))  # type: ignore[arg-type]

    @property
    def rule(self) -> Joint:
        """The joint objective, or its ablation."""
        if self.objective == "alternating":
            return Joint()
        return Joint(self.optimism, self.caution, cut=1.0)

    @property
    def _agreement(self) -> PrimalDual:
        return PrimalDual(self.penalty, self.forget)

    @property
    def _company(self) -> Company:
        sizes = self.mind_width, self.mental_steps, self.trajectories, self.latest
        return Company(self.others, *sizes, self.critic_learning_rate, self.gradient_clip)

    def _parts(self, models: Models) -> Parts:
        return Parts.of(models, self.shares(models))

    def _target(
        self,
        target: Models,
        step: Memory,
        others: Float[Array, "B M W"],
        index: Int[Array, ""],
        key: Key[Array, ""],
    ) -> Float[Array, " B"]:
        """`y = r + gamma (min_k Q_k(o', a') + bonus)`."""
        mine, bonus = self.following(target, step.next_view, key)
        actions = others.at[:, index].set(mine)
        later = jnp.min(self.values(target.critic, step.next_view, actions, index), axis=0) + bonus
        return step.reward + self.discount * jnp.where(step.terminated, 0.0, later)

    def _loss(
        self,
        models: Models,
        step: Memory,
        others: Float[Array, "B M W"],
        target: Float[Array, " B"],
        index: Int[Array, ""],
        key: Key[Array, ""],
    ) -> tuple[Float[Array, ""], Metrics]:
        """The agent's part of (4.4): critics at what was done, the policy at what it would do."""
        present, rule = step.view.present, self.rule
        choices = models.policy.facing(step.view)
        mine = self.afresh(choices, key)
        action = jnp.argmax(mine, axis=-1) if step.discrete else mine
        did = _tried(choices, step, step.action, step.actions)
        might = _tried(choices, step, action, others.at[:, index].set(mine))

        values = self.values(models.critic, step.view, did.actions, index)
        error = rule.critic_stored(values, target, did.moved)
        fixed = jax.lax.stop_gradient(models.critic)
        gain = self.gain(fixed, Case(step.view, choices, did, might, target, index))
        if self.expectations == "both":
            held = jax.lax.stop_gradient(might)
            again = self.values(models.critic, step.view, held.actions, index)
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

    def _agree(
        self, models: Models, change: Any, due: Bool[Array, ""], pact: Pact, network: Network
    ) -> tuple[Models, Pact, Network]:
        """(5.4): what is shared steps along the gradient and the force at once, then all meet."""
        force = self._agreement.force(self._parts(models).shared, pact)
        change = change._replace(policy=jax.tree.map(lambda x: due * x, change.policy))
        shared, individual = self._parts(eqx.apply_updates(models, change))
        rates = self.learning_rate, self.critic_learning_rate
        pulled = Models(
            *(
                jax.tree.map(lambda x, f, rate=rate: x - rate * f, part, push)
                for rate, part, push in zip(rates, shared, force, strict=True)
            )
        )
        pact, network = self._agreement.meet(pulled, pact, network, self.payload)
        return Parts(pulled, individual).whole, pact, network


def _tried(
    choices: Distribution, step: Memory, action: Array, actions: Float[Array, "B M W"]
) -> Try:
    log_prob = choices.log_prob(action)
    return Try(actions, log_prob, jax.lax.stop_gradient(log_prob - step.choices.log_prob(action)))
