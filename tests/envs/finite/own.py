"""Finite games of the tests' own, written out as tables."""

from dataclasses import dataclass

import numpy as np

from coterie.envs import Tables, TabularGame


@dataclass(frozen=True)
class Lift(TabularGame):
    """Two agents lift a load together; it slips if one of them is alone, and may slip anyway.

    Agent 1 has a third action, which is to wait. The load is down, held, or lifted for good.
    """

    slip: float = 0.25
    held: float = 0.5
    """How likely an episode is to start with the load already held."""

    def tables(self) -> Tables:
        transition, reward = np.zeros((3, 6, 3)), np.zeros((3, 6, 2))
        transition[:2, :, 0] = 1.0
        transition[0, 4], transition[1, 4] = (self.slip, 1 - self.slip, 0), (0, self.slip, 0.75)
        transition[1, 4, 2] = 1 - self.slip
        transition[2, :, 2] = 1.0
        reward[:2] = [[0, 0], [0, -1], [0, 0], [-1, 0], [1, 2], [-1, 0]]
        return Tables(transition, reward, (2, 3), np.array([1 - self.held, self.held, 0.0]))


def of(tables: Tables, time_limit: int | None = None) -> TabularGame:
    """An environment of these tables, equal to no other."""

    class Given(TabularGame):
        def tables(self) -> Tables:
            return tables

    return Given(time_limit=time_limit)


def dice(states: int, joint: int, agents: int = 1, seed: int = 0) -> Tables:
    """Random tables in float64, with some probabilities at 0, of agents with equal actions."""
    random = np.random.default_rng(seed)
    weights = random.uniform(size=(states, joint, states))
    weights = np.where(weights < 0.3, 0.0, weights) + np.eye(states)[:, None] * 1e-3
    size = round(joint ** (1 / agents))
    assert size**agents == joint
    return Tables(
        weights / weights.sum(axis=-1, keepdims=True),
        random.normal(size=(states, joint, agents)),
        (size,) * agents,
        np.full(states, 1 / states),
    )
