"""What is fixed before a run's first block: who plays what with whom, checked."""

from typing import NamedTuple

from coterie.algorithms import Algorithm
from coterie.envs.game import Game, VectorGame
from coterie.errors import GameError, require
from coterie.network import Communication
from coterie.training.fit import CENTRE, require_fit
from coterie.training.run import Run, file_name
from coterie.training.settings import Settings
from coterie.training.state import known_specs
from coterie.types import AgentSpec


class Setup(NamedTuple):
    """A run's parts, made from its configuration; they do not depend on its folder.

    game:   the game as it is played.
    communication: who talks to whom.
    vector: the games that are played side by side.
    judged: the games of an evaluation.
    specs:  the agents' specs, with all that they will really be shown.
    """

    algorithm: Algorithm
    game: Game
    settings: Settings
    communication: Communication
    vector: VectorGame
    judged: VectorGame
    specs: tuple[AgentSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The agents' names."""
        return self.game.names

    @property
    def blocks(self) -> int:
        """How many blocks a run has."""
        return self.settings.blocks(self.algorithm.horizon)

    @property
    def block_steps(self) -> int:
        """Game steps in one block."""
        return self.settings.block_steps(self.algorithm.horizon)


def set_up(run: Run) -> Setup:
    """The parts of a run.

    Raises `ConfigError`, `GameError` or `GraphError` with one sentence if they do not fit.
    """
    algorithm, game, settings = run.algorithm, run.played, run.settings
    algorithm.check(settings.games)
    _require_files(game.names)
    communication = CENTRE if algorithm.information.central else settings.communication
    vector = game.vectorize(settings.games)
    specs = known_specs(game, vector, algorithm.information)
    require_fit(communication, algorithm, specs, game.names)
    judged = game.vectorize(settings.evaluation_games)
    return Setup(algorithm, game, settings, communication, vector, judged, specs)


def _require_files(names: tuple[str, ...]) -> None:
    """Every agent needs a file of its own."""
    require(
        len({file_name(name) for name in names}) == len(names),
        f"agents need different names for their files, not {', '.join(names)}.",
        GameError,
    )
