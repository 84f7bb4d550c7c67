"""Settings of a run: budgets, seeds, and the number of evaluations and checkpoints."""

from dataclasses import dataclass
from typing import Annotated

from coterie.bounds import AtLeast, AtMost, require_bounds
from coterie.errors import require
from coterie.network import Communication


@dataclass(frozen=True)
class Settings:
    """The options of a run that are neither the algorithm's nor the environment's."""

    steps: Annotated[int, AtLeast(1), AtMost(10**15)] = 1_000_000
    """Environment steps to train for, summed over the parallel environments; rounded up to whole
    blocks."""
    num_envs: Annotated[int, AtLeast(1)] = 64
    """Environments played side by side."""
    seeds: Annotated[int, AtLeast(1)] = 1
    """Independent repetitions: seeds `seed`, `seed + 1`, ..."""
    seed: int = 0
    """The first seed; a seed decides every random number of its repetition."""
    communication: Communication = Communication()
    """Graph, schedule and channels of the run."""
    updates_per_block: Annotated[int, AtLeast(1)] = 10
    """Updates in one compiled block. Metrics, checkpoints and Ctrl-C come between blocks."""
    num_evals: Annotated[int, AtLeast(1, "the end counts")] = 20
    """Number of evaluations: evenly spread over the run, the end included, and one more before
    it learns."""
    eval_episodes: Annotated[int, AtLeast(1)] = 64
    """Episodes in one evaluation, in environments and with random numbers of their own."""
    num_checkpoints: Annotated[int, AtLeast(1, "the end counts")] = 5
    """Number of checkpoints, evenly spread over the run, the end included."""

    def __post_init__(self) -> None:
        require(
            isinstance(self.communication, Communication),
            f"communication must be a coterie Communication, not {self.communication!r}.",
        )
        require_bounds(self)
        last = self.seed + self.seeds - 1
        require(
            0 <= self.seed <= last < 2**31,
            f"seeds must be in [0, 2^31), not {self.seed} to {last}.",
        )

    def blocks(self, rollout_length: int) -> int:
        """Blocks in the run, for an algorithm that learns every `rollout_length` steps.

        >>> Settings(steps=100_000, num_envs=10, updates_per_block=10).blocks(100)
        10
        """
        return -(-self.steps // (rollout_length * self.num_envs * self.updates_per_block))

    def block_steps(self, rollout_length: int) -> int:
        """Environment steps in one block."""
        return rollout_length * self.num_envs * self.updates_per_block


def is_due(times: int, block: int, blocks: int) -> bool:
    """True if an event that happens `times` times in `blocks` blocks happens after this one.

    >>> [is_due(2, block, 5) for block in (1, 2, 3, 4, 5)]
    [False, False, True, False, True]
    """
    times = min(times, blocks)
    return (block * times) // blocks > ((block - 1) * times) // blocks
