"""F2A2-PPO: a method of one's own in F2A2's framework, for discrete and continuous actions.

    coterie train examples.f2a2_ppo:F2A2PPO spread --graph ring --steps 500000

The framework brings critics Q(o, a) and V(o) that the team agrees on by the primal-dual scheme,
their targets, actor and critic as one objective, memories, metrics and the count of what is sent.
What is left to say is what a policy gains by what it did.
"""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.algorithms import F2A2OnPolicy
from coterie.algorithms.f2a2.on_policy import Critics, PolicyBatch
from coterie.bounds import Above
from coterie.rl.importance import clipped_gain


@dataclass(frozen=True)
class F2A2PPO(F2A2OnPolicy):
    """Clipped ratios of new to old policies, by `A = Q(o, a) - V(o)` of the agent's own critics.

    They tell what the agent is paid; with `sharing=WholeCritic()` they tell the team's mean.
    """

    clip_eps: Annotated[float, Above(0)] = 0.2
    """How far the ratio of new to old policy may move before its gradient stops."""

    def actor_objective(self, critics: Critics, case: PolicyBatch) -> Float[Array, "T G"]:
        value = self.values(critics, case.view, case.actions, case.index)[0]
        advantage = value - self.expected(critics, case.view)
        ratio = jnp.exp(case.log_prob - case.before)
        return clipped_gain(ratio, advantage, self.clip_eps)
