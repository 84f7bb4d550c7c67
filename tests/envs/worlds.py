"""Small worlds for PettingZoo's interface whose every number can be worked out by hand."""

import importlib.util
import os
import sys
import time

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from pettingzoo import ParallelEnv

LENGTH = 4


class Ladder(ParallelEnv):
    """Three unequal agents; the lower ones leave early.

    A number `begin` in 0..9 is drawn from the seed. After `t` steps, `ann` sees `[begin + t]`,
    `bob` sees the two bits of `t`, and `cy` sees `t` one-hot among five. They choose among
    2, 3 and 4 actions, and earn 1, 10 and 100 times what they choose, plus `t`. `ann` is terminated
    at step 2, `bob` truncated at step 3, `cy` truncated at step 4.
    """

    def __init__(self, extra: int = 0):
        self.possible_agents = ["ann", "bob", "cy"]
        self.extra = extra
        self.spaces = {"ann": Box(-np.inf, np.inf, (1,)), "bob": MultiBinary(2), "cy": Discrete(5)}

    def observation_space(self, agent):
        return self.spaces[agent]

    def action_space(self, agent):
        return Discrete({"ann": 2, "bob": 3, "cy": 4}[agent], start=self.extra)

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.begin = int(self.random.integers(10))
        self.time = 0
        self.agents = list(self.possible_agents)
        return self.observe(self.agents), self.infos()

    def observe(self, agents):
        t = self.time
        seen = {
            "ann": np.array([self.begin + t], np.float32),
            "bob": np.array([t // 2 % 2, t % 2], np.int8),
            "cy": t,
        }
        return {agent: seen[agent] for agent in agents}

    def infos(self):
        spec = importlib.util.find_spec("coterie")
        real = spec is not None and str(spec.origin).endswith("__init__.py")
        return {
            agent: {"time": self.time, "jax": "jax" in sys.modules, "real": real, "note": "text"}
            for agent in self.agents
        }

    def step(self, actions):
        self.time += 1
        assert set(actions) == set(self.agents)
        scale = {"ann": 1.0, "bob": 10.0, "cy": 100.0}
        rewards = {a: scale[a] * (actions[a] - self.extra) + self.time for a in self.agents}
        observations, infos = self.observe(self.agents), self.infos()
        terminated = {agent: agent == "ann" and self.time == 2 for agent in self.agents}
        cut = {"ann": False, "bob": self.time == 3, "cy": self.time == LENGTH}
        truncated = {agent: cut[agent] for agent in self.agents}
        self.agents = [a for a in self.agents if not terminated[a] and not truncated[a]]
        return observations, rewards, terminated, truncated, infos


class Echo(ParallelEnv):
    """Two agents with Boxes of 2 and 3 numbers in their own bounds see what they have just done."""

    low, high = -1.0, 2.0

    def __init__(self, sizes=(2, 3)):
        self.possible_agents = ["left", "right"]
        self.size = dict(zip(self.possible_agents, sizes, strict=True))

    def observation_space(self, agent):
        return Box(self.low, self.high, (self.size[agent],))

    def action_space(self, agent):
        return Box(self.low, self.high, (self.size[agent],))

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.time = 0
        return {a: np.zeros(self.size[a], np.float32) for a in self.agents}, self.all({})

    def all(self, value):
        return dict.fromkeys(self.possible_agents, value)

    def step(self, actions):
        self.time += 1
        over = self.time == LENGTH
        self.agents = [] if over else self.agents
        rewards = {agent: float(action.sum()) for agent, action in actions.items()}
        return dict(actions), rewards, self.all(False), self.all(over), self.all({})


class Masked(Echo):
    """After `t` steps only action `t mod 3` is possible; told in a Dict or in the infos."""

    def __init__(self, where="observation"):
        super().__init__()
        self.where = where

    def observation_space(self, agent):
        space = Box(0.0, np.inf, (1,))
        if self.where == "info":
            return space
        return Dict({"observation": space, "action_mask": MultiBinary(3)})

    def action_space(self, agent):
        return Discrete(3)

    def reset(self, seed=None, options=None):
        super().reset()
        return self.all(self.seen()), self.all(self.told())

    def mask(self):
        return (np.arange(3) == self.time % 3).astype(np.int8)

    def seen(self):
        value = np.array([self.time], np.float32)
        return value if self.where == "info" else {"observation": value, "action_mask": self.mask()}

    def told(self):
        return {"action_mask": self.mask()} if self.where == "info" else {}

    def step(self, actions):
        self.time += 1
        over = self.time == LENGTH
        self.agents = [] if over else self.agents
        rewards = {agent: float(action) for agent, action in actions.items()}
        flags = self.all(False), self.all(over)
        return self.all(self.seen()), rewards, *flags, self.all(self.told())


class Faulty(Ladder):
    """A ladder on which something goes wrong at step 2 of an episode."""

    def __init__(self, fault: str):
        super().__init__()
        self.fault = fault

    def step(self, actions):
        result = super().step(actions)
        if self.time == 2:
            getattr(self, self.fault)(*result)
        return result

    def raises(self, *result):
        raise RuntimeError("the rung broke")

    def hangs(self, *result):
        time.sleep(3600)

    def dies(self, *result):
        os._exit(7)

    def nan_observation(self, observations, *rest):
        observations["ann"] = np.array([np.nan], np.float32)

    def inf_reward(self, observations, rewards, *rest):
        rewards["cy"] = np.inf

    def no_reward(self, observations, rewards, *rest):
        del rewards["bob"]

    def no_observation(self, observations, *rest):
        del observations["cy"]

    def wrong_shape(self, observations, *rest):
        observations["bob"] = np.zeros(3, np.int8)

    def revived(self, *rest):
        self.agents.append("ann")

    def deserts(self, *rest):
        self.agents.remove("cy")


class Closing(Ladder):
    """Writes a letter into a file when it is closed; or hangs, in a worker."""

    def __init__(self, path, hangs=False):
        super().__init__()
        self.path = path
        self.hangs = hangs

    def close(self):
        if self.hangs and "jax" not in sys.modules:  # in a worker
            time.sleep(3600)
        with open(self.path, "a") as file:
            file.write("x")


class Painted(Ladder):
    """A ladder whose picture tells its time, who is there, and what was done: 9 by nobody."""

    def __init__(self, extra=0, render_mode=None):
        super().__init__(extra)

    def reset(self, seed=None, options=None):
        self.last = {}
        return super().reset(seed)

    def step(self, actions):
        self.last = dict(actions)
        return super().step(actions)

    def render(self):
        done = [self.last.get(agent, 9) for agent in self.possible_agents]
        told = np.array([self.begin, self.time, len(self.agents), *done], np.uint8)
        return np.tile(told[:, None, None], (1, 4, 3))
