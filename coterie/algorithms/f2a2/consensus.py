"""Parameters that a team agrees on while it learns; F2A2 by a primal-dual scheme, (5.2) to (5.4).

Every agent holds a copy `w_i` of what is shared, what it takes for the team's average `w`, and a
dual variable `lambda_i`. Its part of the augmented Lagrangian (5.2) is

    J_i(w_i) - <lambda_i, w - w_i> + (beta / 2) |w - w_i|^2

and the scheme (5.4) goes round

    w_i      <- w_i - eta (grad J_i(w_i) + lambda_i + beta (w_i - w))     (a, b)
    w        <- the average of all w_j, or of the neighbourhood           (c)
    lambda_i <- lambda_i - beta (w - w_i)                                 (d)

It rests where all copies are equal and `lambda_i = -grad J_i`. As no average that keeps the mean
moves the sum of the duals from 0, the gradients then sum to 0: the optimum of the mean objective.
That holds for the complete graph as printed, and as well for any connected graph with doubly
stochastic weights, where `w` is the neighbourhood's average. Where messages go one way only (agents
that listen at intervals of their own) the sum drifts: let the duals forget (`dual_decay`).
"""

import abc
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.bounds import AtLeast, Between
from coterie.errors import advise, require
from coterie.internal.parts import Part
from coterie.network import Network
from coterie.rl.scaling import learned, scales


class DualState(NamedTuple):
    """State of an agreement on parameters: their average `w`, and the dual variables `lambda_i`."""

    mean: PyTree
    dual: PyTree


class SharedSplit(NamedTuple):
    """Parameters in two parts; where a number is in one, the other holds `None`."""

    shared: PyTree
    individual: PyTree

    @staticmethod
    def of(models: PyTree, shares: PyTree) -> "SharedSplit":
        """Split `models` by `shares`: a tree that is true where they are shared, or a prefix of it.

        >>> SharedSplit.of({"mine": 1.0, "ours": 2.0}, {"mine": False, "ours": True}).shared
        {'mine': None, 'ours': 2.0}
        """
        shared, individual = eqx.partition(models, shares)
        # Scales are no parameters: they are not agreed on, whatever stands behind them is.
        return SharedSplit(learned(shared), eqx.combine(individual, scales(shared)))

    @property
    def whole(self) -> PyTree:
        """The parameters in one piece again."""
        return eqx.combine(self.shared, self.individual)


class Consensus(Part, abc.ABC):
    """Rule of agreement on shared parameters; by default an agent steps along its own gradient, and
    nothing is exchanged."""

    @abc.abstractmethod
    def declared(self, information: Information) -> Information:
        """Declaration of what an algorithm may know, and sends, with this consensus."""

    @property
    def messages(self) -> int:
        """Rounds of exchange in one gradient step."""
        return 1

    def check(self) -> None:
        """Raise `ConfigError` if nothing would hold the copies together."""

    def check_step(self, step: float, gaps: tuple[float, float], wait: float = 1.0) -> None:
        """Warn of a step size that does not go with a graph of these `gaps`, heard every `wait`."""

    def start(self, mine: PyTree) -> PyTree:
        """Initial state of the agreement, before any exchange."""
        return ()

    def pooled(self, gradient: PyTree, network: Network, payload: str) -> tuple[PyTree, Network]:
        """The gradient of what is shared, along which an agent steps."""
        return gradient, network

    def agree(
        self,
        before: PyTree,
        after: PyTree,
        state: PyTree,
        step: float,
        network: Network,
        payload: str,
    ) -> tuple[PyTree, PyTree, Network]:
        """Shared parameters after one exchange, and the state of the agreement.

        before, after: the own copy, before and after its own gradient step of size `step`.
        """
        return after, state, network


@dataclass(frozen=True)
class OwnReward(Consensus, name="own-reward"):
    """No agreement: everybody learns from its own reward."""

    def declared(self, information: Information) -> Information:
        return replace(information, payloads=())


@dataclass(frozen=True)
class TeamReward(Consensus, name="team-reward"):
    """No agreement: a centre tells everybody the team's mean reward."""

    def declared(self, information: Information) -> Information:
        return replace(information, reward="team", central=True, payloads=())


@dataclass(frozen=True)
class CentralAverage(Consensus, name="central-average"):
    """One copy for all at a centre: it steps along the mean of all agents' gradients."""

    def declared(self, information: Information) -> Information:
        return replace(information, central=True)

    @property
    def messages(self) -> int:
        return 2  # gradients, and then weights

    def pooled(self, gradient: PyTree, network: Network, payload: str) -> tuple[PyTree, Network]:
        return network.mix(gradient, payload)

    def agree(
        self,
        before: PyTree,
        after: PyTree,
        state: PyTree,
        step: float,
        network: Network,
        payload: str,
    ) -> tuple[PyTree, PyTree, Network]:
        mean, network = network.mix(after, payload)
        return mean, state, network


@dataclass(frozen=True)
class PrimalDual(Consensus, name="primal-dual"):
    """F2A2's scheme (5.4)."""

    penalty: Annotated[float, AtLeast(0)] = 100.0
    """beta: how strongly copies are held together; 3 beta critic_lr must be below 4 on
    the complete graph, below 3 on a ring; agents that listen at intervals want less."""
    dual_decay: Annotated[float, Between(0, 1)] = 0.0
    """The share of the dual variables forgotten in each round: above 0 where agents listen at
    intervals of their own."""

    def declared(self, information: Information) -> Information:
        return information

    def check(self) -> None:
        require(
            self.penalty > 0.0,
            f"penalty (beta) must be above 0, not {self.penalty}: at 0 no dual ever moves and "
            "nothing holds the shared parameters together: try 100.",
        )

    def check_step(self, step: float, gaps: tuple[float, float], wait: float = 1.0) -> None:
        """Warn where the force is too strong for so large a step, on a graph of these `gaps`.

        wait: in one of how many rounds an agent listens, if not in all.
        """
        largest = gaps[1]
        force = 3.0 * step * self.penalty * largest
        advise(
            stable(step, self.penalty, gaps=(1.0, largest)),
            f"a step of {step:g} with a penalty of {self.penalty:g} drives the shared parameters "
            f"apart: 3 step penalty {largest:.3g} = {force:.3g} must stay below 4, less 2 step "
            f"times the curvature ({largest:.3g} is 1 less the least eigenvalue of the graph's "
            f"weights); lower the penalty below {self.penalty * 4.0 / max(force, 4.0):.4g}.",
        )
        if wait > 1.0:
            self._check_wait(step, wait)

    def _check_wait(self, step: float, wait: float) -> None:
        """Warn of duals that drift, or push too far before the next exchange."""
        advise(
            self.dual_decay > 0.0,
            f"agents that listen every {wait:.4g} rounds, each at its own time, let the dual "
            "variables drift: try --dual-decay 0.1.",
        )
        rounds = (
            (1.0 - (1.0 - self.dual_decay) ** wait) / self.dual_decay if self.dual_decay else wait
        )
        push = step * self.penalty * rounds
        advise(
            push < 2.0,
            f"in the {wait:.4g} rounds before its next exchange an agent is pushed by {push:.3g} "
            "times its disagreement, and 2 or more drives the team apart: lower the penalty from "
            f"{self.penalty:g} to {0.3 * self.penalty / push:.2g} or so.",
        )

    def start(self, mine: PyTree) -> DualState:
        """Initial state: the average is the agent's own copy, the dual variables are 0."""
        return DualState(mine, jax.tree.map(jnp.zeros_like, mine))

    def coupling(self, mine: PyTree, pact: DualState) -> Float[Array, ""]:
        """Term that (5.2) adds to an agent's own objective."""

        def term(own: Array, mean: Array, dual: Array) -> Float[Array, ""]:
            apart = mean - own
            return jnp.sum(0.5 * self.penalty * apart**2 - dual * apart)

        return sum(jax.tree.leaves(jax.tree.map(term, mine, *pact)), jnp.zeros(()))

    def dual_gradient(self, mine: PyTree, pact: DualState) -> PyTree:
        """Gradient `lambda_i + beta (w_i - w)` of `coupling`, which (5.4a, b) add."""
        return jax.grad(self.coupling)(mine, pact)

    def agree(
        self,
        before: PyTree,
        after: PyTree,
        state: DualState,
        step: float,
        network: Network,
        payload: str,
    ) -> tuple[PyTree, DualState, Network]:
        force = self.dual_gradient(before, state)
        pulled = jax.tree.map(lambda x, f: x - step * f, after, force)
        state, network = self.consensus_step(pulled, state, network, payload)
        return pulled, state, network

    def consensus_step(
        self, mine: PyTree, pact: DualState, network: Network, payload: str
    ) -> tuple[DualState, Network]:
        """One round: (5.4c) and (5.4d), from what all said at once.

        On the complete graph with uniform (or Metropolis) weights `w` is the average of all.
        """
        mean, network = network.mix(mine, payload)

        def moved(own: Array, mean: Array, dual: Array) -> Array:
            return (1.0 - self.dual_decay) * dual - self.penalty * (mean - own)

        return DualState(mean, jax.tree.map(moved, mine, mean, pact.dual)), network


def stable(
    step: float,
    penalty: float,
    curvature: float = 0.0,
    gaps: tuple[float, float] = (1.0, 1.0),
) -> bool:
    """True if disagreement dies out under plain gradient steps, for objectives of curvature `h`.

    It is linear on the part of the copies that an average shrinks to `mu` times itself: with `b =
    beta (1 - mu)` its determinant is `1 - eta (h + b)`, its trace one more, less `eta b`; so it is
    stable where `h + b > 0` and `eta (2 h + 3 b) < 4`.

    gaps: the least and the largest `1 - mu` of the graph's weights but for the mean's own; 1 and 1
          on the complete graph.

    >>> stable(0.1, 10.0), stable(0.1, 14.0), stable(0.1, 10.0, gaps=(0.5, 1.5))
    (True, False, False)
    """
    least, largest = (penalty * gap for gap in gaps)
    return curvature + least > 0.0 and step * (2.0 * curvature + 3.0 * largest) < 4.0
