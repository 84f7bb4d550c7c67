"""Independent Q-learning: every agent its own double Q-network and replay memory."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import (
    ActionOnly,
    Information,
    InitKeys,
    Metrics,
    Trajectory,
)
from coterie.algorithms.base.normalizing import Normalizing
from coterie.algorithms.base.off_policy import advise_reuse
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.errors import require
from coterie.internal.count import Count
from coterie.network import Network
from coterie.rl import replay
from coterie.rl.bodies import RecurrentState
from coterie.rl.distributions import masked
from coterie.rl.masked_stats import mean
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import FRESH_GAIN, Policy
from coterie.rl.scaling import of_learned
from coterie.rl.schedules import falling
from coterie.types import LearnerSpec, Observation, blank_observation


class SequenceTransition(NamedTuple):
    """`T` steps of one environment, as they are stored: `[T, ...]`, the memory before them
    `[...]`."""

    view: Observation
    action: Int[Array, " T"]
    reward: Float[Array, " T"]
    terminated: Bool[Array, " T"]
    over: Bool[Array, " T"]
    next_view: Observation
    memory: RecurrentState


class QNetworkState(NamedTuple):
    """Q and the target it learns towards; their heads give the values of the actions."""

    values: Policy
    target: Policy
    optimizer: PyTree
    updates: Int[Array, ""]


class IQLState(NamedTuple):
    """State of an agent: its networks, its replay memory, and the steps it has played."""

    q_network: QNetworkState
    replay: replay.Replay
    steps: Count


@dataclass(frozen=True)
class IQL(Normalizing):
    """Independent Q-learning (Tan 1993; Tampuu et al. 2015) with double Q-learning.

    Each agent learns `Q(o, a)` towards `r + gamma Q_target(o', argmax_a Q(o', a))` (van Hasselt et
    al. 2016) from its own replay memory, which holds segments of `rollout_length` steps; a
    recurrent network starts each segment with the memory it had when it played it. Nothing is sent,
    nothing is shared.
    """

    rollout_length: Annotated[int, AtLeast(1)] = 25
    """Steps played in every environment between two rounds of updates; the length of a stored
    segment."""
    normalize_rewards: bool = False
    """Divide rewards by the running deviation of discounted returns."""
    updates_per_rollout: Annotated[int, AtLeast(1)] = 40
    """Gradient steps after each `rollout_length`: by default 20 uses of each segment in the usual
    64 environments (see `samples_per_insert`)."""
    batch_size: Annotated[int, AtLeast(1)] = 32
    """Segments in each gradient step."""
    buffer_size: Annotated[int, AtLeast(1)] = 5_000
    """Segments in the replay memory; the oldest are overwritten."""
    learning_starts: Annotated[int, AtLeast(0)] = 64
    """Segments to collect before the first update."""
    lr: Annotated[float, Above(0), AtMost(RATE)] = 5e-4
    """Adam's step size."""
    discount: Annotated[float, Between(0, 1)] = 0.99
    """gamma: what a reward one step later is worth now."""
    epsilon_start: Annotated[float, Between(0, 1)] = 1.0
    """Probability of a random action at first."""
    epsilon_end: Annotated[float, Between(0, 1)] = 0.05
    """Probability of a random action in the end."""
    epsilon_decay_steps: Annotated[int, AtLeast(1)] = 50_000
    """Steps, over all environments, until the probability has fallen to its end."""
    target_update_interval: Annotated[int, AtLeast(1)] = 200
    """Gradient steps between two copies of Q into the target."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 10.0
    """Largest norm of the gradient."""
    critic: Model = MLP()
    """The network of the values."""

    recurrent_models: ClassVar[tuple[str, ...]] = ("critic",)

    @property
    def information(self) -> Information:
        return Information(action_space="discrete")

    def check(self, num_envs: int) -> None:
        require(
            num_envs <= self.buffer_size,
            f"{num_envs} environments bring {num_envs} segments at once, more than a replay memory "
            f"of {self.buffer_size} holds: raise --buffer-size.",
        )
        advise_reuse(self.samples_per_insert(num_envs), self.updates_per_rollout)

    def samples_per_insert(self, num_envs: int) -> float:
        return self.updates_per_rollout * self.batch_size / num_envs

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[IQLState, RecurrentState]:
        self.require_actions(spec.action)
        inputs, gain = Inputs.of(spec), FRESH_GAIN
        values = Policy.init(jax.random.split(keys.own), self.critic, inputs, spec.action, gain)
        student = QNetworkState(
            values,
            values,
            self._optimizer().init(eqx.filter(values, eqx.is_array)),
            jnp.zeros((), jnp.int32),
        )
        memory = values.body.start()
        blank = self._blank(spec, memory)
        past = replay.empty(blank, self.buffer_size, spec.quantization_step)
        return IQLState(student, past, Count.of(0)), memory

    def act(
        self, state: IQLState, memory: RecurrentState, view: Observation, key: Key[Array, ""]
    ) -> tuple[ActionOnly, RecurrentState]:
        features, memory = state.q_network.values.body.step(view.observation, memory)
        values = masked(state.q_network.values.head(features), view.action_mask)
        explore_key, random_key = jax.random.split(key)
        chance = self._epsilon(state.steps)
        explore = jax.random.bernoulli(explore_key, chance, values.shape[:1])
        anything = jax.random.categorical(
            random_key, masked(jnp.zeros_like(values), view.action_mask)
        )
        return ActionOnly(jnp.where(explore, anything, jnp.argmax(values, axis=-1))), memory

    def learn(
        self, state: IQLState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[IQLState, Network, Metrics]:
        stored = replay.add(state.replay, _segments(trajectory))
        ready = stored.size >= self.learning_starts

        def update(student: QNetworkState, key: Key[Array, ""]) -> tuple[QNetworkState, Metrics]:
            updated, metrics = self._update(student, replay.sample(stored, key, self.batch_size))
            return jax.tree.map(
                lambda new, old: jnp.where(ready, new, old), updated, student
            ), metrics

        keys = jax.random.split(key, self.updates_per_rollout)
        student, metrics = jax.lax.scan(update, state.q_network, keys)
        steps = state.steps.plus(Count.of(trajectory.over.size))
        reused = self.samples_per_insert(trajectory.reward.shape[1])
        metrics = jax.tree.map(jnp.mean, metrics) | {
            "epsilon": self._epsilon(steps),
            "samples_per_insert": jnp.where(ready, reused, 0.0),
        }
        return IQLState(student, stored, steps), network, metrics

    def _update(
        self, student: QNetworkState, segments: SequenceTransition
    ) -> tuple[QNetworkState, Metrics]:
        """One gradient step on a batch of segments, `[B, T, ...]`."""
        memory = segments.memory
        stream = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), segments._replace(memory=()))
        wanted = self._target(student, stream, memory)

        def loss(values: Policy) -> tuple[Float[Array, ""], Metrics]:
            features = values.body.sequence(stream.view.observation, memory, stream.over)
            value = _pick(values.head(features), stream.action)
            error = mean((value - wanted) ** 2, stream.view.alive)
            return error, {"critic_loss": error, "value": mean(value, stream.view.alive)}

        gradient, metrics = jax.grad(loss, has_aux=True)(student.values)
        change, optimizer = self._optimizer().update(gradient, student.optimizer)
        values = eqx.apply_updates(student.values, change)
        updates = student.updates + 1
        copy = updates % self.target_update_interval == 0
        target = jax.tree.map(lambda new, old: jnp.where(copy, new, old), values, student.target)
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        return QNetworkState(values, target, optimizer, updates), metrics

    def _target(
        self, student: QNetworkState, stream: SequenceTransition, memory: RecurrentState
    ) -> Float[Array, "T B"]:
        """`r + gamma Q_target(o', argmax_a Q(o', a))`, nothing after a terminated step."""

        def following(network: Policy) -> Float[Array, "T B A"]:
            features = network.body.sequence(stream.view.observation, memory, stream.over)
            return network.head(network.body.after(features, stream.next_view.observation))

        best = jnp.argmax(masked(following(student.values), stream.next_view.action_mask), axis=-1)
        later = _pick(following(student.target), best)
        return stream.reward + self.discount * jnp.where(stream.terminated, 0.0, later)

    def in_reward_units(self, state: IQLState) -> list[PyTree]:
        q = state.q_network
        return [q.values.head, q.target.head, state.replay.items.reward]

    def policy(self, state: IQLState) -> Policy:
        return state.q_network.values

    @property
    def deterministic_eval(self) -> bool:
        return True

    def _epsilon(self, steps: Count) -> Float[Array, ""]:
        start, end = self.epsilon_start, self.epsilon_end
        return falling(start, end, self.epsilon_decay_steps, steps.real())

    def _blank(self, spec: LearnerSpec, memory: RecurrentState) -> SequenceTransition:
        """A segment of zeros, for its shapes."""
        steps = jnp.zeros(self.rollout_length)
        view = blank_observation(spec, self.rollout_length)
        return SequenceTransition(
            view, steps.astype(jnp.int32), steps, steps > 0, steps > 0, view, memory
        )

    def _optimizer(self) -> optax.GradientTransformation:
        clip = optax.clip_by_global_norm(self.max_grad_norm)
        return of_learned(optax.chain(clip, optax.adam(self.lr)))


def _segments(trajectory: Trajectory) -> SequenceTransition:
    """The experience of `G` environments as `G` segments, `[G, T, ...]`."""
    stream = SequenceTransition(
        trajectory.view,
        trajectory.decision.action,
        trajectory.reward,
        trajectory.terminated,
        trajectory.over,
        trajectory.next_view,
        (),
    )
    by_env = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), stream)
    return by_env._replace(memory=trajectory.memory)


def _pick(values: Float[Array, "*batch A"], action: Int[Array, " *batch"]) -> Array:
    chosen = action[..., None] == jnp.arange(values.shape[-1])
    return jnp.sum(jnp.where(chosen, values, 0.0), axis=-1)
