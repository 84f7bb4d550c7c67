"""Rovers that see no goal are talked to it by towers that cannot move, as in MAAC and F2A2."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from coterie.bounds import AGENTS, AtLeast, AtMost
from coterie.envs.game import AgentSpec, Discrete, Observation, Scene, Timestep
from coterie.envs.particle.maac import MAX_SPEED, TwoKinds
from coterie.envs.particle.physics import Bodies, advance
from coterie.envs.particle.team import Discs, picture

RADIUS, LANDMARK = 0.075, 0.04
"""Radii of agents and landmarks."""

CLOSE = 1.5 * (RADIUS + LANDMARK)
"""A rover is at its goal when the square of its distance is below this: within 0.415."""

WORDS = 5


class Guided(NamedTuple):
    """The state of one episode of `R` rovers and as many towers.

    position: the rovers' positions, in half arenas, `[R, 2]`.
    velocity: in half arenas per second, `[R, 2]`.
    tower:    the towers' positions, `[R, 2]`; only for pictures.
    landmark: the landmarks' positions, `[L, 2]`.
    goal:     the position of the landmark that each rover should reach, `[R, 2]`.
    pairs:    1 where rover `i` listens to tower `j`, else 0, `[R, R]`.
    message:  each tower's message, one-hot; zeros at the start, `[R, 5]`.
    clock:    the number of steps played.
    """

    position: Float[Array, "R 2"]
    velocity: Float[Array, "R 2"]
    tower: Float[Array, "R 2"]
    landmark: Float[Array, "L 2"]
    goal: Float[Array, "R 2"]
    pairs: Float[Array, "R R"]
    message: Float[Array, "R 5"]
    clock: Int[Array, ""]


@dataclass(frozen=True)
class RoverTower(TwoKinds):
    """Half of the agents are rovers, the other half towers; each rover listens to one tower.

    Both of a pair receive `-d^2 + 10 [d^2 < 0.1725]`, where `d` is the rover's distance to its
    goal: one of the landmarks, which several may share. Each episode draws the pairs anew, the
    goals, and all places, uniformly in [-1, 1]^2. Rovers pass through each other. A rover perceives
    the number of its tower, one-hot, what that tower says at this step, its own position and
    velocity; a tower the number of its rover, one-hot, the rover's position and the goal's (Iqbal &
    Sha 2019; the released `multi_speaker_listener`, which has 8 agents and 6 landmarks).

    F2A2's appendix A has the same environment "punished by the distance", with neither the square
    nor the 10, in costs.

    Actions: a rover's are rest, +x, -x, +y, -y, a tower's the five words.

    >>> [spec.observation for spec in RoverTower().specs]
    [13, 13, 13, 13, 8, 8, 8, 8]
    """

    time_limit: Annotated[int, AtLeast(1, "try 25")] = 25
    """The number of steps after which an episode is cut off."""

    landmarks: Annotated[int, AtLeast(1, "try 6"), AtMost(AGENTS)] = 6
    """Number of landmarks."""

    group: ClassVar[int] = 2

    @property
    def rovers(self) -> int:
        """Number of rovers."""
        return self.agents // self.group

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        rover = AgentSpec(self.rovers + WORDS + 4, Discrete(5))
        tower = AgentSpec(self.rovers + 4, Discrete(WORDS))
        return (rover,) * self.rovers + (tower,) * self.rovers

    def reset(self, key: Key[Array, ""]) -> tuple[Guided, Observation]:
        number = self.rovers
        place, partner, choice = jax.random.split(key, 3)
        discs = self.agents + self.landmarks
        places = jax.random.uniform(place, (discs, 2), minval=-1.0, maxval=1.0)
        position, tower, landmark = jnp.split(places, [number, self.agents])
        goals = jax.random.randint(choice, (number,), 0, self.landmarks)
        pairs = jax.random.permutation(partner, jnp.eye(number))
        words, clock = jnp.zeros((number, WORDS)), jnp.int32(0)
        still = jnp.zeros_like(position)
        state = Guided(position, still, tower, landmark, landmark[goals], pairs, words, clock)
        return state, self.view(state)

    def step(self, state: Guided, action: Array) -> tuple[Guided, Timestep]:
        push = self.acceleration(action[: self.rovers]).astype(state.position.dtype)
        bodies = Bodies(RADIUS, collides=False, max_speed=MAX_SPEED)
        position, velocity = advance(state.position, state.velocity, push, bodies, "old")
        words = jax.nn.one_hot(action[self.rovers :], WORDS, dtype=position.dtype)
        clock = state.clock + 1
        state = state._replace(position=position, velocity=velocity, message=words, clock=clock)
        square = jnp.sum((position - state.goal) ** 2, axis=-1)
        arrived = (square < CLOSE).astype(square.dtype)
        reward = 10 * arrived - square
        rewards = jnp.concatenate([reward, _chosen(state.pairs.T, reward)])
        info = {"distance": jnp.mean(jnp.sqrt(square)), "arrived": jnp.mean(arrived)}
        return state, self.told(clock, self.view(state), rewards, info)

    def view(self, state: Guided) -> Observation:
        """Observations of all agents, `[N, F]`."""
        pairs, partner = state.pairs, state.pairs.T
        heard = _chosen(pairs, state.message)
        rovers = jnp.concatenate([pairs, heard, state.position, state.velocity], axis=1)
        seen = _chosen(partner, jnp.concatenate([state.position, state.goal], axis=1))
        towers = jnp.pad(jnp.concatenate([partner, seen], axis=1), ((0, 0), (0, WORDS)))
        return Observation(jnp.concatenate([rovers, towers]))

    def global_state(self, state: Guided, view: Observation) -> Float[Array, " S"]:
        """The rovers' positions, velocities and goals, who listens to whom, and what is said."""
        parts = (state.position, state.velocity, state.goal, state.pairs, state.message)
        return jnp.concatenate([part.reshape(-1) for part in parts])

    def scene(self, state: Guided) -> Scene:
        """Each goal has the colour of its rover; where several share one, of the last."""
        goals = [Discs(f"target-{i}", goal[None], LANDMARK) for i, goal in enumerate(state.goal)]
        return picture(
            [
                Discs("landmark", state.landmark, LANDMARK),
                *goals,
                Discs("agent", state.position, RADIUS),
                Discs("agent", state.tower, RADIUS),
            ]
        )


def _chosen(rows: Float[Array, "R R"], values: Float[Array, "R *F"]) -> Float[Array, "R *F"]:
    """For each row the value at its 1, exactly, also where factors are rounded by default."""
    return jnp.matmul(rows, values, precision=jax.lax.Precision.HIGHEST)
