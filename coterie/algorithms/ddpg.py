"""Deterministic policy gradients: policies that climb a critic through their own actions."""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from coterie.algorithms.base.algorithm import Information, Metrics, Trajectory
from coterie.algorithms.base.off_policy import (
    ActorCriticState,
    CriticTargets,
    ExperienceReplay,
    Lookahead,
    Models,
    OffPolicy,
    OffPolicyState,
    require_lookahead,
)
from coterie.bounds import Above, AtLeast
from coterie.network import Network
from coterie.rl.masked_stats import mean
from coterie.rl.models import Inputs
from coterie.rl.networks import ActionCritic, Policy
from coterie.types import LearnerSpec, Observation, blank_observation


class EncodedAction(NamedTuple):
    """An action, and the numbers that stand for it in a critic, `[G, W]`."""

    action: Array
    encoded: Float[Array, "G W"]


class Transition(NamedTuple):
    """A step: what an agent saw, what was done, and what came of it (`Lookahead`).

    actions: those that the critic is told, `[D]`.
    """

    view: Observation
    actions: Float[Array, "*batch D"]
    reward: Float[Array, "*batch"]
    discount: Float[Array, "*batch"]
    next_view: Observation


@dataclass(frozen=True)
class DDPG(OffPolicy):
    """Deterministic policies and critics of actions (Silver et al. 2014; Lillicrap et al. 2016).

        critic:  (Q(x, a) - r - gamma Q_target(x', mu_target(o')))^2
        policy:  Q(x, mu(o)), to be maximised

    Policies are `tanh` of a network, with normal noise within while they learn. Discrete actions
    are drawn, and relaxed where a gradient has to pass: `softmax(logits + Gumbel noise)`,
    temperature 1. A method says what a critic knows: what it sees, `x`, and whose actions.
    """

    action_noise_std: Annotated[float, Above(0)] = 0.3
    """Standard deviation of the noise within the `tanh`, for continuous actions."""
    action_l2: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the mean square of the policy's outputs before they are squashed."""
    n_step: ClassVar[Any]
    """Rewards that a target sums, a field of those who derive from this: what a critic knows says
    how far it can be trusted."""

    @abc.abstractmethod
    def actions_taken(self, trajectory: Trajectory) -> Float[Array, "T G D"]:
        """Actions that critics are told."""

    @abc.abstractmethod
    def next_actions(
        self, mine: Float[Array, "B W"], sample: Transition, network: Network
    ) -> tuple[Float[Array, "B D"], Network]:
        """Actions that targets are of, given the own next one."""

    @abc.abstractmethod
    def with_own(
        self, actions: Float[Array, "B D"], mine: Float[Array, "B W"], index: Int[Array, ""]
    ) -> Float[Array, "B D"]:
        """Actions with `mine` in the place of agent `index`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_lookahead(self.n_step, self.rollout_length)

    @property
    def deterministic_eval(self) -> bool:
        return True

    def models(self, key: Key[Array, ""], spec: LearnerSpec) -> Models:
        keys = jax.random.split(key, 4)
        seen, noise = Inputs.of(spec), self.action_noise_std
        if spec.action.continuous:
            policy = Policy.squashed(keys[0::2], self.actor, seen, spec.action, (noise, noise))
        else:
            policy = Policy.init(keys[0::2], self.actor, seen, spec.action)
        known, actions = Inputs.of_critic(spec), spec.joint or spec.action.size
        return Models(policy, ActionCritic.init(keys[1::2], self.critic, known, actions))

    def blank(self, spec: LearnerSpec) -> Transition:
        view, zero = blank_observation(spec), jnp.zeros(())
        return Transition(view, jnp.zeros(spec.joint or spec.action.size), zero, zero, view)

    def act(
        self, state: OffPolicyState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[EncodedAction, tuple[()]]:
        choices = state.actor_critic.models.policy.distribution(view)
        action = choices.sample(key)
        return EncodedAction(action, choices.encode(action)), memory

    def steps(self, trajectory: Trajectory) -> Transition:
        ahead = Lookahead.of(trajectory, self.discount, self.n_step)
        return Transition(trajectory.view, self.actions_taken(trajectory), *ahead)

    def critic_targets(
        self, student: ActorCriticState, sample: Transition, network: Network, key: Key[Array, ""]
    ) -> tuple[CriticTargets, Network, Metrics]:
        mine = student.target.policy.distribution(sample.next_view).drawn(key)
        following, network = self.next_actions(mine, sample, network)
        later = student.target.critic.value(sample.next_view.critic_input, following)
        target = sample.reward + sample.discount * later
        return CriticTargets(sample.actions, target, jnp.ones_like(target)), network, {}

    def actor_objective(
        self, models: Models, sample: Transition, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        choices = models.policy.distribution(sample.view)
        acted = self.with_own(sample.actions, choices.relaxed(key), index)
        worth = models.critic.value(sample.view.critic_input, acted)
        worth = worth - self.action_l2 * choices.output_l2()
        return worth, {"entropy": mean(choices.entropy(), sample.view.alive)}


@dataclass(frozen=True)
class IDDPG(DDPG):
    """Independent DDPG (Lillicrap et al. 2016, by every agent as if it were alone).

    Agent `i` learns `Q_i(o_i, a_i)` towards `r_i + gamma Q_i(o_i', mu'_i(o_i'))` from a replay
    memory of its own, and its policy climbs `Q_i`. Nothing is sent, nothing is shared.

    The memory is short: a critic that does not know the others mistakes how they once acted for how
    they act.
    """

    replay: ExperienceReplay = ExperienceReplay(updates_per_rollout=32, buffer_size=4_800)
    """The memory of steps, and how much is learned from it."""
    n_step: Annotated[int, AtLeast(1)] = 5
    """Rewards that a target sums before it looks at the critic."""

    @property
    def information(self) -> Information:
        return Information()

    def actions_taken(self, trajectory: Trajectory) -> Float[Array, "T G D"]:
        return trajectory.decision.encoded

    def next_actions(
        self, mine: Float[Array, "B W"], sample: Transition, network: Network
    ) -> tuple[Float[Array, "B D"], Network]:
        return mine, network

    def with_own(
        self, actions: Float[Array, "B D"], mine: Float[Array, "B W"], index: Int[Array, ""]
    ) -> Float[Array, "B D"]:
        return mine
