"""Wells on one aquifer: what pays each of them ruins all, unless they learn for the mean."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.bounds import AGENTS, AtLeast, AtMost, Between, Each
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Scene, Timestep
from coterie.errors import require


class CommonsState(NamedTuple):
    """One episode.

    stock:  the stock of the aquifer, in [0, 1].
    day:    the day of the season, from 0 to `season - 1`.
    clock:  the number of days played.
    effort: the last effort of each well, in [0, 1], `[N]`; only for pictures.
    """

    stock: Float[Array, ""]
    day: Int[Array, ""]
    clock: Int[Array, ""]
    effort: Float[Array, " N"]


@dataclass(frozen=True)
class Commons(JaxEnv):
    """`N` wells pump from one aquifer, and each is paid for its own land (Hardin 1968).

    On each day well `i` pumps with effort `e_i` in [0, 1] and takes `t_i = e_i x`, for a fuller
    aquifer yields more. `m` is the mean of all `t_j`. Then

        r^i = worth_i (t_i - damage m^2)        x' = x + growth(day) x (1 - x) - draw m

    `worth_i` is the land that `i` waters, and all land sinks with what is pumped on a day. The
    aquifer refills fastest when it is half full: a full one spills, an emptied one has collapsed.
    How fast varies over the season, `growth(day) = growth (1 + swing sin(2 pi day / season))`.

    To well `i` the next unit is worth 1, and of the damage and of the stock that it costs only one
    part in `N` is its own. With the defaults and any number of wells from 2 (solved for 2, 8 and
    64), pumping all one can is the better choice on every day and whatever the others do, if all
    will do so later: the only equilibrium in which rules depend on the day and on what is seen. It
    leaves a twentieth of the aquifer after five days. The mean reward summed over an episode is
    1.14 there, 1.97 at random, 4.10 if all always pump a quarter, 4.78 at best if all do alike, and
    6.92 (8 wells) if those with more land may pump more.

    Everyone sees `x`, `sin` and `cos` of `2 pi day / season`: 3 numbers for any number of wells.
    An episode starts with `x` in [1/2, 1] on any day, never ends, and is cut off.
    """

    agents: Annotated[int, AtLeast(1), AtMost(AGENTS)] = 8
    """Number of wells."""

    levels: Annotated[int | tuple[int, ...], Each(2, 10_000, "try 5")] = 5
    """Number of efforts that a well chooses among, equally far apart from 0 to 1: one number for
    all, or one for each."""

    continuous: bool = False
    """Continuous efforts, any number in [0, 1], in place of one of `levels`."""

    growth: float = 0.2
    """The rate at which a nearly empty aquifer refills, per day."""

    draw: Annotated[float, Between(0, 1)] = 0.6
    """The share of its stock that an aquifer loses in a day if all pump all they can."""

    damage: Annotated[float, AtLeast(0, "try 0.5")] = 0.5
    """Loss per unit of land if all pump all they can from a full aquifer; they gain 1."""

    inequality: Annotated[float, Between(0, 1)] = 0.5
    """The land of the wells is spread evenly from 1 less this to 1 more; its mean is 1."""

    swing: Annotated[float, Between(0, 1)] = 0.5
    """Amplitude of the growth over a season, as a share."""

    season: Annotated[int, AtLeast(1)] = 25
    """The days of a season."""

    time_limit: Annotated[int, AtLeast(1)] = 50
    """The number of days after which an episode is cut off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        fastest = self.growth * (1.0 + self.swing)
        require(
            self.growth >= 0.0 and fastest <= 1.0,
            f"growth must lie between 0 and 1 in all seasons, not at {self.growth} and up to "
            f"{fastest:g}: try 0.2.",
        )
        count = len(self.sizes)
        require(
            count == self.agents,
            f"levels must be one number for all or {self.agents}, one for each, not {count}.",
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of efforts that each well chooses among."""
        return (self.levels,) * self.agents if isinstance(self.levels, int) else self.levels

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        if self.continuous:
            return (AgentSpec(3, Box(1, 0.0, 1.0)),) * self.agents
        return tuple(AgentSpec(3, Discrete(size)) for size in self.sizes)

    @property
    def worth(self) -> Float[np.ndarray, " N"]:
        """The land that each well waters, smallest first; 1 on average."""
        if self.agents == 1:
            return np.ones(1, np.float32)
        return 1.0 + self.inequality * np.linspace(-1.0, 1.0, self.agents, dtype=np.float32)

    def reset(self, key: Key[Array, ""]) -> tuple[CommonsState, Observation]:
        full, when = jax.random.split(key)
        stock = jax.random.uniform(full, minval=0.5, maxval=1.0)
        day = jax.random.randint(when, (), 0, self.season, jnp.int32)
        state = CommonsState(stock, day, jnp.int32(0), jnp.zeros(self.agents))
        return state, self.view(state)

    def step(self, state: CommonsState, action: Array) -> tuple[CommonsState, Timestep]:
        effort = self.effort(action)
        taken = effort * state.stock
        mean = jnp.mean(taken)
        reward = jnp.asarray(self.worth) * (taken - self.damage * mean**2)
        stock = state.stock + self.refilled(state) - self.draw * mean
        day = (state.day + 1) % self.season
        state = CommonsState(stock, day, state.clock + 1, effort)
        late = jnp.broadcast_to(state.clock >= self.time_limit, (self.agents,))
        told = {"stock": stock, "effort": jnp.mean(effort)}
        return state, Timestep(self.view(state), reward, jnp.zeros_like(late), late, told)

    def effort(self, action: Array) -> Float[Array, " N"]:
        """Effort of each well, in [0, 1], by the joint action."""
        if self.continuous:
            return action[:, 0]
        return action / (np.array(self.sizes, np.float32) - 1.0)

    def refilled(self, state: CommonsState) -> Float[Array, ""]:
        """Inflow of the aquifer on this day."""
        rate = self.growth * (1.0 + self.swing * jnp.sin(self.angle(state)))
        return rate * state.stock * (1.0 - state.stock)

    def angle(self, state: CommonsState) -> Float[Array, ""]:
        """Phase of the season, in radians."""
        return 2 * jnp.pi * state.day / self.season

    def view(self, state: CommonsState) -> Observation:
        """Observations of all agents, `[N, 3]`: all are equal."""
        angle = self.angle(state)
        seen = jnp.stack([state.stock, jnp.sin(angle), jnp.cos(angle)])
        return Observation(jnp.broadcast_to(seen, (self.agents, 3)), self.possible())

    def possible(self) -> Bool[Array, "N A"] | None:
        """Mask of the efforts that each well can choose, where that differs."""
        if self.continuous or len(set(self.sizes)) == 1:
            return None
        return jnp.arange(max(self.sizes)) < jnp.array(self.sizes)[:, None]

    def global_state(self, state: CommonsState, view: Observation) -> Float[Array, "3"]:
        """Observation that all agents share."""
        return view.observation[0]

    def scene(self, state: CommonsState) -> Scene:
        """The aquifer in the middle, as large as its stock; around it the wells, by effort."""
        angle = 2 * np.pi * np.arange(self.agents) / self.agents
        wells = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        largest = min(0.2, 2.0 / self.agents)
        radii = largest * (0.2 + 0.8 * np.asarray(state.effort))
        return Scene(
            np.concatenate([np.zeros((1, 2)), wells]),
            np.concatenate([[0.7 * float(state.stock)], radii]),
            ("landmark", *("agent",) * self.agents),
        )
