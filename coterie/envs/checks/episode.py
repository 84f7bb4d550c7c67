"""An episode as an environment told it, whichever kind of environment it was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coterie.envs.timestep import Timestep
from coterie.types import Observation


@dataclass
class Round:
    """Values that the environment gave after one step, each by agent; a reset gives no reward and
    no ending.

    inside: the agents that act next.
    masks:  the possible actions, of those agents that were told.
    infos:  named values besides, for logs.
    """

    inside: tuple[Any, ...]
    observation: Any
    reward: Any = field(default_factory=dict)
    terminated: Any = field(default_factory=dict)
    truncated: Any = field(default_factory=dict)
    masks: dict[Any, np.ndarray] = field(default_factory=dict)
    infos: Any = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """True if no agent acts any more."""
        return not self.inside


@dataclass
class Episode:
    """An episode from its reset on, and its errors.

    agents: all agents, in order.
    seed:   the seed that the environment was reset with.
    error:  the exception that ended it, as part of a sentence.
    reused: an agent whose earlier observation changed later on, and when: `(agent, step)`.
    """

    agents: tuple[Any, ...]
    seed: int
    moments: list[Round] = field(default_factory=list)
    error: str | None = None
    reused: tuple[Any, int] | None = None

    @property
    def steps(self) -> int:
        """Number of steps that were played to the end."""
        return max(len(self.moments) - 1, 0)


Play = Callable[[int, int, int], Episode]
"""Plays an episode: the environment's seed, the seed of the random actions, the longest it may
take."""


def round_of(view: Observation, timestep: Timestep | None = None) -> Round:
    """One step of one copy, by agent."""
    masks = {} if view.action_mask is None else _by_agent(view.action_mask)
    seen, inside = _by_agent(view.observation), _inside(view, timestep)
    if timestep is None:
        return Round(inside, seen, masks=masks)
    given = map(_by_agent, (timestep.reward, timestep.terminated, timestep.truncated))
    return Round(inside, seen, *given, masks=masks)


def _inside(view: Observation, timestep: Timestep | None) -> tuple[int, ...]:
    """Return the agents that act next: none if all have ended, else those present or not ended."""
    going = np.ones(len(view.observation), bool)
    if timestep is not None:
        going = ~np.asarray(timestep.terminated | timestep.truncated)
    if view.alive is not None and going.any():
        going = np.asarray(view.alive)
    return tuple(int(agent) for agent in np.flatnonzero(going))


def _by_agent(values: Any) -> dict[int, Any]:
    return dict(enumerate(np.asarray(values)))
