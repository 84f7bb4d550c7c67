"""A finite game: its rules, and how many copies of it are played at once."""

from dataclasses import dataclass

from coterie.envs.finite.rules import FiniteRules
from coterie.envs.finite.vector import FiniteCopies
from coterie.envs.game import VectorEnv
from coterie.errors import require


@dataclass(frozen=True)
class FiniteGame(FiniteRules):
    """An environment of numbered states, by its rules, that is played in many copies fast."""

    def vectorize(self, copies: int) -> VectorEnv:
        require(copies >= 1, f"num_envs must be at least 1, not {copies}.")
        return FiniteCopies(self, copies)
