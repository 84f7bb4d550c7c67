"""An episode as an environment told it, whichever kind of environment it was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


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
