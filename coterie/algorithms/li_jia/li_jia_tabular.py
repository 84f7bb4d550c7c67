"""Li & Jia's Algorithm 1: actor-critic with tables, each agent's critic of its own action only."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from coterie.algorithms.base.algorithm import Metrics
from coterie.algorithms.base.tabular import Step, Tabular, TabularState
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between, Finite
from coterie.errors import require
from coterie.internal.count import Count
from coterie.network import Network
from coterie.rl.networks import Policy
from coterie.rl.schedules import decayed, require_convergent
from coterie.rl.tables import able_only, drawn, entry
from coterie.types import Observation

WIDEST = 80.0
"""Largest difference of two preferences; beyond, a probability underflows to 0 in 32 bits."""


@dataclass(frozen=True)
class LiJiaTabular(Tabular):
    """Actor-critic with a local critic in tables (Li & Jia, Algorithm 1: eqs. 6, 7 and 32 to 34).

    Agent `i` draws its action from the softmax of its preferences `zeta(s, .)` and keeps a critic
    `Q(s, a_i)` of its own action, to which the others are a part of the world:

        Q(s, a_i)  <-  Q(s, a_i) + alpha [r + gamma Q(s', a'_i) - Q(s, a_i)],   a'_i ~ pi_i(s', .)
        zeta(s, .) <-  clip(zeta(s, .) + beta pi(s, .) (Q(s, .) - v(s)), T_m, T_M)

    with `v(s) = sum_a pi(s, a) Q(s, a)`; both updates start from the tables before the step, as the
    indices of the paper say. `alpha` falls with the visits of `(s, a_i)` and `beta` with those of
    `s`. Everything starts at zero. Nothing is sent; the reward must be the team's.

    The paper gives no numbers. The defaults are from a search over p, b and q on two random games
    of four agents that are in none of its figures (`random-mdp`, instances 1000 and 1001).
    """

    critic_lr: Annotated[float, Between(0, 1, open=True)] = 1.0
    """a of alpha = a / (1 + n)^p, with n the earlier visits of the state and action."""
    critic_lr_decay: Annotated[float, Between(0, 1)] = 0.65
    """p of alpha. Theorem 1 needs it above 0.5 and at most 1; 0 is a constant step."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 0.2
    """b of beta = b / (1 + n)^q, with n the earlier visits of the state."""
    actor_lr_decay: Annotated[float, Between(0, 1)] = 0.4
    """q of beta; 0 is a constant step."""
    logit_min: Annotated[float, Finite()] = -10.0
    """T_m: preferences go no lower."""
    logit_max: Annotated[float, Finite()] = 10.0
    """T_M: preferences go no higher."""
    update: Literal["simultaneous", "cyclic"] = "simultaneous"
    """Order of improvement: every agent at every step, or one after the other (eqs. 23 and 24)."""
    period: Annotated[int, AtLeast(1)] = 100
    """Steps of one agent's turn if the update is cyclic; the critics learn all the time."""

    numbers: ClassVar[int] = 3  # the critic, the preferences, and the visits

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.logit_min, self.logit_max
        require(
            low < high,
            f"logit_min must be below logit_max, not {low} and {high}: try -10 and 10.",
        )
        require(
            high - low <= WIDEST,
            f"preferences from {low} to {high} lie {high - low:g} apart, and a probability would "
            f"be rounded to 0, which Assumption 1 excludes: at most {WIDEST:g}.",
        )
        if self.update == "cyclic":
            require_convergent("critic_lr_decay", self.critic_lr_decay)

    def turns(self, steps: Count, network: Network) -> Bool[Array, ""]:
        if self.update == "simultaneous":
            return jnp.ones((), bool)
        return steps % (self.period * network.size) // self.period == network.index

    def choose(
        self,
        state: TabularState,
        now: Float[Array, "3 A"],
        view: Observation,
        chance: Float[Array, ""],
    ) -> Int[Array, ""]:
        return drawn(self._weights(now, view.action_mask), chance)

    def revise(
        self,
        now: Float[Array, "3 A"],
        later: Float[Array, "3 A"],
        step: Step,
        turn: Bool[Array, ""],
    ) -> tuple[Float[Array, "3 A"], Metrics]:
        critic, preference, visits = now
        taken = jnp.arange(len(critic)) == step.action
        following = drawn(self._weights(later, step.able_there), step.chance)
        worth = jnp.where(step.ends, 0.0, entry(later[0], following))
        error = step.reward + self.discount * worth - entry(critic, step.action)
        alpha = decayed(self.critic_lr, self.critic_lr_decay, entry(visits, step.action))

        weights = self._weights(now, step.able)
        policy = weights / jnp.sum(weights)
        value = jnp.sum(policy * critic)
        beta = decayed(self.actor_lr, self.actor_lr_decay, jnp.sum(visits))
        better = preference + beta * policy * (critic - value)
        better = jnp.clip(better, self.logit_min, self.logit_max)

        new = (
            critic + jnp.where(taken, alpha * error, 0.0),
            jnp.where(turn, better, preference),
            visits + taken,
        )
        return jnp.stack(new), {"critic_loss": error**2, "value": value}

    def policy(self, state: TabularState) -> Policy:
        return Policy.tabular(state.rows[:, 1])

    def _weights(
        self, row: Float[Array, "3 A"], able: Bool[Array, " A"] | None
    ) -> Float[Array, " A"]:
        """The probabilities of the actions, up to a factor (eq. 6)."""
        return able_only(jnp.exp(row[1] - self.logit_max), able, 0.0)
