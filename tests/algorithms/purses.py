"""An environment in which agents are paid in very different numbers for what all do."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coterie.envs.game import AgentSpec, Discrete, JaxEnv, Observation, Timestep

STAKES = np.array([8.0, -2.0, 1.0, -0.5])
MEAN = STAKES.mean()


@dataclasses.dataclass(frozen=True)
class Purses(JaxEnv):
    """Every agent is paid, or pays, its stake times the share that helps, and that with noise."""

    @property
    def specs(self):
        return (AgentSpec(1, Discrete(2)),) * 4

    def reset(self, key):
        return key, Observation(jnp.ones((4, 1)))

    def step(self, state, action):
        key, now = jax.random.split(state)
        luck = 0.3 * jax.random.normal(now, (4,))
        paid = STAKES * (jnp.mean(action.astype(jnp.float32)) + luck)
        over = jnp.ones(4, bool)
        return key, Timestep(Observation(jnp.ones((4, 1))), paid, over, ~over, {})

    def global_state(self, state, view):
        return jnp.ones(1)
