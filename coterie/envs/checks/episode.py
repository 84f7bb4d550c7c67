"""An episode as an environment told it, whichever kind of environment it was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Round:
    """What the environment gave after one step, each by agent; after a reset no reward and no
    ending.

    inside: the agents that act next.
    masks:  which actions are possible, for those that were told.
    """

    inside: tuple[Any, ...]
    observation: Any
    reward: Any = field(default_factory=dict)
    terminated: Any = field(default_factory=dict)
    truncated: Any = field(default_factory=dict)
    masks: dict[Any, np.ndarray] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Nobody acts any more."""
        return not self.inside


@dataclass
class Episode:
    """An episode from its reset on, and what went wrong.

    agents: all agents, in order.
    seed:   what the environment was reset with.
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
        """How many steps were played to the end."""
        return max(len(self.moments) - 1, 0)


Play = Callable[[int, int, int], Episode]
"""Plays an episode: the environment's seed, the seed of the random actions, the longest it may
take."""
