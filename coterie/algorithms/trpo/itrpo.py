"""Independent trust-region policy optimisation: every agent as if it were alone."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Key

from coterie.algorithms.base.algorithm import Information, Metrics, Trajectory
from coterie.algorithms.trpo.trust_region import TRPOState, TrustRegion
from coterie.bounds import AtLeast
from coterie.network import Network
from coterie.rl.cg_subspace import BoundaryStep, natural_gradient_step
from coterie.rl.linearized_policy import around
from coterie.rl.masked_stats import mean, standardize
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec


@dataclass(frozen=True)
class ITRPO(TrustRegion):
    """Independent TRPO (Schulman et al. 2015), MATRPO's baseline I-TRPO.

    Each agent climbs its own advantages along the natural gradient, found by conjugate gradients,
    to the edge of its trust region, and halves a step that does not raise its surrogate.
    """

    cg_iters: Annotated[int, AtLeast(1)] = 10
    """Steps of conjugate gradients towards a step."""
    information: Information = Information()
    """Declaration of what it may know: its own; C-TRPO knows and does all at a centre."""

    def start_model(self, policy: Policy, spec: LearnerSpec, key: Key[Array, ""]) -> Policy:
        return policy

    def policy(self, state: TRPOState) -> Policy:
        return state.model

    def learn(
        self, state: TRPOState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[TRPOState, Network, Metrics]:
        state, advantage, said = self.advantages(state, trajectory, key)
        view, action = trajectory.view, trajectory.decision.action
        gain = standardize(advantage, view.alive)[..., None]
        local = around(
            state.model,
            lambda policy: (policy.distribution(view),),
            lambda heads: heads[0].log_prob(action)[..., None],
            view.alive,
            self.damping,
        )
        change = natural_gradient_step(local, gain, BoundaryStep(self.max_kl), self.cg_iters)

        def judge(parameters: Array) -> tuple[Array, Array]:
            """Minus the surrogate, and the divergence."""
            ratio, divergence = local.at(parameters)
            return -mean((jnp.exp(ratio) * gain)[..., 0], view.alive), jnp.sum(divergence)

        parameters, share = self.stepped(local.start, change, judge)
        said |= {"accepted_step_fraction": share, "kl": judge(parameters)[1]}
        return state._replace(model=local.rebuilt(parameters)), network, said
