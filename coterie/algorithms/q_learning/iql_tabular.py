"""Independent Q-learning with tables: every agent learns as if it were alone."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from coterie.algorithms.base.algorithm import Metrics
from coterie.algorithms.base.tabular import Step, Tabular, TabularState
from coterie.bounds import AtLeast, Between
from coterie.rl.distributions import NEVER
from coterie.rl.networks import Policy
from coterie.rl.schedules import decayed, falling
from coterie.rl.tables import able_only, drawn, entry
from coterie.types import Observation


@dataclass(frozen=True)
class IQLTabular(Tabular):
    """Independent Q-learning (Tan 1993; Watkins & Dayan 1992), one table for each agent.

        Q(s, a_i) <- Q(s, a_i) + alpha [r + gamma max_a Q(s', a) - Q(s, a_i)]

    `alpha` falls with the visits of `(s, a_i)`. The action is the best one (the first of several),
    or with a probability that falls in a line any one. Everything starts at zero. Nothing is sent,
    nothing is shared. Convergence is proved for one learner with p above 1/2; the default is from a
    search, as that of `LiJiaTabular`.
    """

    lr: Annotated[float, Between(0, 1, open=True)] = 1.0
    """a of alpha = a / (1 + n)^p, with n the earlier visits of the state and action."""
    lr_decay: Annotated[float, Between(0, 1)] = 0.4
    """p of alpha; 0 is a constant step."""
    epsilon_start: Annotated[float, Between(0, 1)] = 1.0
    """Probability of a random action at first."""
    epsilon_end: Annotated[float, Between(0, 1)] = 0.05
    """Probability of a random action in the end."""
    epsilon_decay_steps: Annotated[int, AtLeast(1)] = 200_000
    """Steps, over all environments, until the probability has fallen to its end."""

    numbers: ClassVar[int] = 2  # the values and the visits

    def choose(
        self,
        state: TabularState,
        now: Float[Array, "2 A"],
        view: Observation,
        chance: Float[Array, ""],
    ) -> Int[Array, ""]:
        start, end = self.epsilon_start, self.epsilon_end
        explore = falling(start, end, self.epsilon_decay_steps, state.steps.real())
        values = able_only(now[0], view.action_mask, NEVER)
        anything = able_only(jnp.ones_like(values), view.action_mask, 0.0)
        # Below `explore`, the random number is uniform once more.
        other = drawn(anything, chance / jnp.maximum(explore, 1e-9))
        return jnp.where(chance < explore, other, jnp.argmax(values)).astype(jnp.int32)

    def revise(
        self,
        now: Float[Array, "2 A"],
        later: Float[Array, "2 A"],
        step: Step,
        turn: Bool[Array, ""],
    ) -> tuple[Float[Array, "2 A"], Metrics]:
        values, visits = now
        taken = jnp.arange(len(values)) == step.action
        best = jnp.max(able_only(later[0], step.able_there, NEVER))
        worth = jnp.where(step.ends, 0.0, best)
        error = step.reward + self.discount * worth - entry(values, step.action)
        alpha = decayed(self.lr, self.lr_decay, entry(visits, step.action))
        new = jnp.stack([values + jnp.where(taken, alpha * error, 0.0), visits + taken])
        return new, {"critic_loss": error**2, "value": entry(values, step.action)}

    def policy(self, state: TabularState) -> Policy:
        return Policy.tabular(state.rows[:, 0])

    @property
    def deterministic_eval(self) -> bool:
        return True
