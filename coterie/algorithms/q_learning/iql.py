"""Independent Q-learning: every agent its own double Q-network and replay memory."""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import Action, Algorithm, Experience, Information, Metrics
from coterie.bounds import Above, AtLeast, Between
from coterie.errors import require
from coterie.network import Network
from coterie.rl import replay
from coterie.rl.distributions import masked
from coterie.rl.masked_stats import mean
from coterie.rl.models import Memory, Policy, Shape
from coterie.rl.schedules import falling
from coterie.rl.widths import Widths, require_memory
from coterie.types import AgentSpec, View, blank_view


class Segment(NamedTuple):
    """`T` steps of one game, as they are stored: `[T, ...]`, the memory before them `[...]`."""

    view: View
    action: Int[Array, " T"]
    reward: Float[Array, " T"]
    terminated: Bool[Array, " T"]
    over: Bool[Array, " T"]
    next_view: View
    memory: Memory


class Student(NamedTuple):
    """Q and the target it learns towards; their heads give the values of the actions."""

    values: Policy
    target: Policy
    optimizer: PyTree
    updates: Int[Array, ""]


class Learner(NamedTuple):
    """All that an agent holds: its networks, its memory of the past, the steps it has played."""

    student: Student
    replay: replay.Replay
    steps: Int[Array, ""]


@dataclass(frozen=True)
class IQL(Algorithm):
    """Independent Q-learning (Tan 1993; Tampuu et al. 2015) with double Q-learning.

    Each agent learns `Q(o, a)` towards `r + gamma Q_target(o', argmax_a Q(o', a))` (van Hasselt et
    al. 2016) from its own replay memory, which holds segments of `horizon` steps; a recurrent
    network starts each segment with the memory it had when it played it. Nothing is sent, nothing
    is shared.
    """

    horizon: Annotated[int, AtLeast(1)] = 25
    """Steps played in every game between two rounds of updates; the length of a stored segment."""
    updates: Annotated[int, AtLeast(1)] = 8
    """Gradient steps after each `horizon`."""
    batch: Annotated[int, AtLeast(1)] = 32
    """Segments in each gradient step."""
    capacity: Annotated[int, AtLeast(1)] = 5_000
    """Segments in the replay memory; the oldest are overwritten."""
    warmup: Annotated[int, AtLeast(0)] = 64
    """Segments to collect before the first update."""
    learning_rate: Annotated[float, Above(0)] = 5e-4
    """Adam's step size."""
    discount: Annotated[float, Between(0, 1)] = 0.99
    """gamma: what a reward one step later is worth now."""
    exploration_start: Annotated[float, Between(0, 1)] = 1.0
    """Probability of a random action at first."""
    exploration_end: Annotated[float, Between(0, 1)] = 0.05
    """Probability of a random action in the end."""
    exploration_steps: Annotated[int, AtLeast(1)] = 50_000
    """Steps, over all games, until the probability has fallen to its end."""
    target_every: Annotated[int, AtLeast(1)] = 200
    """Gradient steps between two copies of Q into the target."""
    gradient_clip: Annotated[float, Above(0, infinite=True)] = 10.0
    """Largest norm of the gradient."""
    hidden: Widths = (64, 64)
    """Widths of the dense layers; none for a linear function of the observation."""
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "relu"
    """Non-linearity after each dense layer."""
    recurrent: bool = False
    """Put a gated recurrent unit after the dense layers, for partial observability."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_memory(self.hidden, self.recurrent)

    @property
    def information(self) -> Information:
        return Information(action_space="discrete")

    def check(self, games: int) -> None:
        super().check(games)
        require(
            games <= self.capacity,
            f"{games} games bring {games} segments at once, more than a replay memory of "
            f"{self.capacity} holds: raise --capacity.",
        )

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Learner, Memory]:
        self.require_actions(spec.action)
        shape = Shape.of(spec, self.hidden, self.activation, self.recurrent)
        values = Policy.init(jax.random.split(key), shape, spec.action, gain=1.0)
        student = Student(
            values,
            values,
            self._optimizer().init(eqx.filter(values, eqx.is_array)),
            jnp.zeros((), jnp.int32),
        )
        memory = values.body.start()
        past = replay.empty(self._blank(spec, memory), self.capacity)
        return Learner(student, past, jnp.zeros((), jnp.int32)), memory

    def act(
        self, state: Learner, memory: Memory, view: View, key: Key[Array, ""]
    ) -> tuple[Action, Memory]:
        features, memory = state.student.values.body.step(view.observation, memory)
        values = masked(state.student.values.head(features), view.action_mask)
        explore_key, random_key = jax.random.split(key)
        chance = self._exploration(state.steps)
        explore = jax.random.bernoulli(explore_key, chance, values.shape[:1])
        anything = jax.random.categorical(
            random_key, masked(jnp.zeros_like(values), view.action_mask)
        )
        return Action(jnp.where(explore, anything, jnp.argmax(values, axis=-1))), memory

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        stored = replay.add(state.replay, _segments(experience))
        ready = stored.size >= self.warmup

        def update(student: Student, key: Key[Array, ""]) -> tuple[Student, Metrics]:
            updated, metrics = self._update(student, replay.sample(stored, key, self.batch))
            return jax.tree.map(
                lambda new, old: jnp.where(ready, new, old), updated, student
            ), metrics

        keys = jax.random.split(key, self.updates)
        student, metrics = jax.lax.scan(update, state.student, keys)
        steps = state.steps + experience.over.size
        metrics = jax.tree.map(jnp.mean, metrics) | {"exploration": self._exploration(steps)}
        return Learner(student, stored, steps), network, metrics

    def _update(self, student: Student, segments: Segment) -> tuple[Student, Metrics]:
        """One gradient step on a batch of segments, `[B, T, ...]`."""
        memory = segments.memory
        stream = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), segments._replace(memory=()))
        wanted = self._target(student, stream, memory)

        def loss(values: Policy) -> tuple[Float[Array, ""], Metrics]:
            features = values.body.sequence(stream.view.observation, memory, stream.over)
            value = _pick(values.head(features), stream.action)
            error = mean((value - wanted) ** 2, stream.view.present)
            return error, {"critic_loss": error, "value": mean(value, stream.view.present)}

        gradient, metrics = jax.grad(loss, has_aux=True)(student.values)
        change, optimizer = self._optimizer().update(gradient, student.optimizer)
        values = eqx.apply_updates(student.values, change)
        updates = student.updates + 1
        copy = updates % self.target_every == 0
        target = jax.tree.map(lambda new, old: jnp.where(copy, new, old), values, student.target)
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        return Student(values, target, optimizer, updates), metrics

    def _target(self, student: Student, stream: Segment, memory: Memory) -> Float[Array, "T B"]:
        """`r + gamma Q_target(o', argmax_a Q(o', a))`, nothing after a terminated step."""

        def following(network: Policy) -> Float[Array, "T B A"]:
            features = network.body.sequence(stream.view.observation, memory, stream.over)
            return network.head(network.body.after(features, stream.next_view.observation))

        best = jnp.argmax(masked(following(student.values), stream.next_view.action_mask), axis=-1)
        later = _pick(following(student.target), best)
        return stream.reward + self.discount * jnp.where(stream.terminated, 0.0, later)

    def policy(self, state: Learner) -> Policy:
        return state.student.values

    @property
    def plays_mode(self) -> bool:
        return True

    def _exploration(self, steps: Int[Array, ""]) -> Float[Array, ""]:
        start, end = self.exploration_start, self.exploration_end
        return falling(start, end, self.exploration_steps, steps)

    def _blank(self, spec: AgentSpec, memory: Memory) -> Segment:
        """A segment of zeros, for its shapes."""
        steps = jnp.zeros(self.horizon)
        view = blank_view(spec, self.horizon)
        return Segment(view, steps.astype(jnp.int32), steps, steps > 0, steps > 0, view, memory)

    def _optimizer(self) -> optax.GradientTransformation:
        return optax.chain(
            optax.clip_by_global_norm(self.gradient_clip), optax.adam(self.learning_rate)
        )


def _segments(experience: Experience) -> Segment:
    """The experience of `G` games as `G` segments, `[G, T, ...]`."""
    stream = Segment(
        experience.view,
        experience.decision.action,
        experience.reward,
        experience.terminated,
        experience.over,
        experience.next_view,
        (),
    )
    by_game = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), stream)
    return by_game._replace(memory=experience.memory)


def _pick(values: Float[Array, "*batch A"], action: Int[Array, " *batch"]) -> Array:
    chosen = action[..., None] == jnp.arange(values.shape[-1])
    return jnp.sum(jnp.where(chosen, values, 0.0), axis=-1)
