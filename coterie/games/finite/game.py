"""A finite game: its rules, and how many copies of it are played at once."""

from dataclasses import dataclass

from coterie.errors import require
from coterie.games.finite.rules import FiniteRules
from coterie.games.finite.vector import FiniteCopies
from coterie.games.game import VectorGame


@dataclass(frozen=True)
class FiniteGame(FiniteRules):
    """A game of numbered states, by its rules, that is played in many copies fast."""

    def vectorize(self, copies: int) -> VectorGame:
        require(copies >= 1, f"games must be at least 1, not {copies}.")
        return FiniteCopies(self, copies)
