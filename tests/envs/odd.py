"""A small world that can be odd in many ways."""

import enum

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from pettingzoo import ParallelEnv


class Color(enum.Enum):
    RED = 1
    BLUE = 2


NAMES = {
    "text": ["a0", "a1"],
    "numpy": [np.int64(0), np.int64(1)],
    "enum": list(Color),
    "tuple": [(0, 1), (0, 2)],
    "int": [0, 1],
}


class Odd(ParallelEnv):
    """Two agents see a 1 and are paid 1 (or the sum of their choices), for `limit` steps.

    mask:   the step from which on action 1 is forbidden; never if it is `None`.
    ending: what comes at the limit, "truncated" or "terminated".
    infos:  an agent's info after so many steps.
    """

    def __init__(
        self,
        names="text",
        limit=4,
        mask=None,
        ending="truncated",
        infos=lambda t: {},
        reward=1.0,
        space="one",
        says="",
        size=None,
        sees="one",
    ):
        self.possible_agents = NAMES[names]
        self.agents = []
        self.limit, self.mask, self.ending, self.infos = limit, mask, ending, infos
        self.reward, self.space, self.says, self.sees = reward, space, says, sees

    def observation_space(self, agent):
        if self.sees == "bytes":
            return Box(0, 255, (2, 2, 3), np.uint8)
        return Box(-1, 1, (1,), np.float32)

    def action_space(self, agent):
        if self.space == "both" and agent == self.possible_agents[1]:
            return Box(0.0, 2.0, (3,), np.float32)
        return MultiDiscrete([2, 3], start=[1, 0]) if self.space == "multi" else Discrete(2)

    def everybody(self, value):
        return dict.fromkeys(self.possible_agents, value)

    def told(self):
        masked = self.mask is not None and self.time >= self.mask
        mask = {"action_mask": np.array([1, 0], np.int8)} if masked else {}
        return self.everybody({**self.infos(self.time), **mask})

    def seen(self):
        image = self.sees == "bytes"
        return np.full((2, 2, 3), 51, np.uint8) if image else np.ones(1, np.float32)

    def reset(self, seed=None, options=None):
        if self.says:
            print(self.says, flush=True)
        self.agents, self.time = list(self.possible_agents), 0
        return self.everybody(self.seen()), self.told()

    def step(self, actions):
        assert set(actions) == set(self.agents)
        self.time += 1
        over = self.time == self.limit
        self.agents = [] if over else self.agents
        flags = [self.everybody(over and self.ending == k) for k in ("terminated", "truncated")]
        reward = self.everybody(self.reward)
        if self.space != "one":
            reward = {agent: float(np.sum(action)) for agent, action in actions.items()}
        return self.everybody(self.seen()), reward, *flags, self.told()
