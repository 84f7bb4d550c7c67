"""Decentralised policy optimisation: a surrogate every agent can improve without the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from coterie.algorithms.base.algorithm import Metrics
from coterie.algorithms.ppo.base import DrawnAction, Proximal, Sample
from coterie.bounds import Above, AtLeast
from coterie.rl.distributions import Distribution
from coterie.rl.masked_stats import mean


class Penalties(NamedTuple):
    """beta_1 and beta_2 of one agent: the weights of the root of the divergence, and of it."""

    root: Float[Array, ""]
    linear: Float[Array, ""]


@dataclass(frozen=True)
class DPO(Proximal):
    """Decentralised policy optimisation (Su & Lu, eq. 19 and 20).

    Agent `i` of `N` maximises `(1/N) L_i - beta_1 sqrt(D) - beta_2 D`, where `L_i` is its expected
    advantage (with the entropy bonus) and `D` the mean divergence `KL(old || new)` over its states.
    After the update both betas are multiplied by `omega` if `D > delta d_target` and divided by it
    if `D < d_target / delta`.

    `beta_1 = 0` is IPPO-KL, `beta_2 = 0` the paper's other ablation: a coefficient of zero stays
    zero. The root is smoothed at zero, where the printed form has no gradient: see `smooth_root`.
    """

    sqrt_kl_coef: Annotated[float, AtLeast(0)] = 0.01
    """Initial beta_1, the weight of sqrt(D)."""
    kl_coef: Annotated[float, AtLeast(0)] = 0.01
    """Initial beta_2, the weight of D."""
    kl_target: Annotated[float, Above(0)] = 0.01
    """d_target: the divergence that an update should cause, in nats."""
    kl_tolerance: Annotated[float, AtLeast(1)] = 1.5
    """delta: how far from the target, as a factor, before the penalties change."""
    kl_coef_factor: Annotated[float, AtLeast(1)] = 2.0
    """omega: by how much they change."""
    scale_by_num_agents: bool = True
    """Weigh the advantages by 1/N, as eq. 19 does and the authors' code does not."""
    sqrt_kl_per_state: bool = False
    """Take the root of the mean divergence (eq. 19) or the mean of each state's root (the code)."""
    adapt_coefs: Literal["joint", "separate"] = "joint"
    """Adapt both penalties by D (eq. 20), or beta_1 by the mean root against sqrt(d_target)."""

    def start_coefficients(self) -> Penalties:
        return Penalties(jnp.float32(self.sqrt_kl_coef), jnp.float32(self.kl_coef))

    def surrogate(
        self,
        new: Distribution,
        old: DrawnAction,
        advantage: Float[Array, "T G"],
        present: Bool[Array, "T G"] | None,
        coefficients: Penalties,
        team: int,
    ) -> Float[Array, ""]:
        ratio = jnp.exp(new.log_prob(old.action) - old.distribution.log_prob(old.action))
        divergence = old.distribution.kl(new)
        return (
            self._share(team) * mean(ratio * advantage, present)
            - coefficients.root * self._root(divergence, present)
            - coefficients.linear * mean(divergence, present)
        )

    def entropy_weight(self, team: int) -> float:
        return self._share(team) * self.entropy_coef

    def adapt(
        self, coefficients: Penalties, sample: Sample, policy: Callable[[], Distribution]
    ) -> tuple[Penalties, Metrics]:
        divergence, present = sample.old.distribution.kl(policy()), sample.view.alive
        measured = mean(divergence, present)
        excess = measured / self.kl_target
        root_excess = excess
        if self.adapt_coefs == "separate":
            root_excess = mean(smooth_root(divergence), present) / self.kl_target**0.5
        adapted = Penalties(
            self._adapted(coefficients.root, root_excess),
            self._adapted(coefficients.linear, excess),
        )
        return adapted, {
            "kl": measured,
            "sqrt_kl_coef": adapted.root,
            "kl_coef": adapted.linear,
        }

    def _share(self, team: int) -> float:
        """Weight of an agent's own gain."""
        return 1.0 / team if self.scale_by_num_agents else 1.0

    def _root(
        self, divergence: Float[Array, "T G"], present: Bool[Array, "T G"] | None
    ) -> Float[Array, ""]:
        if self.sqrt_kl_per_state:
            return mean(smooth_root(divergence), present)
        return smooth_root(mean(divergence, present))

    def _adapted(self, coefficient: Float[Array, ""], excess: Float[Array, ""]) -> Float[Array, ""]:
        step = jnp.where(excess > self.kl_tolerance, self.kl_coef_factor, 1.0)
        step = jnp.where(excess < 1.0 / self.kl_tolerance, 1.0 / self.kl_coef_factor, step)
        # A coefficient that vanished, or overflowed, could never come back.
        return jnp.where(coefficient > 0, jnp.clip(coefficient * step, 1e-6, 1e6), coefficient)


def smooth_root(divergence: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`sqrt(D + eps) - sqrt(eps)` with `eps = 1e-8`.

    At `D = 0`, where every update starts, the plain root has an infinite slope that meets a zero
    gradient of `D`: automatic differentiation answers NaN, although the root of a divergence is
    only a norm with a kink there. `D` is a rounded sum and may come out slightly negative.

    >>> float(smooth_root(jnp.array(0.0)))
    0.0
    """
    smoothing = 1e-8
    return jnp.sqrt(jnp.maximum(divergence, 0.0) + smoothing) - smoothing**0.5
