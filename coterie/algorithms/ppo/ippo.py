"""Independent PPO: every agent clips its own ratio and trusts its own critic."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.ppo.base import DrawnAction, Proximal
from coterie.bounds import Above
from coterie.rl.distributions import Distribution
from coterie.rl.importance import clipped_gain
from coterie.rl.masked_stats import mean


@dataclass(frozen=True)
class IPPO(Proximal):
    """Independent PPO with clipped ratios (de Witt et al. 2020; Schulman et al. 2017, eq. 7).

    Each agent maximises `E[min(r A, clip(r, 1 - c, 1 + c) A)]` and its entropy, with `r` the ratio
    of its new to its old policy. Nothing is sent, nothing is shared.
    """

    clip_eps: Annotated[float, Above(0, infinite=True)] = 0.2
    """Epsilon of PPO's `clip(ratio, 1 - epsilon, 1 + epsilon)`."""
    information: Information = Information()
    """Declaration of what it may know: its own; MAPPO's critics know state and team reward."""

    def surrogate(
        self,
        new: Distribution,
        old: DrawnAction,
        advantage: Float[Array, "T G"],
        present: Bool[Array, "T G"] | None,
        coefficients: PyTree,
        team: int,
    ) -> Float[Array, ""]:
        ratio = jnp.exp(new.log_prob(old.action) - old.distribution.log_prob(old.action))
        gain = clipped_gain(ratio, advantage, self.clip_eps)
        return mean(gain, present)
