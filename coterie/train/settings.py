"""How a run is trained: budgets, seeds, and how often the host looks in."""

from dataclasses import dataclass, fields

from coterie.errors import require
from coterie.graph import SCHEDULES, family
from coterie.network import CHANNELS
from coterie.spelled import spelled
from coterie.train.talk import Talk


@dataclass(frozen=True)
class Settings:
    """The options of a run that are neither the algorithm's nor the game's."""

    steps: int = 1_000_000
    """Game steps to train for, summed over the parallel games; rounded up to whole blocks."""
    games: int = 64
    """Games played side by side."""
    seeds: int = 1
    """Independent repetitions: seeds `seed`, `seed + 1`, ..."""
    seed: int = 0
    """The first seed; a seed decides every random number of its repetition."""
    graph: str = "ring"
    """Who may talk to whom; `coterie graph --help` lists the families."""
    weights: str = "metropolis"
    """What a neighbour's value weighs: metropolis, max-degree, uniform or lazy."""
    schedule: str = "static"
    """Which links are up when: static, periodic:star|line, extra:0.2 (every other link with that
    probability, in each round), intervals:20,10 (mean and deviation of the rounds between two)."""
    channels: tuple[str, ...] = ()
    """What can happen to messages, in this order: loss:0.3 or loss:0.3,burst=200, delay:10,
    partition:100,200, silence:AGENT,100,200, quantise:8 (bits), noise:0.1."""
    apart: bool = False
    """Allow a graph that never connects the whole team."""
    block: int = 10
    """Updates compiled into one block; the host looks in between blocks."""
    evaluations: int = 20
    """How often the team is evaluated: evenly spread over the run, the end included, and once
    more before it learns."""
    evaluation_games: int = 64
    """Episodes in one evaluation, in games and with random numbers of their own."""
    checkpoints: int = 5
    """How many checkpoints are written, evenly spread over the run, the end included."""

    def __post_init__(self) -> None:
        for name in COUNTS:
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            require(whole, f"{name} must be a whole number, not {value!r}.")
        for name in ("steps", "games", "seeds", "block", "evaluation_games"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, not {value}.")
        for name in ("evaluations", "checkpoints"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1 (the end counts), not {value}.")
        last = self.seed + self.seeds - 1
        require(
            0 <= self.seed <= last < 2**31,
            f"seeds must be in [0, 2^31), not {self.seed} to {last}.",
        )

    def talk(self, agents: int) -> Talk:
        """Who talks to whom among so many agents."""
        return Talk(
            family(self.graph, agents, self.weights),
            spelled("schedule", self.schedule, SCHEDULES),
            tuple(spelled("channel", text, CHANNELS) for text in self.channels),
        )

    def blocks(self, horizon: int) -> int:
        """Blocks in the run, for an algorithm that learns every `horizon` steps.

        >>> Settings(steps=100_000, games=10, block=10).blocks(horizon=100)
        10
        """
        return -(-self.steps // (horizon * self.games * self.block))

    def block_steps(self, horizon: int) -> int:
        """Game steps in one block."""
        return horizon * self.games * self.block


COUNTS = tuple(field.name for field in fields(Settings) if field.type is int)


def is_due(times: int, block: int, blocks: int) -> bool:
    """Whether something that happens `times` times in `blocks` blocks happens after this one.

    >>> [is_due(2, block, 5) for block in (1, 2, 3, 4, 5)]
    [False, False, True, False, True]
    """
    times = min(times, blocks)
    return (block * times) // blocks > ((block - 1) * times) // blocks
