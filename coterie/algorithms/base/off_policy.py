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

from coterie.algorithms.base.algorithm import Algorithm, Metrics, Trajectory
from coterie.bounds import Above, AtLeast, Between
from coterie.errors import require
from coterie.network import Network, chunked
from coterie.rl import replay
from coterie.rl.masked_stats import mean
from coterie.rl.models import Policy, polyak_update
from coterie.rl.optimizers import clipped_adams
from coterie.rl.widths import Widths, require_layer
from coterie.types import AgentSpec


class Models(NamedTuple):
    """What learns: a policy, and a critic of actions or several."""

    policy: Policy
    critic: Any


class ActorCriticState(NamedTuple):
    """Models, the targets that follow them slowly, the optimiser and how often it stepped.

    extras: what else a method learns.
    """

    models: Models
    target: Models
    optimizer: PyTree
    updates: Int[Array, ""]
    extras: PyTree = ()


class OffPolicyState(NamedTuple):
    """All that an agent holds: what it learns, and its memory of the past."""

    actor_critic: ActorCriticState
    replay: replay.Replay


class CriticTargets(NamedTuple):
    """What the critic is to learn: values of `action` `[B, D]`, each counted with a weight."""

    action: Float[Array, "B D"]
    target: Float[Array, " B"]
    weight: Float[Array, " B"]


@dataclass(frozen=True)
class OffPolicy(Algorithm):
    """The hyper-parameters and the updates that off-policy actor-critics share."""

    rollout_length: Annotated[int, AtLeast(1)] = 25
    """Steps played in every environment between two rounds of updates."""
    updates_per_rollout: Annotated[int, AtLeast(1)] = 16
    """Gradient steps after each `rollout_length`."""
    batch_size: Annotated[int, AtLeast(1)] = 256
    """Steps in each gradient step."""
    buffer_size: Annotated[int, AtLeast(1)] = 20_000
    """Steps in the replay memory; the oldest are overwritten."""
    learning_starts: Annotated[int, AtLeast(0)] = 2_000
    """Steps to collect before the first update."""
    actor_lr: Annotated[float, Above(0)] = 1e-4
    """Adam's step size for the policy."""
    critic_lr: Annotated[float, Above(0)] = 1e-3
    """Adam's step size for the critic."""
    discount: Annotated[float, Between(0, 1)] = 0.95
    """gamma: what a reward one step later is worth now."""
    tau: Annotated[float, Between(0, 1, open=True)] = 0.01
    """The share of the way that targets go towards what they follow, at each gradient step."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 1.0
    """Largest norm of each network's gradient."""
    hidden_sizes: Widths = (64, 64)
    """Widths of the dense layers, of the policy and of the critic alike."""
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "relu"
    """Non-linearity after each dense layer."""

    @abc.abstractmethod
    def models(self, key: Key[Array, ""], spec: AgentSpec) -> Models:
        """A fresh policy and a fresh critic."""

    @abc.abstractmethod
    def steps(self, trajectory: Trajectory) -> Any:
        """What is remembered of every step: `[T, G, ...]`, at least its `view`."""

    @abc.abstractmethod
    def improve(
        self, student: ActorCriticState, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[ActorCriticState, Network, Metrics]:
        """One gradient step of the critic and the policy on drawn steps `[B, ...]`."""

    def after_updates(
        self, state: OffPolicyState, network: Network
    ) -> tuple[OffPolicyState, Network]:
        """What is still to do once the gradient steps are made."""
        return state, network

    def check(self, num_envs: int) -> None:
        super().check(num_envs)
        require_layer(self.hidden_sizes)
        count = num_envs * self.rollout_length
        require(
            count <= self.buffer_size,
            f"{num_envs} environments bring {count} steps at once, more than a replay memory of "
            f"{self.buffer_size} holds: raise --buffer-size.",
        )
        require(
            self.learning_starts <= self.buffer_size,
            f"a replay memory of {self.buffer_size} never holds learning_starts of "
            f"{self.learning_starts}: lower it.",
        )
        require(
            self.batch_size <= self.buffer_size,
            f"a batch of {self.batch_size} is more than a replay memory of {self.buffer_size} "
            "holds: lower --batch-size, or raise --buffer-size.",
        )
        require(
            self.buffer_size < 2**31,
            f"a replay memory of {self.buffer_size:,} steps has more places than can be numbered: "
            "lower --buffer-size.",
        )

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[OffPolicyState, tuple[()]]:
        models = self.models(key, spec)
        optimizer = self.optimizer().init(eqx.filter(models, eqx.is_array))
        student = ActorCriticState(models, models, optimizer, jnp.zeros((), jnp.int32))
        return OffPolicyState(student, replay.empty(self.blank(spec), self.buffer_size)), ()

    @abc.abstractmethod
    def blank(self, spec: AgentSpec) -> Any:
        """A remembered step of zeros, for its shapes."""

    def learn(
        self, state: OffPolicyState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[OffPolicyState, Network, Metrics]:
        new = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), self.steps(trajectory))
        stored = replay.add(state.replay, new)
        ready = stored.size >= self.learning_starts

        def update(carry: tuple, key: Key[Array, ""]) -> tuple[tuple, Metrics]:
            student, network = carry
            # Everybody draws the same steps, so that what is said of them can be put together.
            common = network.shared_key(student.updates)
            sample = self.draw(stored, common, trajectory.reward.shape[1])
            *updated, metrics = self.improve(student, sample, network, key)
            # Until there is enough to learn from, nothing is learned, and nothing was said.
            kept = jax.tree.map(lambda new, old: jnp.where(ready, new, old), tuple(updated), carry)
            return kept, metrics

        keys = jax.random.split(key, self.updates_per_rollout)
        (student, network), metrics = jax.lax.scan(update, (state.actor_critic, network), keys)
        state, network = self.after_updates(OffPolicyState(student, stored), network)
        return state, network, jax.tree.map(jnp.mean, metrics)

    def draw(self, stored: replay.Replay, key: Key[Array, ""], num_envs: int) -> Any:
        """Remembered steps to learn from, of so many environments side by side."""
        return replay.sample(stored, key, self.batch_size)

    def policy(self, state: OffPolicyState) -> Policy:
        return state.actor_critic.models.policy

    def optimizer(self) -> optax.GradientTransformation:
        """How models follow their gradients."""
        rates = {"policy": self.actor_lr, "critic": self.critic_lr}
        return clipped_adams(rates, Models("policy", "critic"), self.max_grad_norm)  # type: ignore[arg-type]


@dataclass(frozen=True)
class TDActorCritic(OffPolicy):
    """A critic that is told what to learn, and a policy that climbs it, both at once."""

    @abc.abstractmethod
    def critic_targets(
        self, student: ActorCriticState, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[CriticTargets, Network, Metrics]:
        """What the critic is to learn from drawn steps `[B, ...]`."""

    @abc.abstractmethod
    def actor_objective(
        self, models: Models, sample: Any, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        """What the policy of agent `index` is to maximise at drawn steps."""

    def improve(
        self, student: ActorCriticState, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[ActorCriticState, Network, Metrics]:
        """One gradient step of the critic and the policy on drawn steps."""
        lesson_key, worth_key = jax.random.split(key)
        lesson, network, said = self.critic_targets(student, sample, network, lesson_key)
        gradient, metrics = chunked(self._gradient)(
            student.models, lesson, sample, network.index, worth_key
        )
        change, optimizer = self.optimizer().update(gradient, student.optimizer)
        models = eqx.apply_updates(student.models, change)
        target = polyak_update(student.target, models, self.tau)
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        return (
            ActorCriticState(models, target, optimizer, student.updates + 1),
            network,
            metrics | said,
        )

    def _gradient(
        self,
        models: Models,
        lesson: CriticTargets,
        sample: Any,
        index: Int[Array, ""],
        key: Key[Array, ""],
    ) -> tuple[Models, Metrics]:
        """The gradient of the critic's error, less that of what the policy climbs."""
        lesson, present = jax.lax.stop_gradient(lesson), sample.view.alive

        def loss(models: Models) -> tuple[Float[Array, ""], Metrics]:
            value = models.critic.value(sample.view.critic_input, lesson.action)
            error = mean(lesson.weight * (value - lesson.target) ** 2, present)
            fixed = models._replace(critic=jax.lax.stop_gradient(models.critic))
            worth, more = self.actor_objective(fixed, sample, index, key)
            gain = mean(worth, present)
            metrics = {"critic_loss": error, "policy_loss": -gain, "value": mean(value, present)}
            return 0.5 * error - gain, metrics | more

        return jax.grad(loss, has_aux=True)(models)
