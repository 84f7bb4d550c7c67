"""What the off-policy actor-critics share: a memory of steps, an actor, a critic, and targets.

A method adds what it remembers of a step, what its critic is to learn, and what its actor is to
climb.
"""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Algorithm, Experience, Metrics
from coterie.bounds import Above, AtLeast, Between
from coterie.errors import require
from coterie.network import Network, few_at_a_time
from coterie.rl import replay
from coterie.rl.masked_stats import mean
from coterie.rl.models import Policy, followed
from coterie.rl.optimizers import clipped_adams
from coterie.rl.widths import Widths, require_layer
from coterie.types import AgentSpec


class Models(NamedTuple):
    """What learns: a policy, and a critic of actions or several."""

    policy: Policy
    critic: Any


class Student(NamedTuple):
    """Models, the targets that follow them slowly, the optimiser and how often it stepped.

    beside: what else a method learns.
    """

    models: Models
    target: Models
    optimizer: PyTree
    updates: Int[Array, ""]
    beside: PyTree = ()


class Learner(NamedTuple):
    """All that an agent holds: what it learns, and its memory of the past."""

    student: Student
    replay: replay.Replay


class Lesson(NamedTuple):
    """What the critic is to learn: values of `action` `[B, D]`, each counted with a weight."""

    action: Float[Array, "B D"]
    target: Float[Array, " B"]
    weight: Float[Array, " B"]


@dataclass(frozen=True)
class OffPolicy(Algorithm):
    """The hyper-parameters and the updates that off-policy actor-critics share."""

    horizon: Annotated[int, AtLeast(1)] = 25
    """Steps played in every game between two rounds of updates."""
    updates: Annotated[int, AtLeast(1)] = 16
    """Gradient steps after each `horizon`."""
    batch: Annotated[int, AtLeast(1)] = 256
    """Steps in each gradient step."""
    capacity: Annotated[int, AtLeast(1)] = 20_000
    """Steps in the replay memory; the oldest are overwritten."""
    warmup: Annotated[int, AtLeast(0)] = 2_000
    """Steps to collect before the first update."""
    learning_rate: Annotated[float, Above(0)] = 1e-4
    """Adam's step size for the policy."""
    critic_learning_rate: Annotated[float, Above(0)] = 1e-3
    """Adam's step size for the critic."""
    discount: Annotated[float, Between(0, 1)] = 0.95
    """gamma: what a reward one step later is worth now."""
    follow: Annotated[float, Between(0, 1, open=True)] = 0.01
    """The share of the way that targets go towards what they follow, at each gradient step."""
    gradient_clip: Annotated[float, Above(0, infinite=True)] = 1.0
    """Largest norm of each network's gradient."""
    hidden: Widths = (64, 64)
    """Widths of the dense layers, of the policy and of the critic alike."""
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "relu"
    """Non-linearity after each dense layer."""

    @abc.abstractmethod
    def models(self, key: Key[Array, ""], spec: AgentSpec) -> Models:
        """A fresh policy and a fresh critic."""

    @abc.abstractmethod
    def steps(self, experience: Experience) -> Any:
        """What is remembered of every step: `[T, G, ...]`, at least its `view`."""

    @abc.abstractmethod
    def improve(
        self, student: Student, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[Student, Network, Metrics]:
        """One gradient step of the critic and the policy on drawn steps `[B, ...]`."""

    def settle(self, state: Learner, network: Network) -> tuple[Learner, Network]:
        """What is still to do once the gradient steps are made."""
        return state, network

    def check(self, games: int) -> None:
        super().check(games)
        require_layer(self.hidden)
        count = games * self.horizon
        require(
            count <= self.capacity,
            f"{games} games bring {count} steps at once, more than a replay memory of "
            f"{self.capacity} holds: raise --capacity.",
        )
        require(
            self.warmup <= self.capacity,
            f"a replay memory of {self.capacity} never holds a warmup of {self.warmup}: lower it.",
        )
        require(
            self.batch <= self.capacity,
            f"a batch of {self.batch} is more than a replay memory of {self.capacity} holds: lower "
            "--batch, or raise --capacity.",
        )
        require(
            self.capacity < 2**31,
            f"a replay memory of {self.capacity:,} steps has more places than can be numbered: "
            "lower --capacity.",
        )

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Learner, tuple[()]]:
        models = self.models(key, spec)
        optimizer = self.optimizer().init(eqx.filter(models, eqx.is_array))
        student = Student(models, models, optimizer, jnp.zeros((), jnp.int32))
        return Learner(student, replay.empty(self.blank(spec), self.capacity)), ()

    @abc.abstractmethod
    def blank(self, spec: AgentSpec) -> Any:
        """A remembered step of zeros, for its shapes."""

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        new = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), self.steps(experience))
        stored = replay.add(state.replay, new)
        ready = stored.size >= self.warmup

        def update(carry: tuple, key: Key[Array, ""]) -> tuple[tuple, Metrics]:
            student, network = carry
            # Everybody draws the same steps, so that what is said of them can be put together.
            common = network.common(student.updates)
            sample = self.draw(stored, common, experience.reward.shape[1])
            *updated, metrics = self.improve(student, sample, network, key)
            # Until there is enough to learn from, nothing is learned, and nothing was said.
            kept = jax.tree.map(lambda new, old: jnp.where(ready, new, old), tuple(updated), carry)
            return kept, metrics

        keys = jax.random.split(key, self.updates)
        (student, network), metrics = jax.lax.scan(update, (state.student, network), keys)
        state, network = self.settle(Learner(student, stored), network)
        return state, network, jax.tree.map(jnp.mean, metrics)

    def draw(self, stored: replay.Replay, key: Key[Array, ""], games: int) -> Any:
        """Remembered steps to learn from, of so many games side by side."""
        return replay.sample(stored, key, self.batch)

    def policy(self, state: Learner) -> Policy:
        return state.student.models.policy

    def optimizer(self) -> optax.GradientTransformation:
        """How models follow their gradients."""
        rates = {"policy": self.learning_rate, "critic": self.critic_learning_rate}
        return clipped_adams(rates, Models("policy", "critic"), self.gradient_clip)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ByLesson(OffPolicy):
    """A critic that is told what to learn, and a policy that climbs it, both at once."""

    @abc.abstractmethod
    def lesson(
        self, student: Student, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[Lesson, Network, Metrics]:
        """What the critic is to learn from drawn steps `[B, ...]`."""

    @abc.abstractmethod
    def worth(
        self, models: Models, sample: Any, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        """What the policy of agent `index` is to maximise at drawn steps."""

    def improve(
        self, student: Student, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[Student, Network, Metrics]:
        """One gradient step of the critic and the policy on drawn steps."""
        lesson_key, worth_key = jax.random.split(key)
        lesson, network, said = self.lesson(student, sample, network, lesson_key)
        gradient, metrics = few_at_a_time(self._gradient)(
            student.models, lesson, sample, network.index, worth_key
        )
        change, optimizer = self.optimizer().update(gradient, student.optimizer)
        models = eqx.apply_updates(student.models, change)
        target = followed(student.target, models, self.follow)
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        return Student(models, target, optimizer, student.updates + 1), network, metrics | said

    def _gradient(
        self,
        models: Models,
        lesson: Lesson,
        sample: Any,
        index: Int[Array, ""],
        key: Key[Array, ""],
    ) -> tuple[Models, Metrics]:
        """The gradient of the critic's error, less that of what the policy climbs."""
        lesson, present = jax.lax.stop_gradient(lesson), sample.view.present

        def loss(models: Models) -> tuple[Float[Array, ""], Metrics]:
            value = models.critic.value(sample.view.judged, lesson.action)
            error = mean(lesson.weight * (value - lesson.target) ** 2, present)
            fixed = models._replace(critic=jax.lax.stop_gradient(models.critic))
            worth, more = self.worth(fixed, sample, index, key)
            gain = mean(worth, present)
            metrics = {"critic_loss": error, "policy_loss": -gain, "value": mean(value, present)}
            return 0.5 * error - gain, metrics | more

        return jax.grad(loss, has_aux=True)(models)
