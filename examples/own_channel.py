r"""A channel of one's own: a jammer that comes and goes.

    python -m examples.own_channel
    coterie train networked-ac commons --steps 100000 \
        --channels examples.own_channel:Jam:0.8,every=5 quantise:8

Its fields follow its path in the order in which they stand, or by name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Array, Bool, PyTree

import coterie
from coterie.errors import require
from coterie.network import Quantization, Round


@dataclass(frozen=True)
class Jam(coterie.Channel):
    """In some rounds a share of the links is jammed, at both ends."""

    share: float
    """The probability that a link is down in a round with the jammer on."""
    every: int = 10
    """Rounds from one in which it is on to the next."""

    def __post_init__(self) -> None:
        require(0.0 <= self.share <= 1.0, f"share must be in [0, 1], not {self.share}: try 0.5.")
        require(self.every >= 1, f"every must be at least 1 round, not {self.every}.")

    def loses(self, moment: Round, past: PyTree) -> Bool[Array, " K"]:
        on = moment.clock % self.every == 0
        return on & (moment.chances() < self.share)

    @property
    def lost(self) -> float:
        return self.share


def main(folder: str | Path = "runs/own-channel", **options: Any) -> coterie.Run:
    """Train a team whose messages are jammed, and rounded to 8 bits."""
    talk = coterie.Communication(channels=(Jam(0.8, every=5), Quantization(8)))
    settings = coterie.Settings(communication=talk, **options)
    return coterie.train("networked-ac", coterie.Commons(agents=8), settings, folder)


if __name__ == "__main__":
    main(steps=100_000, num_envs=16)
