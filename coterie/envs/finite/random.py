"""Environments drawn at random: the same instance and sizes, the same environment, number by
number."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from coterie.bounds import AGENTS, AtLeast, AtMost, Between
from coterie.envs.finite.game import FiniteGame
from coterie.errors import require

TRANSITION, REWARD, CRITIC, POLICY = range(4)
"""What random numbers are for: each has a stream of its own."""

STATES = 10**6
"""Most states of an environment that is drawn."""
ACTIONS = 10_000
"""Most actions of an agent, and most features of either kind."""

REDRAWN = 2**24
"""How many probabilities an environment may have of which every seed keeps a table of its own."""


@dataclass(frozen=True)
class RandomGame(FiniteGame):
    """`P(s, a, s') ~ U(0, 1)`, then normalised; every agent has equally many actions."""

    states: Annotated[int, AtLeast(1), AtMost(STATES)] = 100
    """Number of states."""

    agents: Annotated[int, AtLeast(1), AtMost(AGENTS)] = 4
    """Number of agents."""

    actions: Annotated[int, AtLeast(1), AtMost(ACTIONS)] = 3
    """Number of actions of each agent."""

    instance: Annotated[int, AtLeast(0)] = 0
    """Number of the environment that is drawn."""

    redrawn: bool = False
    """Every seed of a run plays an environment of its own: the instance `instance + seed`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.joint < 2**31,
            f"{self.agents} agents with {self.actions} actions each have {self.joint:.3g} joint "
            "actions, more than the 2^31 that can be numbered: use fewer agents or actions.",
        )
        require(
            not self.redrawn or self.states * self.joint * self.states <= REDRAWN,
            f"an environment of {self.states * self.joint * self.states:.3g} probabilities is too "
            "large to be redrawn for every seed: train one --instance at a time.",
        )

    def for_seed(self, seed: int) -> "RandomGame":
        if not self.redrawn:
            return self
        return replace(self, instance=self.instance + seed, redrawn=False)

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.actions,) * self.agents

    @property
    def floor(self) -> float:
        """Constant added to every probability before a row is normalised."""
        return 0.0

    def row(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " M"]:
        """The row is made of integers, whose sum does not depend on the order, and none is 0."""
        bits = min(23, 31 - math.ceil(math.log2(self.states * (1.0 + self.floor))))
        number = jax.random.bits(self.key(TRANSITION, state, joint), (self.states,))
        weight = (number >> (32 - bits)) + np.uint32(1 + round(self.floor * 2**bits))
        return weight.astype(jnp.float32) / jnp.sum(weight, dtype=jnp.uint32).astype(jnp.float32)

    def key(self, *path: int | Int[Array, ""]) -> Key[Array, ""]:
        """The key of one part of this environment, whatever generator is JAX's default."""
        key = jax.random.key(self.instance, impl="threefry2x32")
        for step in path:
            key = jax.random.fold_in(key, step)
        return key

    def everybody(self, paid: Float[Array, ""]) -> Float[Array, " N"]:
        """One reward for all."""
        return jnp.broadcast_to(paid, (self.agents,))


@dataclass(frozen=True)
class RandomMDP(RandomGame):
    """Random transitions, rewards N(0, 1) shared by all (Li & Jia, section V).

    The paper has 100 states, 3 actions each, and 4 or 5 agents. It says neither where an episode
    starts (here in the state 0) nor how long it is (here as many steps as there are states).

    >>> env = RandomMDP(states=5, agents=2)
    >>> env.tables().transition.shape
    (5, 9, 5)
    """

    def pay(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " N"]:
        return self.everybody(jax.random.normal(self.key(REWARD, state, joint)))


@dataclass(frozen=True)
class StochasticGame(RandomGame):
    """Random transitions, rewards U(0, 1) shared by all (DPO, section 4.1).

    100 states, 6 agents and 5 actions as in the paper, which are 156 million probabilities. The
    state 0 comes first and there are as many steps as states, as in the authors' code. Neither says
    how rewards are drawn; U(0, 1) keeps them within the [0, r_max] that the theory asks for.
    """

    agents: Annotated[int, AtLeast(1), AtMost(AGENTS)] = 6
    actions: Annotated[int, AtLeast(1), AtMost(ACTIONS)] = 5

    def pay(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " N"]:
        return self.everybody(jax.random.uniform(self.key(REWARD, state, joint)))


@dataclass(frozen=True)
class NetworkedMDP(RandomGame):
    """Random transitions, private noisy rewards, linear features (Zhang et al. 2018).

    Mean rewards are `R^i(s, a) ~ U(0, 4)`, observed ones uniform around them. The original has 20
    agents, 20 states and 2 actions: 419 million probabilities. Here 8 agents are the default.

    For linear methods: every agent may know the `critic_features` of all, and has `policy_features`
    of its own, all U(0, 1).
    """

    states: Annotated[int, AtLeast(1), AtMost(STATES)] = 20
    agents: Annotated[int, AtLeast(1), AtMost(AGENTS)] = 8
    actions: Annotated[int, AtLeast(1), AtMost(ACTIONS)] = 2

    noise: Annotated[float, AtLeast(0)] = 0.5
    """Observed rewards differ from their means by at most this."""

    floor: Annotated[float, Between(0, 1, "try 1e-5")] = 1e-5
    """Constant added to every probability before a row is normalised."""

    features: Annotated[int, AtLeast(1), AtMost(ACTIONS)] = 10
    """Number of features of the state and the joint action that the critics share."""

    own_features: Annotated[int, AtLeast(1), AtMost(ACTIONS)] = 5
    """Number of features of the state and its own action that each agent's policy has."""

    shared: ClassVar[bool] = False

    def pay(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " N"]:
        return 4.0 * jax.random.uniform(self.key(REWARD, state, joint), (self.agents,))

    def critic_features(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " K"]:
        """`phi(s, a)` of `Q(s, a; w) = w . phi(s, a)`, drawn on demand."""
        return jax.random.uniform(self.key(CRITIC, state, joint), (self.features,))

    def policy_features(self, agent: int | Int[Array, ""]) -> Float[Array, "M A L"]:
        """`q^i(s, a^i)` of `pi^i(a^i | s) ~ exp(theta^i . q^i(s, a^i))`, of one agent."""
        shape = self.states, self.actions, self.own_features
        return jax.random.uniform(self.key(POLICY, agent), shape)
