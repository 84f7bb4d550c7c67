"""Steps of an agent: as its replay keeps them, and as they are drawn from it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Trajectory
from coterie.algorithms.base.off_policy import Lookahead
from coterie.rl import replay as experience
from coterie.rl.bodies import RecurrentState
from coterie.rl.distributions import Distribution
from coterie.rl.networks import Policy
from coterie.rl.replay import Replay
from coterie.types import LearnerSpec, Observation, ObservationEncoder, blank_observation


class RecordedAction(NamedTuple):
    """Action, the distribution it was drawn from, and the policy's memory before; `[G, ...]`."""

    action: Array
    choices: Distribution
    memory: RecurrentState

    @staticmethod
    def of(
        policy: Policy, memory: RecurrentState, view: Observation, key: Key[Array, ""]
    ) -> tuple["RecordedAction", RecurrentState]:
        """What a policy does, and its memory after."""
        choices, after = policy.step(view, memory)
        return RecordedAction(choices.sample(key), choices, memory), after


class Transition(NamedTuple):
    """Stored step of an agent: observation, action, reward, and the policy's distribution.

    The others' observations and actions are stored by them, and looked up.

    memory: what the policy remembered of the episode before it.
    reward, discount, next_view: what came of it, in one step or several (see `Lookahead`).
    over:   an episode ended with this step.
    encoder: the form in which others see the observations.
    """

    view: Observation
    action: Array
    choices: Distribution
    memory: RecurrentState
    reward: Float[Array, "*batch"]
    discount: Float[Array, "*batch"]
    over: Bool[Array, "*batch"]
    next_view: Observation
    encoder: ObservationEncoder = ObservationEncoder()

    @staticmethod
    def of(trajectory: Trajectory, ahead: Lookahead, encoder: ObservationEncoder) -> "Transition":
        """Steps `[T, G, ...]` of a trajectory, and what came of them."""
        action, choices, memory = trajectory.decision
        return Transition(
            trajectory.view._replace(state=None),
            action,
            choices.possible,  # what was impossible is not asked for again
            memory,
            ahead.reward,
            ahead.discount,
            trajectory.over,
            ahead.next_view._replace(state=None),
            encoder,
        )

    @staticmethod
    def blank(policy: Policy, spec: LearnerSpec) -> "Transition":
        """A step of zeros, for its shapes."""
        view, zero = blank_observation(spec)._replace(state=None), jnp.zeros(())
        played = jax.eval_shape(
            lambda: RecordedAction.of(policy, policy.body.start(), view, jax.random.key(0))[0]
        )
        action, choices, memory = played
        return Transition(view, action, choices, memory, zero, zero, zero > 0, view, spec.encoder)

    @property
    def seen(self) -> Float[Array, "*batch F"]:
        """Observation as critics see it."""
        return self.encoder(self.view.observation)

    @property
    def next_seen(self) -> Float[Array, "*batch F"]:
        """Next observation as critics see it."""
        return self.encoder(self.next_view.observation)

    @property
    def discrete(self) -> bool:
        """True if actions are discrete."""
        return not self.choices.continuous

    @property
    def acted(self) -> Float[Array, "*batch W"]:
        """Action as critics see it: a vector of zeros and a one if it is discrete."""
        return self.choices.encode(self.action)


class SampledSequence(NamedTuple):
    """Own steps `[L, B, ...]` that lead up to `B` drawn ones; `real` ones are of the same episode.

    The last are the drawn ones.
    """

    steps: Transition
    real: Bool[Array, "L B"]

    @property
    def present(self) -> tuple[Bool[Array, "L B"] | None, Bool[Array, " B"] | None]:
        """Presence of the agent in the environment at each step, and after the last ones."""
        now, then = self.steps.view.alive, self.steps.next_view.alive
        return (None, None) if now is None or then is None else (now, now[-1] & then[-1])

    @staticmethod
    def at(
        stored: Replay, places: Int[Array, " B"], length: int, num_envs: int
    ) -> "SampledSequence":
        """The steps at these places, and so many before them."""
        found, kept = experience.before(stored, places, length, num_envs)
        steps: Transition = jax.tree.map(lambda items: items[found], stored.items)
        # Of the same episode: none ended in between. Nothing is asked of the step itself.
        going = jnp.cumprod(~steps.over[:-1][::-1], axis=0)[::-1] > 0
        return SampledSequence(steps, jnp.concatenate([kept[:-1] & going, jnp.ones_like(kept[:1])]))


class Sample(NamedTuple):
    """Own steps to learn from, and, if there are models of the others, steps to train those on."""

    sequence: SampledSequence
    latest: SampledSequence | None = None
