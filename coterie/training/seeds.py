"""Seeds on devices: the device, the world and the batch in which each repetition trains."""

import time
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from coterie.training.run import Run
from coterie.training.setup import Setup
from coterie.training.state import TrainState
from coterie.training.traffic_log import Ledger


@dataclass
class SeedRun:
    """One seed of a run while it trains.

    kept:   the block after which its latest checkpoint was written.
    kept_at: the monotonic time in seconds at that moment, or when this process took it up.
    ledger: the traffic of the links.
    """

    seed: int
    team: TrainState
    ledger: Ledger
    blocks_done: int = 0
    seconds: float = 0.0
    kept: int = 0
    kept_at: float = field(default_factory=time.monotonic)

    @staticmethod
    def of(seed: int, team: TrainState, names: tuple[str, ...]) -> "SeedRun":
        """A repetition before its first block."""
        return SeedRun(seed, team, Ledger(np.asarray(team.network.neighbor), names))


@dataclass
class Places:
    """The devices of a run's seeds, and the worlds that lie on them."""

    run: Run
    setup: Setup
    _worlds: dict[tuple[Any, Any], PyTree] = field(default_factory=dict)

    def groups(self, repetitions: list[SeedRun]) -> list[list[SeedRun]]:
        """Repetitions that advance as one program: those of a device, if that is faster.

        It is on an accelerator, which one team of small networks leaves idle.
        """
        idle = jax.default_backend() != "cpu" and self.setup.vector.resumable
        if not (idle or self.run.algorithm.batches_seeds):
            return [[repetition] for repetition in repetitions]
        groups: dict[Any, list[SeedRun]] = {}
        for repetition in repetitions:
            groups.setdefault(self._device(repetition.seed), []).append(repetition)
        return list(groups.values())

    def world(self, seed: int) -> PyTree:
        """Return the constant arrays of a repetition's environments, on its device; equal
        environments share them."""
        env, device = self.run.played.for_seed(seed), self._device(seed)
        if (env, device) not in self._worlds:
            same = env == self.run.played
            vector = self.setup.vector if same else env.vectorize(self.run.settings.num_envs)
            self._worlds[env, device] = jax.device_put(vector.constants, device)
        return self._worlds[env, device]

    def worlds(self, group: list[SeedRun]) -> list[PyTree]:
        """The worlds of several repetitions, every one once."""
        found = [self.world(repetition.seed) for repetition in group]
        return list({id(world): world for world in found}.values())

    def place(self, seed: int, team: TrainState) -> TrainState:
        """Put a team on its device."""
        return jax.device_put(team, self._device(seed))

    def _device(self, seed: int) -> Any:
        devices = jax.local_devices() if self.setup.vector.resumable else jax.local_devices()[:1]
        return devices[(seed - self.run.settings.seed) % len(devices)]
