"""Batches of Gymnasium's vector environments: the pair of `gym_pairs`, all copies at once."""

from itertools import count

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

COUNT = count()


class PairBatch(VectorEnv):
    """Pairs that restart in a mode, told the total in their infos, with a fault from step 2 on."""

    single_observation_space = Tuple((Box(0, 9, (1,)), Box(0, 9, (2,))))
    single_action_space = Tuple((Discrete(2), Discrete(3)))

    def __init__(self, num_envs, mode="DISABLED", fault="", limit=5, closed="", render_mode=None):
        self.num_envs = num_envs + (fault == "copies")
        self.metadata = {"autoreset_mode": None if fault == "mode" else AutoresetMode[mode]}
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.mode, self.fault, self.limit, self.file = mode, fault, limit, closed
        self.random = [None] * self.num_envs
        self.total, self.steps = np.zeros((2, self.num_envs), int)
        self.over = np.zeros(self.num_envs, bool)
        self.played = 0

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        assert isinstance(seed, list) == (self.mode == "DISABLED")
        seeds = [seed + k for k in range(self.num_envs)] if isinstance(seed, int) else seed
        self.played = 0 if mask.all() else self.played
        for k in np.flatnonzero(mask):
            self.random[k], _ = np_random(seeds[k])
        self.begin(mask if self.fault != "whole" else mask | True)
        return self.seen(), self.infos()

    def begin(self, mask):
        for k in np.flatnonzero(mask):
            drawn = self.random[k].integers(3)
            self.total[k] = drawn if self.fault != "unseeded" else next(COUNT) % 6
            self.steps[k], self.over[k] = 0, False

    def step(self, actions):
        assert self.action_space.contains(actions)
        again = self.over & (self.mode == "NEXT_STEP")
        self.played += 1
        self.total += np.where(again, 0, sum(actions))
        self.steps += 1
        self.begin(again)
        ended, cut = self.total >= 7, self.steps >= self.limit
        self.over = ended | cut
        reward = np.stack([actions[0], -actions[1]], axis=1) * ~again[:, None] * 1.0
        seen, infos = self.broken(self.seen()), self.infos()
        if self.mode == "SAME_STEP" and self.over.any():
            final = np.full(self.num_envs, None)
            for k in np.flatnonzero(self.over):
                final[k] = tuple(part[k] for part in seen)
            self.begin(self.over)
            seen, infos = self.seen(), {**self.infos(), "final_info": infos, "final_obs": final}
        if self.fault == "no_final":
            infos.pop("final_obs", None)
        if self.fault == "reward" and self.played == 2:
            reward[1, 0] = np.inf
        return seen, reward[:, :1] if self.fault == "rewards" else reward, ended, cut, infos

    def broken(self, seen):
        if self.played == 2 and self.fault == "raises":
            raise RuntimeError("the rung broke")
        if self.played == 2 and self.fault == "nan":
            seen[1][1, 1] = np.nan
        if self.played == 2 and self.fault == "shape":
            return (seen[0], seen[0])
        return seen

    def infos(self):
        return {"total": self.total.copy(), "_total": np.ones(self.num_envs, bool)}

    def seen(self):
        both = np.stack([self.total, np.ones(self.num_envs)], 1).astype(np.float32).clip(0, 9)
        return both[:, :1].copy(), both

    def render(self):
        return tuple(np.full((4, 4, 3), total, np.uint8) for total in self.total)

    def close(self, **kwargs):
        if self.file:
            with open(self.file, "a") as file:
                file.write("x")


class Doors(VectorEnv):
    """One agent walks from door 0 to 2; a mask forbids to stay at 1, and at the end everything.

    late:   masks come with the third step for the first time.
    closed: door 2 cannot be entered, so that nothing is possible at 1.
    cut:    the end is a truncation.
    silent: the last copy is told no mask.
    """

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012
    single_observation_space = Box(0, 2, (1,))
    single_action_space = Discrete(2)

    def __init__(self, num_envs, late=False, closed=False, cut=False, silent=False):
        self.num_envs, self.late, self.shut = num_envs, late, closed
        self.cut, self.silent = cut, silent
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.place, self.time = np.zeros((num_envs, 1), np.float32), 0

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        self.place[mask], self.time = 0, self.time if "reset_mask" in (options or {}) else 0
        return self.place.copy(), self.infos(mask)

    def step(self, actions):
        self.time += 1
        self.place[:, 0] += actions
        over = self.place[:, 0] >= 2
        ended, cut = over & (not self.cut), over & self.cut
        return self.place.copy(), actions * 1.0, ended, cut, self.infos(over | True)

    def infos(self, told):
        place, told = self.place[:, 0], told.copy()
        told[-1] &= not self.silent or self.num_envs == 1
        ahead = np.stack([place < 1, place < 2 - self.shut], axis=1) & told[:, None]
        return {} if self.late and self.time < 3 else {"action_mask": ahead, "_action_mask": told}


def number(num_envs):
    return num_envs


if "PairBatch-v0" not in gymnasium.registry:  # imported under a second name
    gymnasium.register("PairBatch-v0", vector_entry_point=PairBatch)
