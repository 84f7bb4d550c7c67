"""Parts of a critic that a team agrees on, and those that are an agent's own.

The paper's critic is `Q^i`: a function of everybody's observations and actions *and* of the agent
whose rewards it tells, in parameters that all share. A parameter that `Q^i` alone depends on (a row
of an embedding, a layer for each agent) has no gradient at anybody else, and nobody else ever needs
it: it stays with agent `i`, unsent, and the function is the same. If nothing depends on the agent,
all critics are one function of the same inputs, which can only tell the mean of all rewards.
"""

import abc
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import PyTree

from coterie.errors import require
from coterie.internal.parts import Part
from coterie.rl.networks import ActionCritic, Critic, Policy

Network = ActionCritic | Critic | Policy


class Sharing(Part, abc.ABC):
    """Rule of which parameters of a critic the team shares."""

    own_values: ClassVar[bool] = True
    """Whether each agent's critics tell the value of its own rewards."""

    @abc.abstractmethod
    def shared(self, critic: Network) -> list[PyTree]:
        """The parts of a critic that the team shares."""

    def check(self, critic: Network) -> None:
        """Raise `ConfigError` if nothing of a critic is shared."""


@dataclass(frozen=True)
class InnerLayers(Sharing, name="inner"):
    """The layers between the first and the last, which are an agent's own: `Q^i` of its rewards.

    The first layer looks at everybody from the agent's own place, the last one reads off its own
    value; agents may see and do unequal things. One hidden layer has nothing inside.
    """

    def shared(self, critic: Network) -> list[PyTree]:
        return critic.inner_layers

    def check(self, critic: Network) -> None:
        require(
            len(self.shared(critic)) > 0,
            "a critic whose inner layers are shared needs two hidden layers: try 64 64, or share "
            "the whole (--sharing whole).",
        )


@dataclass(frozen=True)
class WholeCritic(Sharing, name="whole"):
    """All of it.

    Critics that see the same are one function, which can only tell the mean of all rewards; critics
    of the own view and action tell agents apart by these.
    """

    own_values: ClassVar[bool] = False

    def shared(self, critic: Network) -> list[PyTree]:
        return [critic]
