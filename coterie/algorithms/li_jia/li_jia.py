"""Li & Jia's Algorithm 2: local critics that learn from a memory which gossip keeps up to date."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Experience, Information, Metrics
from coterie.algorithms.base.off_policy import (
    ByLesson,
    Learner,
    Lesson,
    Models,
    Student,
)
from coterie.algorithms.li_jia.others_log_ratio import PAYLOAD, Afresh, Drift, Tracked
from coterie.bounds import Above, AtLeast
from coterie.errors import require
from coterie.network import Network, few_at_a_time
from coterie.rl.distributions import Squashed
from coterie.rl.importance import effective_share, importance
from coterie.rl.masked_stats import mean
from coterie.rl.models import ActionCritic, Policy, Shape
from coterie.types import AgentSpec, View, blank_view


class Throw(NamedTuple):
    """An action `tanh(u)`, its `u`, and the log density of `u` when it was drawn; `[G, ...]`."""

    action: Float[Array, "G D"]
    inner: Float[Array, "G D"]
    log_prob: Float[Array, " G"]


class Memory(NamedTuple):
    """What an agent keeps of a step: what is its own, and how far policies have moved since."""

    view: View
    inner: Float[Array, "*batch D"]
    log_prob: Float[Array, "*batch"]
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    next_view: View
    drift: Drift | None


@dataclass(frozen=True)
class LiJia(ByLesson):
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

    refresh: Literal["minibatch", "all"] = "minibatch"
    """Estimate c for the drawn steps only, or (as printed) keep it up to date for the memory."""
    gossip_rounds: Annotated[int, AtLeast(1)] = 5
    """Rounds of averages for each minibatch."""
    weight_clip: Annotated[float, AtLeast(0, infinite=True)] = 3.0
    """How far c may be from 0; at 0 nothing is reweighed."""
    normalise_weights: bool = False
    """Divide the weights by their mean over the minibatch."""
    deviation_min: Annotated[float, Above(0)] = 0.3
    """Least sigma. There is no bonus for entropy to keep it up."""
    deviation_max: Annotated[float, Above(0)] = 1.0
    """Largest sigma; it starts at the geometric mean of the two."""
    see_state: bool = False
    """Whether critics see the global state instead of the own observation."""

    @property
    def information(self) -> Information:
        return Information(
            state=self.see_state, action_space="continuous", reward="team", sends=(PAYLOAD,)
        )

    @property
    def plays_mode(self) -> bool:
        return True  # the least sigma is there to explore

    def check(self, games: int) -> None:
        super().check(games)
        least, largest = self.deviation_min, self.deviation_max
        require(
            least <= largest,
            f"deviation_min {least} is above deviation_max {largest}: try 0.3 and 1.",
        )

    def models(self, key: Key[Array, ""], spec: AgentSpec) -> Models:
        self.require_actions(spec.action)
        keys = jax.random.split(key, 4)
        seen = Shape.of(spec, self.hidden, self.activation, False)
        known = seen._replace(inputs=spec.state, numbered=False) if spec.state else seen
        bounds = self.deviation_min, self.deviation_max
        return Models(
            Policy.squashed(keys[0::2], seen, spec.action, bounds),
            ActionCritic.init(keys[1::2], known, spec.action.size),
        )

    def blank(self, spec: AgentSpec) -> Memory:
        view, zero = blank_view(spec), jnp.zeros(())
        drift = jax.tree.map(lambda x: x[0], self._drift().start(1))
        return Memory(view, jnp.zeros(spec.action.size), zero, zero, zero > 0, view, drift)

    def act(
        self, state: Learner, memory: tuple[()], view: View, key: Key[Array, ""]
    ) -> tuple[Throw, tuple[()]]:
        choices = _choices(state.student.models.policy, view)
        inner = choices.inner.sample(key)
        return Throw(jnp.tanh(inner), inner, choices.inner.log_prob(inner)), memory

    def steps(self, experience: Experience) -> Memory:
        thrown: Throw = experience.decision
        shape = experience.reward.shape
        drift = self._drift().start(experience.reward.size)
        return Memory(
            experience.view,
            thrown.inner,
            thrown.log_prob,
            experience.reward,
            experience.terminated,
            experience.next_view,
            jax.tree.map(lambda x: x.reshape(shape), drift),
        )

    def lesson(
        self, student: Student, sample: Memory, network: Network, key: Key[Array, ""]
    ) -> tuple[Lesson, Network, Metrics]:
        policy, critic, present = student.models.policy, student.target.critic, sample.view.present
        own, target = few_at_a_time(self._looked_up)(policy, critic, sample, key)
        others, network = self._drift().others(sample.drift, own, network)
        weight = importance(others, self.weight_clip, self.normalise_weights, present)
        metrics = {
            "effective_share": effective_share(weight, present),
            "log_weight": mean(others, present),
        }
        return Lesson(jnp.tanh(sample.inner), target, weight), network, metrics

    def _looked_up(
        self, policy: Policy, critic: ActionCritic, sample: Memory, key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
        """The own log ratios at drawn steps, and what the critic is to learn (eq. 56)."""
        following = _choices(policy, sample.next_view).sample(key)
        later = critic.value(sample.next_view.judged, following)
        target = sample.reward + self.discount * jnp.where(sample.terminated, 0.0, later)
        return _log_ratio(policy, sample), target

    def worth(
        self, models: Models, sample: Memory, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        choices = _choices(models.policy, sample.view)
        worth = models.critic.value(sample.view.judged, choices.sample(key))
        return worth, {"entropy": mean(choices.entropy(), sample.view.present)}

    def settle(self, state: Learner, network: Network) -> tuple[Learner, Network]:
        stored = state.replay.items
        own = _log_ratio(state.student.models.policy, stored)
        drift, network = self._drift().follow(stored.drift, own, network)
        kept = state.replay._replace(items=stored._replace(drift=drift))
        return state._replace(replay=kept), network

    def _drift(self) -> Any:
        """How the others' drift is estimated."""
        return Afresh(self.gossip_rounds) if self.refresh == "minibatch" else Tracked()


def _choices(policy: Policy, view: View) -> Squashed:
    choices = policy.facing(view)
    assert isinstance(choices, Squashed)
    return choices


def _log_ratio(policy: Policy, memory: Memory) -> Float[Array, " B"]:
    """beta, the log of my density now over that when I played (eq. 39); 0 where I was absent.

    The Jacobians of `tanh` cancel.
    """
    now = jax.lax.stop_gradient(_choices(policy, memory.view).inner.log_prob(memory.inner))
    present = memory.view.present
    ratio = now - memory.log_prob
    return ratio if present is None else jnp.where(present, ratio, 0.0)
