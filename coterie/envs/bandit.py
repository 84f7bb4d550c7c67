"""A bandit with a continuum of arms, pulled by a team whose rewards are private."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from coterie.bounds import AGENTS, AtLeast, AtMost
from coterie.envs.game import AgentSpec, Box, JaxEnv, Observation, Timestep
from coterie.errors import require

BOUND = 8.0
"""Actions lie within so much of 0, in the bandit's units; agents choose in [-1, 1] of it."""

NUMBERS = 2_000
"""Most numbers of a joint action; the time to draw a curvature grows with their third power."""

BEST = 4.0
"""Every number of the team's best joint action."""

EIGENVALUES = (0.1, 1.0)
"""Values that the curvature's eigenvalues are drawn from."""


class BanditState(NamedTuple):
    """The number of steps played."""

    clock: Int[Array, ""]


@dataclass(frozen=True)
class ContinuousBandit(JaxEnv):
    """One state; agent `i` chooses block `i` of a joint action `a` of `D = agents * size` numbers.

    The mean reward is `-(a - a*)^T M (a - a*)` with `a* = (4, ..., 4)`, and `M` randomly rotated
    with eigenvalues drawn from {0.1, 1} (Silver et al. 2014, "Deterministic policy gradient
    algorithms", section 5.1). Grosnit et al. (2021) play a bandit like it in a team and give no
    constants; the private rewards are this environment's own. Agent `i` has a place `c_i` that it
    likes better, `mean_i c_i = a*`, and is paid `-(a - c_i)^T M (a - c_i) + (c_i - a*)^T M (c_i -
    a*)`: the same quadratic, moved, and 0 for everyone at `a*`. Whoever follows its own reward is
    misled; only the mean is highest at `a*`.

    Actions lie in [-8, 8], so that `a*` is at 0.5 in the agents' own units and 0 is not the answer.
    The observation is a single 1. Nothing ends; `time_limit` cuts off.

    >>> env = ContinuousBandit(agents=3, size=2)
    >>> env.reward(env.optimum).tolist()
    [0.0, 0.0, 0.0]
    """

    agents: Annotated[int, AtLeast(1), AtMost(AGENTS)] = 5
    """Number of agents."""

    size: Annotated[int, AtLeast(1)] = 1
    """Number of components that each agent chooses."""

    conflict: Annotated[float, AtLeast(0, "try 1.0"), AtMost(1e6)] = 1.0
    """Largest disagreement: the numbers of `c_i - a*` are drawn uniformly from within this,
    then centred; 0 to pay everyone the mean."""

    instance: Annotated[int, AtLeast(0)] = 0
    """Number of the bandit that is drawn."""

    time_limit: Annotated[int, AtLeast(1)] = 20
    """The number of steps after which an episode is cut off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        count = self.agents * self.size
        require(
            count <= NUMBERS,
            f"{self.agents:,} agents that choose {self.size:,} numbers each would have a curvature "
            f"of {count:,} x {count:,} numbers: choose at most {NUMBERS:,} numbers in all.",
        )

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return (AgentSpec(1, Box(self.size, -BOUND, BOUND)),) * self.agents

    @property
    def curvature(self) -> Float[np.ndarray, "D D"]:
        """Matrix `M` of the mean reward."""
        return _drawn(self.agents, self.size, self.instance)[0]

    @property
    def optimum(self) -> Float[np.ndarray, "N size"]:
        """Joint action `a*`, where the mean reward is highest."""
        return np.full((self.agents, self.size), BEST)

    @property
    def normalized_optimum(self) -> Float[np.ndarray, "N size"]:
        """Joint action `a*` in the units [-1, 1] that agents choose in."""
        return self.optimum / BOUND

    @property
    def own_optima(self) -> Float[np.ndarray, "N N size"]:
        """The joint action `c_i` that each agent `i` likes best."""
        apart = self.conflict * _drawn(self.agents, self.size, self.instance)[1]
        return BEST + apart.reshape(self.agents, self.agents, self.size)

    @property
    def equilibrium(self) -> Float[np.ndarray, "N size"]:
        """The joint action at which nobody gains by changing its own part, were there no bounds.

        There each agent's own gradient is 0: block `i` of `M (a - c_i)`, for all `i` at once.
        """
        pulls = self.own_optima.reshape(self.agents, -1) @ self.curvature
        blocks = pulls.reshape(self.agents, self.agents, self.size)
        own = np.arange(self.agents)
        place = np.linalg.solve(self.curvature, blocks[own, own].reshape(-1))
        return place.reshape(self.agents, self.size)

    def reward(self, action: Float[Array | np.ndarray, "N size"]) -> Float[Array, " N"]:
        """Everyone's reward for a joint action in the bandit's units."""
        gap = jnp.asarray(action).reshape(-1) - BEST
        apart = self.own_optima.reshape(self.agents, -1) - BEST
        pull = _times(self.curvature, gap)
        return 2.0 * _times(apart, pull) - jnp.sum(pull * gap)

    def reset(self, key: Key[Array, ""]) -> tuple[BanditState, Observation]:
        return BanditState(jnp.int32(0)), self.view()

    def step(self, state: BanditState, action: Array) -> tuple[BanditState, Timestep]:
        state = BanditState(state.clock + 1)
        late = jnp.broadcast_to(state.clock >= self.time_limit, (self.agents,))
        told = {"distance": jnp.sqrt(jnp.mean((action - BEST) ** 2))}
        return state, Timestep(self.view(), self.reward(action), jnp.zeros_like(late), late, told)

    def view(self) -> Observation:
        """Observation of every agent, always: 1."""
        return Observation(jnp.ones((self.agents, 1)))

    def global_state(self, state: BanditState, view: Observation) -> Float[Array, "1"]:
        """The observation that all share."""
        return view.observation[0]


@lru_cache(maxsize=32)
def _drawn(
    agents: int, size: int, instance: int
) -> tuple[Float[np.ndarray, "D D"], Float[np.ndarray, "N D"]]:
    """Draw `M` and each agent's offset from `a*`, which is from within [-1, 1] and then centred.

    The same numbers wherever it is first asked for, also while a step is being traced.
    """
    count = agents * size
    with jax.ensure_compile_time_eval():
        keys = jax.random.split(jax.random.key(instance, impl="threefry2x32"), 3)
        axes = np.asarray(jax.random.normal(keys[0], (count, count), jnp.float32), np.float64)
        large = np.asarray(jax.random.uniform(keys[1], (count,), jnp.float32)) < 0.5
        apart = np.asarray(jax.random.uniform(keys[2], (agents, count), jnp.float32, -1.0, 1.0))
    rotation, triangle = np.linalg.qr(axes)
    rotation *= np.sign(np.diagonal(triangle))  # or else some rotations are likelier than others
    small, one = EIGENVALUES
    curvature = (rotation * np.where(large, one, small)) @ rotation.T
    return curvature, apart - apart.mean(axis=0, dtype=np.float64)


def _times(matrix: Float[np.ndarray, "A B"], vector: Float[Array, " B"]) -> Float[Array, " A"]:
    """The product in full precision, also on accelerators that round factors by default."""
    return jnp.matmul(matrix.astype(vector.dtype), vector, precision=jax.lax.Precision.HIGHEST)
