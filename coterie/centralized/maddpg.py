"""MADDPG: the reference point whose critics know everybody's actions and next policies."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Action, Experience, Information, Metrics, joint
from coterie.algorithms.base.off_policy import (
    ByLesson,
    Learner,
    Lesson,
    Models,
    Student,
)
from coterie.bounds import Above, AtLeast
from coterie.network import Network
from coterie.rl.masked_stats import mean
from coterie.rl.models import ActionCritic, Policy, Shape
from coterie.types import AgentSpec, View, blank_view

PAYLOAD = "target-actions"


class Memory(NamedTuple):
    """A step: what an agent saw and was paid, and what everybody did, `[N W]`."""

    view: View
    actions: Float[Array, "*batch NW"]
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    next_view: View


@dataclass(frozen=True)
class MADDPG(ByLesson):
    """Deterministic policies with central critics (Lowe et al. 2017).

    Agent `i` learns `Q_i(state, all actions)` towards `r_i + gamma Q_i(state', mu'_1(o_1'), ...)`
    with everybody's target policies `mu'`, and its policy climbs `Q_i` in its own action. Policies
    are `tanh` of a network, with normal noise within while they learn. Discrete actions are drawn,
    and relaxed where a gradient has to pass: `softmax(logits + Gumbel noise)`, temperature 1. The
    noise is drawn within the `tanh`, and each agent has a critic and a reward of its own.
    """

    exploration_noise: Annotated[float, Above(0)] = 0.3
    """Standard deviation of the noise within the `tanh`, for continuous actions."""
    regulariser: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the mean square of the policy's outputs before they are squashed."""

    @property
    def information(self) -> Information:
        return Information(state=True, actions="joint", central=True, sends=(PAYLOAD,))

    @property
    def plays_mode(self) -> bool:
        return True

    def models(self, key: Key[Array, ""], spec: AgentSpec) -> Models:
        keys = jax.random.split(key, 4)
        seen = Shape.of(spec, self.hidden, self.activation, False)
        known = seen._replace(inputs=spec.state, numbered=False)
        noise = self.exploration_noise
        if spec.action.continuous:
            policy = Policy.squashed(keys[0::2], seen, spec.action, (noise, noise))
        else:
            policy = Policy.init(keys[0::2], seen, spec.action)
        return Models(policy, ActionCritic.init(keys[1::2], known, spec.joint))

    def blank(self, spec: AgentSpec) -> Memory:
        view, zero = blank_view(spec), jnp.zeros(())
        return Memory(view, jnp.zeros(spec.joint), zero, zero > 0, view)

    def act(
        self, state: Learner, memory: tuple[()], view: View, key: Key[Array, ""]
    ) -> tuple[Action, tuple[()]]:
        return Action(state.student.models.policy.facing(view).sample(key)), memory

    def steps(self, experience: Experience) -> Memory:
        everybody = joint(experience)
        flat = everybody.reshape(*everybody.shape[:2], -1)
        view, following = experience.view, experience.next_view
        return Memory(view, flat, experience.reward, experience.terminated, following)

    def lesson(
        self, student: Student, sample: Memory, network: Network, key: Key[Array, ""]
    ) -> tuple[Lesson, Network, Metrics]:
        mine = student.target.policy.facing(sample.next_view).drawn(key)
        now, then, told = sample.view.present, sample.next_view.present, mine
        if now is not None and then is not None:
            told = jnp.where((now & then)[:, None], mine, 0.0)  # who is gone does nothing
        heard, network = network.neighbours(told, PAYLOAD)
        everybody = jnp.zeros((network.size, *mine.shape))
        everybody = everybody.at[network.neighbour].set(heard.values).at[network.index].set(mine)
        following = jnp.moveaxis(everybody, 0, 1).reshape(len(mine), -1)
        later = student.target.critic.value(sample.next_view.judged, following)
        target = sample.reward + self.discount * jnp.where(sample.terminated, 0.0, later)
        return Lesson(sample.actions, target, jnp.ones_like(target)), network, {}

    def worth(
        self, models: Models, sample: Memory, index: Int[Array, ""], key: Key[Array, ""]
    ) -> tuple[Float[Array, " B"], Metrics]:
        choices = models.policy.facing(sample.view)
        mine = choices.relaxed(key)
        acted = sample.actions.reshape(len(mine), -1, mine.shape[-1])
        acted = acted.at[:, index].set(mine).reshape(len(mine), -1)
        worth = models.critic.value(sample.view.judged, acted)
        worth = worth - self.regulariser * choices.output_l2()
        return worth, {"entropy": mean(choices.entropy(), sample.view.present)}
