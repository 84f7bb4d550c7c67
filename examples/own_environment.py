"""An environment of one's own: a grid, of which each agent sees an image with itself in the middle.

coterie check examples.own_environment:Meadow
coterie train ippo examples.own_environment:Meadow --actor cnn --critic cnn --steps 200000
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp

from coterie.bounds import AtLeast
from coterie.envs.game import AgentSpec, Discrete, JaxEnv, Observation, Timestep

MOVES = jnp.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])


class State(NamedTuple):
    places: jax.Array  # of the agents, [N, 2]
    mushrooms: jax.Array  # where they grow, [S, S]
    key: jax.Array
    clock: jax.Array


@dataclass(frozen=True)
class Meadow(JaxEnv):
    """Agents on a torus are paid for the mushrooms that they reach; others grow elsewhere."""

    agents: Annotated[int, AtLeast(1)] = 3
    size: Annotated[int, AtLeast(3)] = 6
    time_limit: Annotated[int, AtLeast(1)] = 25

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return (AgentSpec((self.size, self.size, 2), Discrete(len(MOVES))),) * self.agents

    def reset(self, key: jax.Array) -> tuple[State, Observation]:
        place, grow, key = jax.random.split(key, 3)
        places = jax.random.randint(place, (self.agents, 2), 0, self.size)
        mushrooms = jax.random.uniform(grow, (self.size, self.size)) < 0.15
        state = State(places, mushrooms, key, jnp.int32(0))
        return state, self.view(state)

    def step(self, state: State, action: jax.Array) -> tuple[State, Timestep]:
        key, grow = jax.random.split(state.key)
        places = (state.places + MOVES[action]) % self.size
        found = state.mushrooms[*places.T]
        new = jax.random.randint(grow, (2, self.agents), 0, self.size)
        mushrooms = state.mushrooms.at[*places.T].set(False).at[*new].max(found)
        state = State(places, mushrooms, key, state.clock + 1)
        late = jnp.full(self.agents, state.clock >= self.time_limit)
        return state, Timestep(self.view(state), found.astype(float), late & False, late, {})

    def view(self, state: State) -> Observation:
        crowd = jnp.zeros((self.size, self.size)).at[*state.places.T].add(1.0)
        layers = jnp.stack([state.mushrooms, crowd], axis=-1)
        around = self.size // 2 - state.places
        return Observation(jax.vmap(lambda by: jnp.roll(layers, by, axis=(0, 1)))(around))
