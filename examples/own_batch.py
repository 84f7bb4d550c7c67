"""A batch of one's own: one object that steps all copies of an environment in NumPy.

coterie check gymnasium-vector:examples.own_batch:Rendezvous
coterie train ippo gymnasium-vector:examples.own_batch:Rendezvous --steps 200000
"""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class Rendezvous(VectorEnv):
    """Two agents meet on a line; both pay for the distance, and each for its own steps."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012
    single_observation_space = Tuple((Box(-4, 4, (2,)),) * 2)
    single_action_space = Tuple((Discrete(3),) * 2)

    def __init__(self, num_envs: int, limit: int = 20):
        self.num_envs, self.limit = num_envs, limit
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.place, self.time = np.zeros((num_envs, 2), np.float32), np.zeros(num_envs, int)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        begins = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        for copy in np.flatnonzero(begins):
            self.place[copy] = np.random.default_rng(seed[copy]).uniform(-3, 3, 2)
        self.time[begins] = 0
        return self.seen(), {}

    def step(self, actions: Any) -> tuple[Any, ...]:
        moved = np.stack(actions, axis=1) - 1
        self.place = np.clip(self.place + 0.5 * moved, -4, 4).astype(np.float32)
        self.time += 1
        apart = np.abs(self.place[:, 0] - self.place[:, 1])
        reward = -apart[:, None] - 0.1 * np.abs(moved)
        ended = np.zeros(self.num_envs, bool)
        return self.seen(), reward, ended, self.time >= self.limit, {"apart": apart}

    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        return self.place.copy(), self.place[:, ::-1].copy()
