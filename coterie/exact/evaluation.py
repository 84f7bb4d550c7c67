"""A team's policies evaluated exactly: values, critics, advantages, visits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from coterie.envs.finite.tables import Tables
from coterie.errors import EnvError, require
from coterie.exact.dynamics import backup, discounted, mixed
from coterie.exact.policies import Policies, checked, joint, marginal


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Exact quantities of a game, a product policy and a discount; made by `evaluate`.

    The reward is the team's mean. Each quantity is computed when it is first asked for.
    """

    tables: Tables
    policies: Policies
    discount: float

    def instead(self, policies: Sequence[np.ndarray]) -> "Evaluation":
        """Another team in the same game; its policies must be known to be distributions."""
        return Evaluation(self.tables, tuple(policies), self.discount)

    @property
    def agents(self) -> int:
        """Number of agents, `N`."""
        return len(self.policies)

    @cached_property
    def joint(self) -> Float[np.ndarray, "M J"]:
        """`pi(a | s)` of the joint actions."""
        return joint(self.policies)

    @cached_property
    def chain(self) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "M"]]:
        """`P_pi(s' | s)` and `r_pi(s)`."""
        return mixed(self.tables, self.joint)

    @cached_property
    def value(self) -> Float[np.ndarray, "M"]:
        """`V^pi(s)`, Li & Jia eq. (3)."""
        return discounted(*self.chain, self.discount)

    @cached_property
    def joint_critic(self) -> Float[np.ndarray, "M J"]:
        """`Q^pi(s, a)` of the joint actions, DPO eq. (2)."""
        return backup(self.tables, self.discount, self.value)

    @cached_property
    def joint_advantage(self) -> Float[np.ndarray, "M J"]:
        """`A(s, a) = Q^pi(s, a) - V^pi(s)`."""
        return self.joint_critic - self.value[:, None]

    def critic(self, agent: int) -> Float[np.ndarray, "M _"]:
        """Agent `i`'s true critic `Q^i_pi(s, a^i)`, Li & Jia eq. (2), DPO eq. (5).

        It is `E_{-i}[Q^pi(s, a)]` (DPO section 3.2), and computed so.
        """
        return marginal(self.joint_critic, self.policies, agent)

    def advantage(self, agent: int) -> Float[np.ndarray, "M _"]:
        """`A^i(s, a^i) = Q^i_pi(s, a^i) - V^pi(s) = E_{-i}[A(s, a)]`, below DPO eq. (6)."""
        return marginal(self.joint_advantage, self.policies, agent)

    @property
    def performance(self) -> float:
        """`J(pi) = sum_s start(s) V^pi(s)`: the discounted return of an endless game."""
        return float(self.tables.start @ self.value)

    @cached_property
    def visits(self) -> Float[np.ndarray, "M"]:
        """`rho(s) = sum_t gamma^t Pr(s_t = s)`, below DPO eq. (4).

        Not normalised, as in DPO and TRPO: it sums to `1 / (1 - gamma)`.
        """
        matrix = np.eye(self.tables.states) - self.discount * self.chain[0]
        return np.linalg.solve(matrix.T, np.asarray(self.tables.start, np.float64))

    def mean(self, quantity: Float[np.ndarray, "M"]) -> float:
        """The mean of `f(s)` over the states that the team visits, discounted."""
        return float((1.0 - self.discount) * (self.visits @ quantity))

    @cached_property
    def stationary(self) -> Float[np.ndarray, "M"]:
        """Stationary distribution of the states: `mu P_pi = mu`.

        `EnvError` if the chain falls into several parts and the answer depends on the start.
        """
        transition, states = self.chain[0], self.tables.states
        system = np.vstack([transition.T - np.eye(states), np.ones(states)])
        target = np.append(np.zeros(states), 1.0)
        solution, _, rank, _ = np.linalg.lstsq(system, target, rcond=1e-12)
        require(
            int(rank) == states,
            "the stationary distribution is not unique: under this policy the game falls into "
            "parts that are never left.",
            EnvError,
        )
        return np.maximum(solution, 0.0) / np.maximum(solution, 0.0).sum()

    @property
    def average_reward(self) -> float:
        """The team's mean reward per step in the long run, `sum_s mu(s) r_pi(s)`."""
        return float(self.stationary @ self.chain[1])


def evaluate(tables: Tables, policies: Sequence[np.ndarray], discount: float) -> Evaluation:
    """Evaluate a team's policies, one array `[M, A_i]` per agent.

    `ConfigError` if a policy does not fit the game or is no distribution, or if the discount is not
    in [0, 1).

    >>> always_one = Tables(np.ones((1, 4, 1)), np.ones((1, 4, 2)), (2, 2), np.ones(1))
    >>> evaluate(always_one, [np.array([[0.5, 0.5]])] * 2, 0.75).value
    array([4.])
    """
    check_discount(discount)
    return Evaluation(tables, checked(tables, policies), float(discount))


def check_discount(discount: float) -> None:
    """`ConfigError` unless the discounted sums exist."""
    require(
        bool(0.0 <= discount < 1.0),
        f"the discount must be in [0, 1), not {discount}: games never end, so that a return with "
        "discount 1 would be infinite.",
    )
