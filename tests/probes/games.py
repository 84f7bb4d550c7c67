"""An environment written as a table, so that one compiled program plays every probe."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Timestep

STATES = 4
FEATURES = 3
ACTIONS = 3
SIZES = (2, 2), (3, 3)  # how many numbers each of the two agents sees, and its actions


class Table(NamedTuple):
    """The rules of an environment of two agents over at most four states, as arrays.

    first:      the states that an episode may start in, each as often, `[S]`.
    following:  the state after each state, `[S]`.
    observation: what each agent sees in each state, `[S, N, F]`.
    reward:     what agent `i` is paid in each state for action `a` of agent `k`, `[S, i, k, A]`.
    terminated, truncated: how the step from each state ends for each agent, `[S, N]`.
    present:    who is there in each state, `[S, N]`.
    """

    first: Array
    following: Array
    observation: Array
    reward: Array
    terminated: Array
    truncated: Array
    present: Array


def table(first=(0,), following=(0, 0, 0, 0), **rules) -> Table:
    """The rules of a probe: nobody is paid, and an episode ends after one step, unless said."""
    shapes = {
        "observation": (STATES, 2, FEATURES),
        "reward": (STATES, 2, 2, ACTIONS),
        "terminated": (STATES, 2),
        "truncated": (STATES, 2),
        "present": (STATES, 2),
    }
    blank = {
        "observation": 1.0,
        "reward": 0.0,
        "terminated": True,
        "truncated": False,
        "present": True,
    }
    arrays = {k: np.full(shapes[k], blank[k], type(blank[k])) for k in blank}
    for name, entries in rules.items():
        for place, value in entries.items():
            arrays[name][place] = value
    starts = np.resize(np.array(first), STATES)  # a table of starts to draw from
    real = np.arange(FEATURES) < np.array(SIZES)[:, :1]
    arrays["observation"] = np.float32(arrays["observation"] * real)
    arrays["reward"] = np.float32(arrays["reward"])
    return jax.tree.map(jnp.asarray, Table(starts, np.array(following), **arrays))


def able():
    """Which actions each of the two agents has, `[N, A]`."""
    return jnp.asarray(np.arange(ACTIONS) < np.array(SIZES)[:, 1:])


@dataclass(frozen=True)
class Lab(JaxEnv):
    """The environment of a table; its two agents differ in what they see and can do.

    numbered: they see the number of the state instead.
    """

    rules: Table
    numbered: bool = False

    @property
    def specs(self):
        if self.numbered:
            return tuple(AgentSpec(1, Discrete(actions), states=STATES) for _, actions in SIZES)
        return tuple(AgentSpec(seen, Discrete(actions)) for seen, actions in SIZES)

    def reset(self, key):
        state = self.rules.first[jax.random.randint(key, (), 0, STATES)]
        return state, self.view(state)

    def step(self, state, action):
        paid = self.rules.reward[state][:, jnp.arange(2), action].sum(axis=-1)
        over = self.rules.terminated[state], self.rules.truncated[state]
        state = self.rules.following[state]
        return state, Timestep(self.view(state), paid, *over, {})

    def view(self, state):
        seen = self.rules.observation[state]
        if self.numbered:
            seen = jnp.full((2, 1), state, jnp.float32)
        return Observation(seen, able(), self.rules.present[state])


@dataclass(frozen=True)
class Darts(JaxEnv):
    """One throw; agent 0 has one number to choose and agent 1 two, in units of their own.

    An agent loses the squared distance to its `targets`, which are within its bounds.
    """

    bounds = ((0.0, 4.0), (-1.0, 1.0))
    targets = ((1.0, 0.0), (0.5, -0.5))

    @property
    def specs(self):
        return tuple(AgentSpec(1, Box(k + 1, *self.bounds[k])) for k in range(2))

    def reset(self, key):
        return jnp.zeros(()), self.view()

    def step(self, state, action):
        miss = jnp.where(self.view().action_mask, action - np.array(self.targets), 0.0)
        over = jnp.ones(2, bool)
        return state, Timestep(self.view(), -jnp.sum(miss**2, axis=-1), over, ~over, {})

    def view(self):
        return Observation(jnp.ones((2, 1)), jnp.array([[True, False], [True, True]]))
