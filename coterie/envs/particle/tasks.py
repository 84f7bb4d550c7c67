"""The three formations of the DPO paper: spread, line and circle."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from coterie.bounds import Above
from coterie.envs.particle.formation import Formation
from coterie.envs.particle.team import Discs, Particles

SPAN = 1.25
"""How long the line is."""

RING = 0.5
"""The radius of the circle."""

TURN = np.radians(5.0)
"""By how much a line that would leave the arena is turned at a time."""


@dataclass(frozen=True)
class Spread(Formation):
    """One agent at each of `N` landmarks, which lie uniformly in [-1, 1]^2.

    `navigation_control_full` in DPO's code, where everything is seen.
    """

    agent_radius: ClassVar[float] = 0.05
    landmark_radius: ClassVar[float] = 0.05

    @property
    def landmarks(self) -> int:
        return self.agents

    def place_landmarks(self, chance: Float[Array, "L 2"]) -> Float[Array, "L 2"]:
        return chance

    def targets(self, state: Particles) -> Float[Array, "N 2"]:
        return state.landmark


@dataclass(frozen=True)
class Line(Formation):
    """Stand at equal distances on the line between two landmarks, both ends included.

    `formation_control_full` in DPO's code. The first landmark lies uniformly in [-1/4, 1/4]^2, the
    second 1.25 away in a random direction, turned by 5 degrees at a time until it is in the arena.
    """

    vision: Annotated[float | None, Above(0, "try 1.0, or none for no limit")] = 1.0
    """Range of sight: landmarks and others further away read as zeros; none for no limit."""

    agent_radius: ClassVar[float] = 0.03
    landmark_radius: ClassVar[float] = 0.02

    @property
    def landmarks(self) -> int:
        return 2

    def place_landmarks(self, chance: Float[Array, "L 2"]) -> Float[Array, "L 2"]:
        first, angle = chance[0] / 4, jnp.pi * chance[1, 0]
        return jnp.stack([first, line_end(first, angle)])

    def targets(self, state: Particles) -> Float[Array, "N 2"]:
        start, end = state.landmark
        share = jnp.arange(self.agents, dtype=start.dtype)[:, None] / max(self.agents - 1, 1)
        return start + share * (end - start)

    def discs(self, state: Particles) -> list[Discs]:
        return [Discs("target", self.targets(state), self.landmark_radius), *super().discs(state)]


@dataclass(frozen=True)
class Circle(Formation):
    """Stand at equal angles on the circle of radius 1/2 around the landmark.

    `circle_control_full` in DPO's code. The landmark lies uniformly in [-1/4, 1/4]^2. The places
    turn with the team: the first is at the smallest angle, in [0, 2 pi), at which an agent stands.
    """

    vision: Annotated[float | None, Above(0, "try 1.0, or none for no limit")] = 1.0
    """Range of sight: landmarks and others further away read as zeros; none for no limit."""

    agent_radius: ClassVar[float] = 0.03
    landmark_radius: ClassVar[float] = 0.02

    @property
    def landmarks(self) -> int:
        return 1

    def place_landmarks(self, chance: Float[Array, "L 2"]) -> Float[Array, "L 2"]:
        return chance / 4

    def targets(self, state: Particles) -> Float[Array, "N 2"]:
        x, y = (state.position - state.landmark).T
        angle = jnp.arctan2(y, x)
        first = jnp.min(jnp.where(angle < 0, angle + 2 * jnp.pi, angle))
        step = 2 * jnp.pi / self.agents
        return state.landmark + RING * around(first + step * jnp.arange(self.agents))

    def discs(self, state: Particles) -> list[Discs]:
        return [Discs("target", self.targets(state), self.landmark_radius), *super().discs(state)]


def line_end(first: Float[Array, "2"], angle: Float[Array, ""]) -> Float[Array, "2"]:
    """The point 1.25 from `first` at `angle`, turned by 5 degrees at a time until it is inside.

    All 72 turns are tried at once, and the first that fits is taken; from any place nearer to the
    middle than 1/4 along each axis, one does.
    """
    ends = first + SPAN * around(angle + TURN * jnp.arange(72))
    return ends[jnp.argmax(jnp.all(jnp.abs(ends) < 1.0, axis=-1))]


def around(angle: Float[Array, " N"]) -> Float[Array, "N 2"]:
    """The points of the unit circle at these angles."""
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
