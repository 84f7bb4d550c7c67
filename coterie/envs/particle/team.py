"""Base of all particle environments: discs that push themselves about for a fixed time."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from coterie.bounds import AGENTS, AtLeast, AtMost
from coterie.envs.game import AgentSpec, JaxEnv, Observation, Scene, Space, Timestep
from coterie.envs.particle.observations import distances, observe
from coterie.envs.particle.physics import Bodies, Order, advance, touched

SENSITIVITY = 5.0
"""Force per unit of control."""

NEAR = 0.1
"""A target is covered when an agent is closer than this."""


class Particles(NamedTuple):
    """The state of one episode of `N` agents and `L` landmarks.

    position: the agents' positions, in half arenas, `[N, 2]`.
    velocity: in half arenas per second, `[N, 2]`.
    landmark: the landmarks' positions, `[L, 2]`.
    clock:    the number of steps played.
    """

    position: Float[Array, "N 2"]
    velocity: Float[Array, "N 2"]
    landmark: Float[Array, "L 2"]
    clock: Int[Array, ""]


class Discs(NamedTuple):
    """Discs to draw: a label, their positions `[M, 2]` and their radius, or one radius each."""

    kind: str
    positions: Float[Array, "M 2"] | Float[np.ndarray, "M 2"]
    radius: float | Float[np.ndarray, " M"]


def picture(groups: Sequence[Discs]) -> Scene:
    """Groups of discs as one scene, in order."""
    positions = np.concatenate([np.asarray(group.positions) for group in groups])
    radii = [np.broadcast_to(group.radius, len(group.positions)) for group in groups]
    kinds = tuple(group.kind for group in groups for _ in group.positions)
    return Scene(positions, np.concatenate(radii), kinds)


@dataclass(frozen=True)
class ParticleEnv(JaxEnv):
    """Equal discs of mass 1 that push each other, near landmarks that push nobody.

    An agent perceives, in this order: its velocity, its position, the landmarks relative to it, the
    other agents relative to it in order of index, and `2 (N - 1)` zeros (the silence of the others,
    which both the papers' code and mpe2 include).
    """

    agents: Annotated[int, AtLeast(1, "try 3"), AtMost(AGENTS)] = 3
    """Number of agents."""

    continuous: bool = False
    """Continuous actions, vectors of numbers, in place of five: rest, or a push along an axis."""

    time_limit: Annotated[int, AtLeast(1, "try 25")] = 25
    """The number of steps after which an episode is cut off."""

    order: Order = "old"
    """Velocity that a step moves by: the one before ("new") or after ("old") the forces act."""

    agent_radius: ClassVar[float]
    landmark_radius: ClassVar[float]

    @property
    def sight(self) -> float | None:
        """Range of sight; `None` for no limit."""
        return None

    @property
    @abc.abstractmethod
    def landmarks(self) -> int:
        """The number of landmarks `L`."""

    @property
    @abc.abstractmethod
    def action(self) -> Space:
        """Action space of each agent."""

    @abc.abstractmethod
    def control(self, action: Array) -> Float[Array, "N 2"]:
        """The direction and strength, in [-1, 1] each, that the joint action pushes in."""

    @abc.abstractmethod
    def place_landmarks(self, chance: Float[Array, "L 2"]) -> Float[Array, "L 2"]:
        """Positions of the landmarks in a fresh episode, by uniform numbers in [-1, 1]."""

    @abc.abstractmethod
    def targets(self, state: Particles) -> Float[Array, "N 2"]:
        """Positions that the team should take."""

    @abc.abstractmethod
    def judge(
        self, distance: Float[Array, "N N"], touched: Float[Array, " N"]
    ) -> tuple[Float[Array, " N"], Float[Array, ""]]:
        """`(reward, mean)`: each agent's reward, and the mean distance left, for the logs.

        `distance[i, j]` is how far agent `i` is from target `j`, `touched[i]` the number of others
        that it overlaps.
        """

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        size = 4 + 2 * self.landmarks + 4 * (self.agents - 1)
        return (AgentSpec(size, self.action),) * self.agents

    def reset(self, key: Key[Array, ""]) -> tuple[Particles, Observation]:
        discs = self.agents + self.landmarks
        chance = jax.random.uniform(key, (discs, 2), minval=-1.0, maxval=1.0)
        position, landmark = chance[: self.agents], self.place_landmarks(chance[self.agents :])
        state = Particles(position, jnp.zeros_like(position), landmark, jnp.int32(0))
        return state, self.view(state)

    def step(self, state: Particles, action: Array) -> tuple[Particles, Timestep]:
        force = SENSITIVITY * self.control(action).astype(state.position.dtype)
        bodies = Bodies(self.agent_radius)
        moved = advance(state.position, state.velocity, force, bodies, self.order)
        state = Particles(*moved, state.landmark, state.clock + 1)
        distance = distances(state.position, self.targets(state))
        contact = touched(state.position, bodies)
        reward, mean = self.judge(distance, contact)
        info = {
            "distance": mean,
            "covered": jnp.mean(jnp.any(distance < NEAR, axis=0), dtype=distance.dtype),
            "collisions": jnp.sum(contact) / 2,
        }
        late = jnp.broadcast_to(state.clock >= self.time_limit, (self.agents,))
        return state, Timestep(self.view(state), reward, jnp.zeros_like(late), late, info)

    def view(self, state: Particles) -> Observation:
        """Observations of all agents, `[N, F]`."""
        return Observation(observe(state.position, state.velocity, state.landmark, self.sight))

    def global_state(self, state: Particles, view: Observation) -> Float[Array, " S"]:
        """The agents' positions and velocities and the landmarks' positions, `[4 N + 2 L]`."""
        parts = (state.position, state.velocity, state.landmark)
        return jnp.concatenate([part.reshape(-1) for part in parts])

    def scene(self, state: Particles) -> Scene:
        """Discs to draw, the lowest first: targets, landmarks, agents."""
        return picture(self.discs(state))

    def discs(self, state: Particles) -> list[Discs]:
        """The groups of discs to draw, the lowest first."""
        return [
            Discs("landmark", state.landmark, self.landmark_radius),
            Discs("agent", state.position, self.agent_radius),
        ]
