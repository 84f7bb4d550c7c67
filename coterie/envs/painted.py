"""One episode of an environment that paints itself, played in this process."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from coterie.encoding import MASK
from coterie.envs.game import SingleEnv, Timestep, own_streams
from coterie.envs.host.episode import Copy
from coterie.envs.host.factory import RAISED, close, describe
from coterie.envs.host.layout import Layout, record
from coterie.errors import EnvError, require
from coterie.types import Observation


class PaintedEpisode(SingleEnv):
    """One copy of a `ParallelEnv` that renders; its states are its pictures.

    It is played in the thread that made it, outside any compiled program: what paints (OpenGL, say)
    often belongs to its thread, and JAX calls back from threads of its own.
    """

    def __init__(self, env: Any, layout: Layout):
        self.env = env
        self.info, self.masked = layout.info, layout.masked
        self.records = np.zeros(1, record(layout))
        self.copy = Copy(env, layout, self.records, 0, again=False)

    @property
    def traced(self) -> bool:
        return False

    def reset(self, key: Key[Array, ""]) -> tuple[Any, Observation]:
        """Begin the episode of a seed: that of a key `jax.random.key(seed)`."""
        self.records["seed"] = jax.random.key_data(key)[-1]
        self.copy.start()
        return self._picture(), self._view("next")

    def step(
        self, state: Any, action: Array, key: Key[Array, ""]
    ) -> tuple[Any, Timestep, Observation]:
        self.records["action"] = np.asarray(action)
        self.copy.step()
        info = {name: self._told("info")[..., k] for k, name in enumerate(self.info)}
        timestep = Timestep(
            self._view("view"),
            self._told("reward"),
            self._told("terminated"),
            self._told("truncated"),
            info,
        )
        return self._picture(), timestep, self._view("next")

    def global_state(self, state: Any, view: Observation) -> Float[Array, "1 S"]:
        """All observations side by side."""
        return view.observation.reshape(1, -1)

    def agent_keys(self, number: int, agents: int) -> Iterator[Key[Array, " N"]]:
        return own_streams(number, agents)

    def close(self, state: Any) -> None:
        close(self.env)

    def _picture(self) -> np.ndarray:
        """The environment's picture, `[H, W, 3]`."""
        try:
            picture = self.env.render()
        except RAISED as error:
            raise EnvError(f"render() of {self.env} raised {describe(error)}.") from error
        require(
            np.ndim(picture) == 3 and np.shape(picture)[-1] == 3,
            f"render() of {self.env} gives an array of shape {np.shape(picture)}, not a picture "
            '(height, width, 3): see to render_mode="rgb_array".',
            EnvError,
        )
        return np.asarray(picture)

    def _told(self, name: str) -> Array:
        """A field of the record; a copy, for the record is written over."""
        return jnp.array(self.records[name])

    def _view(self, name: str) -> Observation:
        fields = self.records[name]
        mask = jnp.array(fields[MASK]) if self.masked else None
        return Observation(jnp.array(fields["observation"]), mask, jnp.array(fields["present"]))
