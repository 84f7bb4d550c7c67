"""MATRPO: a trust region for the team, in which agents agree on nothing but policy ratios."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from coterie.algorithms.admm import Ties
from coterie.algorithms.algorithm import Experience, Information, Metrics
from coterie.algorithms.first_order import Local, around
from coterie.algorithms.team_model import TeamModel, log_probs_of, taken_by
from coterie.algorithms.trust_region import Learner, TrustRegion
from coterie.algorithms.trust_step import (
    Inside,
    Region,
    Scaled,
    Step,
    searched,
    solved,
    start_step,
)
from coterie.errors import require
from coterie.network import Network
from coterie.rl.averages import mean
from coterie.rl.models import Policy
from coterie.types import AgentSpec

RATIOS = "log-ratios"
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
    a time or a matching, as printed. A message that is lost changes nothing at either end.
    """

    conjugate_steps: int = 1
    """Steps of conjugate gradients in each round; they go on from round to round."""
    admm_rounds: int = 100
    """Rounds of ADMM in each update."""
    penalty: float = 1.0
    """beta: the weight of departures from the midpoints, and the step of the multipliers."""
    step: Literal["exact", "closed", "boundary"] = "exact"
    """The best step within the region; its closed form if B = |E| beta H; or always its edge."""
    ratios: Literal["linear", "exact"] = "linear"
    """Whether agents tell their log ratios to first order, or as the stepped policy has them."""
    scale: Literal["team", "own", "none"] = "team"
    """Whose mean and deviation standardise advantages: the team's by gossip, its own, nobody's."""
    moment_rounds: int = 10
    """Rounds of gossip on the team's mean and deviation."""

    @property
    def information(self) -> Information:
        sends = (RATIOS, MOMENTS) if self.scale == "team" else (RATIOS,)
        return Information(actions="joint", sends=sends)

    def check(self, games: int) -> None:
        super().check(games)
        sentence = f"penalty must be greater than 0, not {self.penalty}: without it nobody agrees."
        require(self.penalty > 0.0, sentence)

    def start_model(self, policy: Policy, spec: AgentSpec, key: Key[Array, ""]) -> TeamModel:
        return TeamModel.around(policy, spec, key)

    def policy(self, state: Learner) -> Policy:
        return state.model.own

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        state, advantage, said = self.judged(state, experience, key)
        view, index = experience.view, network.index
        advantage, network = self._scaled(advantage, view.present, network)
        taken = taken_by(experience, index)
        local = around(
            state.model,
            lambda model: model.heads(view, index),
            lambda heads: log_probs_of(heads, taken, index),
            view.present,
            self.damping,
        )
        step, ties, network = self._agreed(local, advantage, network)

        def judge(parameters: Array) -> tuple[Array, Array]:
            """The agent's part of the augmented Lagrangian, and the divergence."""
            ratio, divergence = local.at(parameters)
            real = ties.like_midpoint(network.neighbour != index)
            gaps = jnp.sum(jnp.where(real, ratio - ties.midpoint, 0.0) ** 2, axis=0)
            cost = jnp.sum(ties.pressure * ratio + 0.5 * self.penalty * gaps, axis=-1)
            gain = advantage * jnp.exp(jnp.sum(ratio, axis=-1))
            return mean(cost - gain, view.present), jnp.sum(divergence)

        change = step.change / step.scale
        parameters, share = searched(local.start, change, judge, self.divergence, self.halvings)
        ratio, divergence = local.at(parameters)
        said |= {
            "step": share,
            "kl": jnp.sum(divergence),
            "kl_largest": jnp.max(divergence),
            "apart": ties.apart,
            "log_ratio": jnp.sqrt(jnp.mean(ratio**2)),
        }
        return state._replace(model=local.rebuilt(parameters)), network, said

    def _agreed(
        self, local: Local, advantage: Float[Array, "T G"], network: Network
    ) -> tuple[Step, Ties, Network]:
        """The step, and the ties to the neighbours, after all rounds of ADMM."""
        team, beta = (*advantage.shape, network.size), self.penalty
        gain = jnp.broadcast_to(advantage[..., None], team)
        region = self._region(beta * network.degree)
        told = self._told(local)

        def round_(carry: tuple[Step, Ties, Network], _: None) -> tuple[tuple, None]:
            step, ties, network = carry
            pull = gain - ties.pressure + beta * jnp.sum(ties.midpoint, axis=0)
            step = solved(local, step, pull, region, self.conjugate_steps)
            heard, network = network.neighbours(told(step), RATIOS)
            return (step, ties.after(heard, beta), network), None

        ties = Ties.fresh(len(network.neighbour), team)
        start = start_step(local), ties, network
        return jax.lax.scan(round_, start, None, length=self.admm_rounds)[0]

    def _region(self, stiffness: Float[Array, ""]) -> Region:
        if self.step == "exact":
            return Inside(self.divergence, stiffness)
        return Scaled(self.divergence, stiffness if self.step == "closed" else 0.0)

    def _told(self, local: Local) -> Callable[[Step], Float[Array, "T G N"]]:
        if self.ratios == "linear":
            return lambda step: local.ratio(step.moved) / step.scale
        return lambda step: local.at(local.start + step.change / step.scale)[0]

    def _scaled(
        self, advantage: Float[Array, "T G"], present: Bool[Array, "T G"] | None, network: Network
    ) -> tuple[Float[Array, "T G"], Network]:
        """Advantages of mean 0 and deviation 1: over the team's samples, or its own."""
        if self.scale == "none":
            return advantage, network
        moments = jnp.stack([mean(advantage, present), mean(advantage**2, present)])
        if self.scale == "team":
            moments, network = network.gossip(moments, MOMENTS, self.moment_rounds)
        deviation = jnp.sqrt(jnp.maximum(moments[1] - moments[0] ** 2, 0.0))
        return (advantage - moments[0]) / (deviation + 1e-8), network
