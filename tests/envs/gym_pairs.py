"""Gymnasium's environments of a team, registered as their modules do when they are imported."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple


class Pair(gymnasium.Env):
    """Two agents, unequal in what they see and do, are paid in a list and end on their own word."""

    observation_space = Tuple((Box(0, 9, (1,)), Box(0, 9, (2,))))
    action_space = Tuple((Discrete(2), Discrete(3)))

    def __init__(self, separate=False, actions=2):
        self.separate = separate
        self.action_space = Tuple(self.action_space[:actions])

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.total = int(self.np_random.integers(3))
        return self.seen(), {}

    def step(self, actions):
        assert isinstance(actions, tuple)
        self.total += sum(actions)
        out = self.total >= 7
        ended = [out, False] if self.separate else out
        return self.seen(), [float(actions[0]), -float(actions[1])], ended, False, {}

    def seen(self):
        both = np.array([self.total, 1], np.float32)
        return both[:1].clip(0, 9), both.clip(0, 9)


if "Pair-v0" not in gymnasium.registry:  # imported under a second name
    gymnasium.register("Pair-v0", entry_point=Pair, max_episode_steps=5)
