"""Independent trust-region policy optimisation: every agent as if it were alone."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Key

from coterie.algorithms.base.algorithm import Experience, Metrics
from coterie.algorithms.trpo.cg_subspace import Scaled, solved
from coterie.algorithms.trpo.linearized_policy import around
from coterie.algorithms.trpo.trust_region import Learner, TrustRegion
from coterie.network import Network
from coterie.rl.masked_stats import mean, standardise
from coterie.rl.models import Policy
from coterie.types import AgentSpec


@dataclass(frozen=True)
class ITRPO(TrustRegion):
    """Independent TRPO (Schulman et al. 2015), MATRPO's baseline I-TRPO.

    Each agent climbs its own advantages along the natural gradient, found by conjugate gradients,
    to the edge of its trust region, and halves a step that does not raise its surrogate.
    """

    def start_model(self, policy: Policy, spec: AgentSpec, key: Key[Array, ""]) -> Policy:
        return policy

    def policy(self, state: Learner) -> Policy:
        return state.model

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        state, advantage, said = self.judged(state, experience, key)
        view, action = experience.view, experience.decision.action
        gain = standardise(advantage, view.present)[..., None]
        local = around(
            state.model,
            lambda policy: (policy.facing(view),),
            lambda heads: heads[0].log_prob(action)[..., None],
            view.present,
            self.damping,
        )
        change = solved(local, gain, Scaled(self.divergence), self.conjugate_steps)

        def judge(parameters: Array) -> tuple[Array, Array]:
            """Minus the surrogate, and the divergence."""
            ratio, divergence = local.at(parameters)
            return -mean((jnp.exp(ratio) * gain)[..., 0], view.present), jnp.sum(divergence)

        parameters, share = self.moved(local.start, change, judge)
        said |= {"step": share, "kl": judge(parameters)[1]}
        return state._replace(model=local.rebuilt(parameters)), network, said
