"""Li & Jia's Algorithm 2: local critics that learn from a memory which gossip keeps up to date."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Information, Metrics, Trajectory
from coterie.algorithms.base.off_policy import (
    ActorCriticState,
    CriticTargets,
    ExperienceReplay,
    Models,
    OffPolicy,
    OffPolicyState,
)
from coterie.algorithms.li_jia.others_log_ratio import (
    GossipEstimate,
    LogRatioEstimate,
    LogRatioState,
)
from coterie.bounds import Above, AtLeast
from coterie.errors import require
from coterie.network import Network, chunked
from coterie.rl import replay as experience
from coterie.rl.distributions import TanhNormal
from coterie.rl.importance import ess_fraction, importance
from coterie.rl.masked_stats import mean
from coterie.rl.models import Inputs
from coterie.rl.networks import ActionCritic, Policy
from coterie.types import LearnerSpec, Observation, blank_observation


class SquashedAction(NamedTuple):
    """An action `tanh(u)`, its `u`, and the log density of `u` when it was drawn; `[G, ...]`."""

    action: Float[Array, "G D"]
    inner: Float[Array, "G D"]
    log_prob: Float[Array, " G"]


class Transition(NamedTuple):
    """Stored step of an agent, and the drift of the policies since (see `LogRatioState`)."""

    view: Observation
    inner: Float[Array, "*batch D"]
    log_prob: Float[Array, "*batch"]
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    next_view: Observation
    drift: LogRatioState | None


@dataclass(frozen=True)
class LiJia(OffPolicy):
    """Off-policy actor-critic with a local critic (Li & Jia, Algorithm 2: eqs. 39 to 62).

    Agent `i` keeps a critic `Q(s, a_i)` of its own action and a squashed Gaussian policy, and both
    learn from its own memory:

        critic:  w (Q(s, a_i) - r - gamma Q_target(s', a'_i))^2 / 2,   a'_i ~ pi_i(s')
        policy:  E Q(s, tanh(mu(s) + sigma(s) xi)), to be maximised

    The world that a critic learns about contains the other agents, who no longer act as they did
    when a step was stored. `w = e^c` makes up for it, with `c` the sum of the *others'* log ratios
    of now to then. Nobody shows a policy: neighbours exchange numbers "log-ratios" whose mean
    gives `c = N x - beta` (see `others_log_ratio`). The reward is the team's. Critic and policy
    step together, from the same parameters.

    The paper gives no numbers. The defaults are from a small search on `spread`, seed 100: a memory
    that is short and a policy that is slow keep c small (see the documentation).
    """

    replay: ExperienceReplay = ExperienceReplay(updates_per_rollout=16)
    """The memory of steps, and how much is learned from it: policies that move far from those of
    stored steps make their weights vary."""
    weight_estimation: LogRatioEstimate = GossipEstimate()
    """Estimate of c: for the drawn steps only, or (as printed) kept up to date for all."""
    log_weight_clip: Annotated[float, AtLeast(0, infinite=True)] = 3.0
    """Largest distance of c from 0; at 0 nothing is reweighed."""
    normalize_weights: bool = False
    """Divide the weights by their mean over the minibatch."""
    std_min: Annotated[float, Above(0)] = 0.3
    """Least sigma. There is no bonus for entropy to keep it up."""
    std_max: Annotated[float, Above(0)] = 1.0
    """Largest sigma; it starts at the geometric mean of the two."""
    critic_uses_state: bool = False
    """Whether critics see the global state instead of the own observation."""

    @property
    def information(self) -> Information:
        return Information(
            state=self.critic_uses_state,
            action_space="continuous",
            reward="team",
            payloads=(self.weight_estimation.payload(self.replay),),
        )

    @property
    def deterministic_eval(self) -> bool:
        return True  # the least sigma is there to explore

    def __post_init__(self) -> None:
        super().__post_init__()
        least, largest = self.std_min, self.std_max
        require(
            least <= largest,
            f"std_min {least} is above std_max {largest}: try 0.3 and 1.",
        )

    def models(self, key: Key[Array, ""], spec: LearnerSpec) -> Models:
        self.require_actions(spec.action)
        keys = jax.random.split(key, 4)
        bounds, inputs = (self.std_min, self.std_max), Inputs.of_critic(spec)
        return Models(
            Policy.squashed(keys[0::2], self.actor, Inputs.of(spec), spec.action, bounds),
            ActionCritic.init(keys[1::2], self.critic, inputs, spec.action.size),
        )

    def blank(self, spec: LearnerSpec) -> Transition:
        view, zero = blank_observation(spec), jnp.zeros(())
        drift = jax.tree.map(lambda x: x[0], self.weight_estimation.start(1))
        return Transition(view, jnp.zeros(spec.action.size), zero, zero, zero > 0, view, drift)

    def act(
        self, state: OffPolicyState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[SquashedAction, tuple[()]]:
        choices = _choices(state.actor_critic.models.policy, view)
        inner = choices.inner.sample(key)
        return SquashedAction(jnp.tanh(inner), inner, choices.inner.log_prob(inner)), memory

    def steps(self, trajectory: Trajectory) -> Transition:
        thrown: SquashedAction = trajectory.decision
        shape = trajectory.reward.shape
        drift = self.weight_estimation.start(trajectory.reward.size)
        return Transition(
            trajectory.view,
            thrown.inner,
            thrown.log_prob,
            trajectory.reward,
            trajectory.terminated,
            trajectory.next_view,
            jax.tree.map(lambda x: x.reshape(shape), drift),
        )

    def critic_targets(
        self, student: ActorCriticState, sample: Transition, network: Network, key: Key[Array, ""]
    ) -> tuple[CriticTargets, Network, Metrics]:
        policy, critic, present = student.models.policy, student.target.critic, sample.view.alive
        own, target = chunked(self._looked_up)(policy, critic, sample, key)
        others, network = self.weight_estimation.others_log_ratio(sample.drift, own, network)
        weight = importance(others, self.log_weight_clip, self.normalize_weights, present)
        metrics = {
            "ess_fraction": ess_fraction(weight, present),
            "mean_log_importance_weight": mean(others, present),
        }
        return CriticTargets(jnp.tanh(sample.inner), target, weight), network, metrics

    def _looked_up(
        self, policy: Policy, critic: ActionCritic, sample: Transition, key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
        """Own log-ratios at drawn steps, and the critic's targets (eq. 56)."""
        following = _choices(policy, sample.next_view).sample(key)
        later = critic.value(sample.next_view.critic_input, following)
        target = sample.reward + self.discount * jnp.where(sample.terminated, 0.0, later)
        return _log_ratio(policy, sample), target

    def actor_objective(
        self, models: Models, sample: Transition, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        choices = _choices(models.policy, sample.view)
        worth = models.critic.value(sample.view.critic_input, choices.sample(key))
        return worth, {"entropy": mean(choices.entropy(), sample.view.alive)}

    def after_updates(
        self, state: OffPolicyState, network: Network
    ) -> tuple[OffPolicyState, Network]:
        stored = state.replay.items
        every = experience.at(state.replay, slice(None))
        own = _log_ratio(state.actor_critic.models.policy, every)
        drift, network = self.weight_estimation.updated(stored.drift, own, network)
        kept = state.replay._replace(items=stored._replace(drift=drift))
        return state._replace(replay=kept), network


def _choices(policy: Policy, view: Observation) -> TanhNormal:
    choices = policy.distribution(view)
    assert isinstance(choices, TanhNormal)
    return choices


def _log_ratio(policy: Policy, memory: Transition) -> Float[Array, " B"]:
    """Own log-ratio beta of the density now to that when played (eq. 39); 0 where absent.

    The Jacobians of `tanh` cancel.
    """
    now = jax.lax.stop_gradient(_choices(policy, memory.view).inner.log_prob(memory.inner))
    present = memory.view.alive
    ratio = now - memory.log_prob
    return ratio if present is None else jnp.where(present, ratio, 0.0)
