"""SMAX, JaxMARL's unit micromanagement, by the name of its map."""

from dataclasses import dataclass, field

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from coterie.envs import library
from coterie.envs.game import AgentSpec, JaxEnv, Observation, Timestep
from coterie.envs.host.factory import arguments
from coterie.envs.jaxmarl import JaxMARLEnv, JaxMARLState
from coterie.internal.imports import SMAX
from coterie.internal.parts import IN_NAME


@dataclass(frozen=True)
class SMAXEnv(JaxEnv):
    """A map of SMAX (Rutherford et al. 2024) against its scripted enemy: `2s3z`.

    SMAX's `done` is true at the end of a battle and at its time limit alike. Here a battle that an
    army has lost is terminated, and one that is only cut off is truncated. Agents that are dead
    wait for the end, and are paid.
    """

    name: str = field(metadata=IN_NAME)
    """Name of the map."""
    env_kwargs: tuple[str, ...] = ()
    """Arguments of the environment: max_steps=150 walls_cause_death=False."""

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments(self.env_kwargs)

    @property
    def whole(self) -> JaxMARLEnv:
        """The environment as JaxMARL has it."""
        told = (f"scenario={self.name}", *self.env_kwargs)
        return JaxMARLEnv("HeuristicEnemySMAX", told)

    def catalogue_name(self) -> str:
        return f"{SMAX}{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        return self.whole.names

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return self.whole.specs

    def reset(self, key: Key[Array, ""]) -> tuple[JaxMARLState, Observation]:
        return self.whole.reset(key)

    def step(self, state: JaxMARLState, action: Array) -> tuple[JaxMARLState, Timestep]:
        state, timestep = self.whole.step(state, action)
        living = library.attribute(state.world, "state").unit_alive
        allies, enemies = jnp.split(living, [len(self.names)])
        over = timestep.terminated | timestep.truncated
        beaten = ~jnp.any(allies) | ~jnp.any(enemies)
        info = {
            "won": (jnp.any(allies) & ~jnp.any(enemies)).astype(jnp.float32),
            "dead_allies": jnp.sum(~allies, dtype=jnp.float32),
            "dead_enemies": jnp.sum(~enemies, dtype=jnp.float32),
        }
        ends = {"terminated": over & beaten, "truncated": over & ~beaten}
        return state, timestep._replace(**ends, info=info)

    def global_state(self, state: JaxMARLState, view: Observation) -> Float[Array, " S"]:
        return self.whole.global_state(state, view)
