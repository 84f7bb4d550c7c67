"""Payloads, which cross between agents: declared once, and everything else follows from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import PyTree

from coterie.types import LearnerSpec


@dataclass(frozen=True)
class Payload:
    """Declaration of a kind of message: the right to send it, and its cost.

    name:     by which it is sent and counted.
    scope:    who receives it: the "neighbors", or "all" at each step, as a part of the decision
              that has this name.
    lasting:  what of an agent's state it carries, if that lasts from round to round: a parameter
              that the team agrees on. It has the same shape for every agent, channels may be late
              with it, and how far the team is from agreeing is measured by it. `None` for a fresh
              quantity, which means nothing a round later.
    messages: rounds of exchange in one update.
    numbers:  how many numbers of 4 bytes are in a message of a fresh quantity.
    """

    name: str
    scope: Literal["neighbors", "all"] = "neighbors"
    lasting: Callable[[PyTree], PyTree] | None = field(default=None, compare=False)
    messages: int = 1
    numbers: Callable[[LearnerSpec], int] | None = field(default=None, compare=False)
