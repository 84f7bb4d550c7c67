"""A run in memory: the same training, and nothing on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from coterie.errors import RunError, require
from coterie.policies import PolicyMetadata, TrainedPolicy
from coterie.policies.saving import network_of
from coterie.rl.networks import Policy
from coterie.training.loggers.logger import Kind
from coterie.training.loggers.table import require_columns
from coterie.training.metrics import Row
from coterie.training.programs import Programs
from coterie.training.recording import exported
from coterie.training.run import Run
from coterie.training.seeds import SeedRun
from coterie.training.state import TrainState

Policies = Mapping[str, tuple[Policy, PolicyMetadata]]


@dataclass
class MemoryRun:
    """Result of a run in memory: its numbers as arrays, and the policies of its teams.

    run:      its configuration.
    finished: True if every repetition was trained to the end; otherwise it was stopped.
    """

    run: Run
    finished: bool = False
    _rows: dict[tuple[Kind, int], list[Row]] = field(default_factory=dict)
    _policies: dict[int, Policies] = field(default_factory=dict)

    def metrics(self, seed: int) -> dict[str, np.ndarray]:
        """A repetition's training numbers by column, one for each block."""
        return self._table("training", seed)

    def evaluations(self, seed: int) -> dict[str, np.ndarray]:
        """Its evaluations by column, one number for each."""
        return self._table("evaluation", seed)

    def policy(
        self, agent: str, seed: int | None = None, greedy: bool | None = None, key: int = 0
    ) -> TrainedPolicy:
        """One agent's trained policy, as `load_policy` gives it from a file.

        seed: which repetition; the first by default.
        key:  the seed of the random stream that it draws from.
        """
        chosen = self.run.settings.seed if seed is None else seed
        known = self._policies.get(chosen, {})
        require(
            agent in known,
            f"there is no policy of {agent!r} in seed {chosen}: it has those of "
            f"{', '.join(known) or 'nobody'}.",
            RunError,
        )
        policy, about = known[agent]
        chosen = about.greedy if greedy is None else greedy
        return TrainedPolicy(network_of(policy, about), about, chosen, key)

    def _table(self, kind: Kind, seed: int) -> dict[str, np.ndarray]:
        rows = self._rows.get((kind, seed), [])
        return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


class InMemory:
    """Logger and recorder of a run in memory: the logger of its numbers, and the recorder of its
    policies."""

    def __init__(self, kept: MemoryRun, programs: Programs):
        self._kept, self._programs = kept, programs

    def start(self, run: Run) -> None:
        """Do nothing: a run in memory cannot be resumed."""

    def log(self, kind: Kind, seed: int, steps: int, row: Row) -> None:
        """Add a row to one of the tables."""
        rows = self._kept._rows.setdefault((kind, seed), [])
        require_columns(f"the {kind} of seed {seed}", rows[0] if rows else row, row)
        rows.append(row)

    def finish(self) -> None:
        """Do nothing: there is nothing to close."""

    def keep(self, repetition: SeedRun) -> None:
        """Keep the policies, in place of those from before."""
        repetition.kept = repetition.blocks_done
        found = exported(self._kept.run, self._programs, repetition.team, repetition.seed)
        self._kept._policies[repetition.seed] = {name: (mine, about) for name, mine, about in found}

    def restore(self, repetition: SeedRun) -> TrainState | None:
        """Return `None`: a run in memory is always a new one."""
        return None
