"""Settings of a run: budgets, seeds, and the number of evaluations and checkpoints."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from coterie.bounds import Above, AtLeast, AtMost, require_bounds
from coterie.errors import require
from coterie.network import Communication


@dataclass(frozen=True)
class Settings:
    """The options of a run that are neither the algorithm's nor the environment's."""

    steps: Annotated[int, AtLeast(1), AtMost(10**15)] = 1_000_000
    """Environment steps to train for, summed over the parallel environments; rounded up to whole
    updates."""
    num_envs: Annotated[int, AtLeast(1)] = 64
    """Environments played side by side."""
    seeds: Annotated[int, AtLeast(1)] = 1
    """Independent repetitions: seeds `seed`, `seed + 1`, ..."""
    seed: int = 0
    """The first seed; a seed decides every random number of its repetition."""
    communication: Communication = Communication()
    """Graph, schedule and channels of the run."""
    updates_per_block: Annotated[int, AtLeast(1)] = 10
    """Updates in one block at most; blocks are shorter where evaluations or checkpoints come more
    often. Metrics, checkpoints and Ctrl-C come between blocks."""
    num_evals: Annotated[int, AtLeast(1, "the end counts")] = 20
    """Number of evaluations: evenly spread over the run, the end included, and one more before
    it learns."""
    eval_episodes: Annotated[int, AtLeast(1)] = 64
    """Episodes in one evaluation, in environments and with random numbers of their own."""
    num_checkpoints: Annotated[int, AtLeast(1, "the end counts")] = 5
    """Number of checkpoints, evenly spread over the run, the end included."""
    checkpoint_minutes: Annotated[float, Above(0)] = 10.0
    """Minutes of training after which there is a checkpoint, whatever their number."""

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

    def blocks(self, rollout_length: int) -> "Blocks":
        """Cut the run into blocks, for an algorithm that learns every `rollout_length` steps.

        >>> Settings(steps=100_000, num_envs=10).blocks(100)
        Blocks(updates=100, number=20, update_steps=1000)
        """
        update_steps = rollout_length * self.num_envs
        updates = -(-self.steps // update_steps)
        full = -(-updates // self.updates_per_block)
        number = min(max(full, self.num_evals, self.num_checkpoints), updates)
        return Blocks(updates, number, update_steps)


class Blocks(NamedTuple):
    """Cut of a run into blocks whose lengths differ by one update at most.

    updates: of the whole run.
    number:  of blocks.
    update_steps: environment steps of one update, summed over the parallel environments.
    """

    updates: int
    number: int
    update_steps: int

    @property
    def longest(self) -> int:
        """Updates in the longest block."""
        return -(-self.updates // self.number)

    @property
    def steps(self) -> int:
        """Environment steps of the whole run."""
        return self.updates * self.update_steps

    def updates_after(self, block: int) -> int:
        """Updates that are done after so many blocks.

        >>> [Blocks(updates=8, number=3, update_steps=100).updates_after(b) for b in range(4)]
        [0, 2, 5, 8]
        """
        return block * self.updates // self.number

    def steps_after(self, block: int) -> int:
        """Environment steps that are done after so many blocks."""
        return self.updates_after(block) * self.update_steps

    def is_due(self, times: int, block: int) -> bool:
        """True if an event that happens `times` times in the run happens after this block.

        >>> blocks = Blocks(updates=50, number=5, update_steps=100)
        >>> [blocks.is_due(2, block) for block in (1, 2, 3, 4, 5)]
        [False, False, True, False, True]
        """
        times = min(times, self.number)
        return (block * times) // self.number > ((block - 1) * times) // self.number
