"""MATRPO: a trust region for the team, in which agents agree on nothing but policy ratios."""

from dataclasses import dataclass
from typing import Annotated, Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Information, Metrics, Trajectory, joint
from coterie.algorithms.trpo.consensus_admm import (
    ADMMResult,
    FullRatios,
    LocalProblem,
    RatioExchange,
    solve_admm,
)
from coterie.algorithms.trpo.trust_region import TRPOState, TrustRegion
from coterie.bounds import Above, AtLeast, Between
from coterie.errors import require
from coterie.network import Network, Payload, expand_mask
from coterie.rl.cg_subspace import BoundaryStep, ConstrainedStep, Region
from coterie.rl.distributions import Distribution
from coterie.rl.joint_policy_model import TeamModel, log_probs_of, taken_by
from coterie.rl.linearized_policy import LinearizedPolicy, around
from coterie.rl.masked_stats import mean
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec

MOMENTS = "moments"


@dataclass(frozen=True)
class MATRPO(TrustRegion):
    """Multi-agent trust-region policy optimisation (Li & He, Algorithm 1).

    Every agent has a model of the whole team's policy on its own observation, and acts by its own
    head. To improve it, it climbs its own advantages, for the log ratios `r_n` of all agents `n`
    alike, subject to a bound on the divergence of all heads, and to `r` being what its neighbours
    find, sample by sample. To first order in the parameters that is solved by ADMM (eq. 21): in
    each round an agent

    - improves its step for `-mean(A sum_n r_n) + u r + beta/2 sum_e |r - m_e|^2`,
    - tells its `r` to those it is linked to in this round, and with each of them moves the
      midpoint `m_e` to `(r + r') / 2` and its multiplier `u` by `beta (r - r') / 2`.

    Which links are up in a round is the network's affair: all, or with the schedule `links` one at
    a time or a matching, as printed. A meeting that is lost changes nothing at either end. Where
    one of its ends is not in the environment a link ties nothing, and who is gone has no log ratio.
    """

    cg_iters: Annotated[int, AtLeast(1)] = 20
    """Steps of conjugate gradients in an update, spread over its rounds."""
    admm_rounds: Annotated[int, AtLeast(1)] = 100
    """Rounds of ADMM in each update."""
    penalty: Annotated[float, Above(0, "without it nobody agrees")] = 1.0
    """beta: the weight of departures from the midpoints, and the step of the multipliers."""
    step_rule: Literal["exact", "closed", "boundary"] = "exact"
    """The best step within the region; its closed form if B = |E| beta H; or always its edge."""
    ratio_exchange: RatioExchange = FullRatios()
    """Log ratios as the stepped policy has them, told in every round; or to first order: those of
    each direction once, and then how far steps go along each."""
    dual_warm_start: Annotated[float, Between(0, 1)] = 0.0
    """Share of the last update's multipliers to begin with, those of a sample serving the one
    in its place. With 1 those of a rare action stay and push whatever is sampled there later."""
    advantage_normalization: Literal["team", "own", "none"] = "team"
    """Mean and deviation that standardise advantages: the team's (by gossip), its own, none."""
    normalization_rounds: Annotated[int, AtLeast(1)] = 10
    """Rounds of gossip on the team's mean, and then on its deviation."""

    @property
    def information(self) -> Information:
        def ratios(spec: LearnerSpec) -> int:
            return self.rollout_length * spec.num_envs * spec.agents

        told = self.ratio_exchange.payloads(self.admm_rounds, self.cg_iters, ratios)
        if self.advantage_normalization == "team":
            twice = 2 * self.normalization_rounds
            told += (Payload(MOMENTS, messages=twice, numbers=lambda spec: 1),)
        return self.scaled_alike(Information(actions="joint", payloads=told))

    def check_communication(self, gaps: tuple[float, float], wait: float) -> None:
        sentence = (
            "the two ends of a link have to meet at once, and with intervals one listens while the "
            "other does not: use --schedule links, or none."
        )
        require(wait == 1.0, sentence)

    def start_model(self, policy: Policy, spec: LearnerSpec, key: Key[Array, ""]) -> TeamModel:
        return TeamModel.around(policy, spec, key)

    def start_kept(self, spec: LearnerSpec) -> Float[Array, "..."]:
        """The multipliers of the last update, if the next begins with a share of them."""
        warm = self.dual_warm_start > 0.0
        return jnp.zeros((self.rollout_length, spec.num_envs, spec.agents) if warm else ())

    def policy(self, state: TRPOState) -> Policy:
        return state.model.own

    def learn(
        self, state: TRPOState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[TRPOState, Network, Metrics]:
        state, advantage, said = self.advantages(state, trajectory, key)
        present = trajectory.view.alive
        advantage, network = self._scaled(advantage, present, network)
        local = self._local(state.model, trajectory, network.index)
        real = network.neighbor != network.index
        both = _both(trajectory.there, network)
        if both is not None:
            met = jnp.sum(expand_mask(real, both) & both, axis=0)
            local = local._replace(both=both, shared=met / jnp.maximum(jnp.sum(real), 1))
        worth = advantage[..., None] - state.kept  # of log ratios, under the multipliers so far
        change, told, ties, network = self._agreed(local, worth, network)
        ties = ties._replace(dual=state.kept + ties.dual)
        real = expand_mask(real, ties.edge_average)
        real = real if both is None else real & both

        def apart(ratio: Array) -> Float[Array, "T G"]:
            """The squared distances from the midpoints, over neighbours and heads."""
            return jnp.sum(jnp.where(real, ratio - ties.edge_average, 0.0) ** 2, axis=(0, -1))

        def judge(parameters: Array) -> tuple[Array, Array]:
            """The agent's part of the augmented Lagrangian, and the divergence."""
            ratio, divergence = local.at(parameters)
            pressed = jnp.sum(ties.dual * ratio, axis=-1)
            cost = pressed + 0.5 * self.penalty * apart(ratio)
            gain = advantage * jnp.exp(jnp.sum(ratio, axis=-1))
            return mean(cost - gain, present), jnp.sum(divergence)

        parameters, share = self.stepped(local.start, change, judge)
        ratio, divergence = local.at(parameters)
        size, heads = network.size, jnp.roll(divergence, network.index)
        said |= {
            "accepted_step_fraction": share,
            "accepted": (share > 0.0).astype(jnp.float32),
            "kl": jnp.sum(divergence),
            **{f"kl/head-{agent}": heads[agent] for agent in range(size)},
            "consensus_error": jnp.sqrt(
                mean(apart(told), present) / jnp.maximum(network.degree, 1) / size
            ),
            "log_ratio_rms": jnp.sqrt(mean(jnp.sum(ratio**2, axis=-1), present) / size),
        }
        kept = self.dual_warm_start * ties.dual if self.dual_warm_start > 0.0 else state.kept
        return state._replace(model=local.rebuilt(parameters), kept=kept), network, said

    def _local(
        self, model: TeamModel, trajectory: Trajectory, index: Int[Array, ""]
    ) -> LinearizedPolicy:
        """The model of the team to first order, with the log ratios of what everybody did."""
        view = trajectory.view
        taken = taken_by(trajectory.decision.action, joint(trajectory), index)

        def log_probs(heads: tuple[Distribution, ...]) -> Float[Array, "T G N"]:
            each, there = log_probs_of(heads, taken, index), trajectory.there
            if there is None:
                return each
            return jnp.where(there & there[..., index, None], each, 0.0)

        return around(
            model,
            lambda model: model.heads(view, index),
            log_probs,
            view.alive,
            self.damping,
        )

    def _agreed(
        self, local: LinearizedPolicy, gain: Float[Array, "T G n"], network: Network
    ) -> ADMMResult:
        """Result of all rounds of ADMM; the gain is that of each log-ratio, or `n = 1` for all."""
        gain = jnp.broadcast_to(gain, (*gain.shape[:2], network.size))
        problem = LocalProblem(
            local, gain, self._region(self.penalty * network.degree), self.penalty
        )
        return solve_admm(problem, self.ratio_exchange, self.cg_iters, self.admm_rounds, network)

    def _region(self, stiffness: Float[Array, ""]) -> Region:
        if self.step_rule == "exact":
            return ConstrainedStep(self.max_kl, stiffness)
        return BoundaryStep(self.max_kl, stiffness if self.step_rule == "closed" else 0.0)

    def _scaled(
        self, advantage: Float[Array, "T G"], present: Bool[Array, "T G"] | None, network: Network
    ) -> tuple[Float[Array, "T G"], Network]:
        """Advantages of mean 0 and deviation 1: over the team's samples, or its own."""
        if self.advantage_normalization == "none":
            return advantage, network
        # One moment after the other: a difference of squares is lost beside a large mean.
        middle, network = self._pooled(mean(advantage, present), network)
        square, network = self._pooled(mean((advantage - middle) ** 2, present), network)
        return (advantage - middle) / (jnp.sqrt(square) + 1e-8), network

    def _pooled(self, moment: Float[Array, ""], network: Network) -> tuple[Array, Network]:
        """Mean of a moment over the team, or the agent's own."""
        if self.advantage_normalization == "own":
            return moment, network
        return network.gossip(moment, MOMENTS, self.normalization_rounds)


def _both(there: Bool[Array, "T G N"] | None, network: Network) -> Bool[Array, "L T G 1"] | None:
    """Samples at which both ends of a link are in the environment, for each neighbour."""
    if there is None:
        return None
    met = there[..., network.neighbor] & there[..., network.index, None]
    return jnp.moveaxis(met, -1, 0)[..., None]
