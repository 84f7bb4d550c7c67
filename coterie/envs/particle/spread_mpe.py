"""Base of the spreads of the particle world, which differ in their rewards."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from coterie.envs.game import Box, Discrete, Space
from coterie.envs.particle.observations import pushes
from coterie.envs.particle.team import ParticleEnv, Particles


@dataclass(frozen=True)
class SpreadMPE(ParticleEnv, abc.ABC):
    """As many agents as landmarks, both uniform in [-1, 1]^2 at the start, at rest.

    Discrete actions: rest, -x, +x, -y, +y. Continuous ones are five weights in [0, 1] for the same
    five, of which the first does nothing.
    """

    agent_radius: ClassVar[float] = 0.15
    landmark_radius: ClassVar[float] = 0.05

    @property
    def landmarks(self) -> int:
        return self.agents

    @property
    def action(self) -> Space:
        return Box(5, 0.0, 1.0) if self.continuous else Discrete(5)

    def control(self, action: Array) -> Float[Array, "N 2"]:
        return pushes(action if self.continuous else jax.nn.one_hot(action, 5))

    def place_landmarks(self, chance: Float[Array, "L 2"]) -> Float[Array, "L 2"]:
        return chance

    def targets(self, state: Particles) -> Float[Array, "N 2"]:
        return state.landmark
