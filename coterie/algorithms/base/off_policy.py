"""Base of the off-policy actor-critics: a replay memory, an actor, a critic, and targets.

`ExperienceReplay` says how many gradient steps follow a rollout, and on how many stored steps each.
`OffPolicy` is the update of methods that give their critic targets and let the policy climb it: a
method adds the data of a stored step, the critic's targets and the actor's objective.
"""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import InitKeys, Metrics, Trajectory
from coterie.algorithms.base.normalizing import Normalizing
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.errors import advise, require
from coterie.internal.parts import Part
from coterie.network import Network, chunked
from coterie.rl import replay as experience
from coterie.rl.masked_stats import mean
from coterie.rl.models import MLP, Model
from coterie.rl.networks import Policy, polyak_update
from coterie.rl.optimizers import clipped_adams
from coterie.rl.replay import Replay
from coterie.rl.returns import n_step_return
from coterie.types import LearnerSpec, Observation


class Models(NamedTuple):
    """Models that learn: a policy, and a critic of actions or several."""

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
    """State of an off-policy agent: its actor-critic and its replay memory."""

    actor_critic: ActorCriticState
    replay: Replay


class CriticTargets(NamedTuple):
    """Targets of the critic: values of `action` `[B, D]`, each counted with a weight."""

    action: Float[Array, "B D"]
    target: Float[Array, " B"]
    weight: Float[Array, " B"]


class Lookahead(NamedTuple):
    """Rewards of the next steps, and the view after them that a target looks at; `[T, G, ...]`.

    discount: the weight of the value of `next_view`; 0 where nothing follows.
    """

    reward: Float[Array, "T G"]
    discount: Float[Array, "T G"]
    next_view: Observation

    @staticmethod
    def of(trajectory: Trajectory, discount: float, n: int) -> "Lookahead":
        """Sums over up to `n` steps, as far as the trajectory and the episode go."""
        ends = trajectory.terminated | trajectory.truncated | trajectory.over
        if trajectory.there is not None:
            # Targets are of everybody's next views, which have to be of one time.
            left = jnp.any(trajectory.there[1:] != trajectory.there[:-1], axis=-1)
            ends = ends.at[:-1].set(ends[:-1] | left)
        found = n_step_return(trajectory.reward, ends, discount, n)
        terminated, view = found.at_last((trajectory.terminated, trajectory.next_view))
        return Lookahead(found.reward, jnp.where(terminated, 0.0, found.discount), view)


def require_lookahead(n_step: int, rollout_length: int) -> None:
    """Raise `ConfigError` for sums over more steps than are stored at a time."""
    require(
        n_step <= rollout_length,
        f"n_step {n_step} is more than the {rollout_length} steps of a rollout, within which "
        "rewards are summed: lower --n-step, or raise --rollout-length.",
    )


Improve = Callable[
    [ActorCriticState, Any, Network, Key[Array, ""]], tuple[ActorCriticState, Network, Metrics]
]
"""One gradient step of the critic and the policy on drawn steps `[B, ...]`."""


@dataclass(frozen=True)
class ExperienceReplay(Part):
    """A memory of steps, and how much of it is learned from after each rollout."""

    updates_per_rollout: Annotated[int, AtLeast(1)] = 64
    """Gradient steps after each `rollout_length`: by default 10 uses of each step in the usual 64
    environments (see `samples_per_insert`)."""
    batch_size: Annotated[int, AtLeast(1)] = 256
    """Steps in each gradient step."""
    buffer_size: Annotated[int, AtLeast(1)] = 20_000
    """Steps in the replay memory; the oldest are overwritten."""
    learning_starts: Annotated[int, AtLeast(0)] = 2_000
    """Steps to collect before the first update."""

    def samples_per_insert(self, inserted: int) -> float:
        """Mean number of times that a step is drawn if `inserted` ones are stored in a rollout.

        >>> ExperienceReplay(updates_per_rollout=4, batch_size=100).samples_per_insert(200)
        2.0
        """
        return self.updates_per_rollout * self.batch_size / inserted

    def check(self, num_envs: int, rollout_length: int) -> None:
        """Raise `ConfigError` unless a rollout, a batch and the first steps fit in the memory.

        Warn if steps are drawn less than once.
        """
        count, size = num_envs * rollout_length, self.buffer_size
        require(
            count <= size,
            f"{num_envs} environments bring {count} steps at once, more than a replay memory of "
            f"{size} holds: raise --buffer-size.",
        )
        require(
            self.learning_starts <= size,
            f"a replay memory of {size} never holds learning_starts of {self.learning_starts}: "
            "lower it.",
        )
        require(
            self.batch_size <= size,
            f"a batch of {self.batch_size} is more than a replay memory of {size} holds: lower "
            "--batch-size, or raise --buffer-size.",
        )
        advise_reuse(self.samples_per_insert(count), self.updates_per_rollout)

    def learn(
        self,
        state: OffPolicyState,
        steps: PyTree,
        draw: Callable[[Replay, Key[Array, ""]], Any],
        improve: Improve,
        network: Network,
        key: Key[Array, ""],
    ) -> tuple[OffPolicyState, Network, Metrics]:
        """Remember steps `[T, G, ...]`, then improve on drawn ones; means of the metrics.

        draw: steps to learn from, `[B, ...]`, given the memory and a key.
        """
        new = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), steps)
        stored = experience.add(state.replay, new)
        ready = stored.size >= self.learning_starts

        def update(carry: tuple, key: Key[Array, ""]) -> tuple[tuple, Metrics]:
            student, network = carry
            # Who talks draws the same steps as all, so that what is said can be put together.
            alike = network.shared_key(student.updates)
            sample = draw(stored, jax.random.fold_in(key, 0) if network.isolated else alike)
            *updated, metrics = improve(student, sample, network, key)
            # Until there is enough to learn from, nothing is learned, and nothing was said.
            kept = jax.tree.map(lambda new, old: jnp.where(ready, new, old), tuple(updated), carry)
            return kept, metrics

        keys = jax.random.split(key, self.updates_per_rollout)
        (student, network), metrics = jax.lax.scan(update, (state.actor_critic, network), keys)
        reused = self.samples_per_insert(jax.tree.leaves(new)[0].shape[0])
        metrics = jax.tree.map(jnp.mean, metrics)
        metrics["samples_per_insert"] = jnp.where(ready, reused, 0.0)
        return OffPolicyState(student, stored), network, metrics


def advise_reuse(samples_per_insert: float, updates: int) -> None:
    """Warn of a memory whose steps are drawn less than once."""
    enough = math.ceil(5 * updates / max(samples_per_insert, 1e-9))
    advise(
        samples_per_insert >= 1.0,
        f"a stored step is drawn {samples_per_insert:.2g} times, so that most of what is played "
        f"is not learned from: raise --updates-per-rollout from {updates} to {enough} or so.",
    )


@dataclass(frozen=True)
class OffPolicy(Normalizing):
    """Actor-critic whose critic learns given targets and whose policy climbs it, both at once."""

    rollout_length: Annotated[int, AtLeast(1)] = 25
    """Steps played in every environment between two rounds of updates."""
    normalize_rewards: bool = True
    """Divide rewards by the running deviation of discounted returns."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-4
    """Adam's step size for the policy."""
    critic_lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-3
    """Adam's step size for the critic."""
    discount: Annotated[float, Between(0, 1)] = 0.95
    """gamma: what a reward one step later is worth now."""
    tau: Annotated[float, Between(0, 1, open=True)] = 0.01
    """The share of the way that targets go towards what they follow, at each gradient step."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 1.0
    """Largest norm of each network's gradient."""
    actor: Model = MLP()
    """The policy's network."""
    critic: Model = MLP()
    """The critic's network."""

    replay: ClassVar[Any]
    """The memory of steps, and how much is learned from it: a field of those who derive from this,
    who learn from stored steps as often as their kind of method can."""

    @abc.abstractmethod
    def models(self, key: Key[Array, ""], spec: LearnerSpec) -> Models:
        """A fresh policy and a fresh critic."""

    @abc.abstractmethod
    def steps(self, trajectory: Trajectory) -> Any:
        """Data that the replay keeps of every step, `[T, G, ...]`: at least its `view`."""

    @abc.abstractmethod
    def blank(self, spec: LearnerSpec) -> Any:
        """A remembered step of zeros, for its shapes."""

    @abc.abstractmethod
    def critic_targets(
        self, student: ActorCriticState, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[CriticTargets, Network, Metrics]:
        """Targets of the critic for drawn steps `[B, ...]`."""

    @abc.abstractmethod
    def actor_objective(
        self, models: Models, sample: Any, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        """Objective that the policy of agent `index` maximises at drawn steps."""

    def after_updates(
        self, state: OffPolicyState, network: Network
    ) -> tuple[OffPolicyState, Network]:
        """Finish an update once the gradient steps are made."""
        return state, network

    def check(self, num_envs: int) -> None:
        self.replay.check(num_envs, self.rollout_length)

    def samples_per_insert(self, num_envs: int) -> float:
        return self.replay.samples_per_insert(num_envs * self.rollout_length)

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[OffPolicyState, tuple[()]]:
        models = self.models(keys.own, spec)
        optimizer = self._optimizer().init(eqx.filter(models, eqx.is_array))
        student = ActorCriticState(models, models, optimizer, jnp.zeros((), jnp.int32))
        size, step = self.replay.buffer_size, spec.quantization_step
        return OffPolicyState(student, experience.empty(self.blank(spec), size, step)), ()

    def learn(
        self, state: OffPolicyState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[OffPolicyState, Network, Metrics]:
        def draw(stored: Replay, key: Key[Array, ""]) -> Any:
            return experience.sample(stored, key, self.replay.batch_size)

        steps = self.steps(trajectory)
        state, network, metrics = self.replay.learn(state, steps, draw, self._improve, network, key)
        return *self.after_updates(state, network), metrics

    def policy(self, state: OffPolicyState) -> Policy:
        return state.actor_critic.models.policy

    def in_reward_units(self, state: OffPolicyState) -> list[PyTree]:
        models, target = state.actor_critic.models, state.actor_critic.target
        return [models.critic.head, target.critic.head, state.replay.items.reward]

    def _improve(
        self, student: ActorCriticState, sample: Any, network: Network, key: Key[Array, ""]
    ) -> tuple[ActorCriticState, Network, Metrics]:
        """One gradient step of the critic and the policy on drawn steps."""
        target_key, actor_key = jax.random.split(key)
        targets, network, told = self.critic_targets(student, sample, network, target_key)
        gradient, metrics = chunked(self._gradient)(
            student.models, targets, sample, network.index, actor_key
        )
        change, optimizer = self._optimizer().update(gradient, student.optimizer)
        models = eqx.apply_updates(student.models, change)
        target = polyak_update(student.target, models, self.tau)
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        student = ActorCriticState(models, target, optimizer, student.updates + 1)
        return student, network, metrics | told

    def _gradient(
        self,
        models: Models,
        targets: CriticTargets,
        sample: Any,
        index: Int[Array, ""],
        key: Key[Array, ""],
    ) -> tuple[Models, Metrics]:
        """Gradient of the critic's error, less that of the policy's objective."""
        targets, present = jax.lax.stop_gradient(targets), sample.view.alive

        def loss(models: Models) -> tuple[Float[Array, ""], Metrics]:
            value = models.critic.value(sample.view.critic_input, targets.action)
            error = mean(targets.weight * (value - targets.target) ** 2, present)
            fixed = models._replace(critic=jax.lax.stop_gradient(models.critic))
            objective, more = self.actor_objective(fixed, sample, index, key)
            gain = mean(objective, present)
            metrics = {"critic_loss": error, "policy_loss": -gain, "value": mean(value, present)}
            return 0.5 * error - gain, metrics | more

        return jax.grad(loss, has_aux=True)(models)

    def _optimizer(self) -> optax.GradientTransformation:
        rates = {"policy": self.actor_lr, "critic": self.critic_lr}
        return clipped_adams(rates, Models("policy", "critic"), self.max_grad_norm)  # type: ignore[arg-type]
