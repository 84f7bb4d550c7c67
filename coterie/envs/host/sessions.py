"""Several states of one vector environment at once: the copies of each state, and the last error.

A compiled program calls these methods back: it hands over JAX arrays and gets NumPy arrays.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from coterie.envs.host.serve import START, STEP
from coterie.errors import EnvError

ANSWERS = ("view", "next", "reward", "terminated", "truncated", "info")
"""The fields of a record that a step returns."""

ALIVE = 32
"""Number of states that can be played at once, unless more are reserved."""


@runtime_checkable
class Players(Protocol):
    """Interface of whoever plays sets of copies: worker processes, or batches in this one.

    records: what the copies are told and answer, `[copies]` (`layout.record`), for one set at a
             time.
    """

    records: np.ndarray

    @property
    def gone(self) -> bool:
        """True if they have been closed; a failure closes them."""
        ...

    def command(self, what: int, number: int) -> None:
        """Do `what` (`START` or `STEP`) with set `number`; raise `EnvError` if that fails."""
        ...

    def close(self) -> Any:
        """Let all copies go."""
        ...


class Sessions:
    """States as numbers, each standing for a set of copies.

    hire:    starts whoever plays them; called at the first `start`, and again after a failure.
    failure: the error of the last call, if it failed.

    One state more than `alive` takes the copies of the state that was played longest ago. Copies of
    a state that is closed play on for the next one that is started: there are never more than are
    played at once.
    """

    def __init__(self, hire: Callable[[], Players], alive: int = ALIVE):
        self.hire = hire
        self.alive = alive
        self.failure: EnvError | None = None
        self._players: Players | None = None
        self._sets: OrderedDict[int, int] = OrderedDict()  # the set of each state, stalest first
        self._count = 0
        self._one_at_a_time = threading.Lock()  # there is one set of records for all states

    def start(self, seeds: Any) -> tuple[np.int32, Any]:
        """Begin with one seed per copy: the new state, and the first views."""
        return self._guard(self._start, np.asarray(seeds))

    def step(self, state: Any, action: Any, seeds: Any) -> dict[str, Any]:
        """Play all copies; the seeds are for those whose episode ends."""
        return self._guard(self._step, int(state), np.asarray(action), np.asarray(seeds))

    def close(self, state: Any) -> None:
        """Forget a state; its copies are free for another."""
        with self._one_at_a_time:
            self._sets.pop(int(state), None)

    def shutdown(self) -> None:
        """Forget all states, close their copies and end the workers."""
        with self._one_at_a_time:
            self._sets.clear()
            if self._players is not None:
                self._players.close()

    def _start(self, seeds: np.ndarray) -> tuple[np.int32, Any]:
        self.failure = None
        if self._players is None or self._players.gone:
            self._sets.clear()
            self._players = self.hire()
        players = self._players
        players.records["seed"] = seeds
        self._count += 1
        self._sets[self._count] = self._take_set()
        players.command(START, self._sets[self._count])
        return np.int32(self._count), _copied(players.records["next"])

    def _step(self, state: int, action: np.ndarray, seeds: np.ndarray) -> dict[str, Any]:
        if self._players is None or self._players.gone or state not in self._sets:
            raise EnvError(
                f"state {state} is no longer played: it was closed, or more than {self.alive} "
                "states were begun since; reset the environment to go on."
            )
        self._sets.move_to_end(state)
        records = self._players.records
        records["action"], records["seed"] = action, seeds
        self._players.command(STEP, self._sets[state])
        return {name: _copied(records[name]) for name in ANSWERS}

    def _take_set(self) -> int:
        """The lowest number of a set that is free, or else the set of the stalest state."""
        if len(self._sets) >= self.alive:
            return self._sets.popitem(last=False)[1]
        return min(set(range(self.alive)) - set(self._sets.values()))

    def _guard(self, call: Callable[..., Any], *given: Any) -> Any:
        """Keep an error for the code that catches JAX's version of it."""
        try:
            with self._one_at_a_time:
                return call(*given)
        except EnvError as error:
            self.failure = error
            raise


def count_workers(wanted: int | None, copies: int) -> int:
    """Return the number of workers: as many as wanted, or as our cores; never more than copies."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(wanted or cores or 1, copies)


def shapes(dtype: np.dtype, copies: int, shape: Callable[..., Any]) -> Any:
    """`shape(shape, dtype)` for every field of `dtype`, stacked over copies."""
    if dtype.names is None:
        return shape((copies, *dtype.shape), dtype.base)
    return {name: shapes(dtype[name], copies, shape) for name in dtype.names}


def _copied(records: np.ndarray) -> Any:
    """Fields of records as arrays of their own, which the next step does not overwrite."""
    if records.dtype.names is None:
        return records.copy()
    return {name: _copied(records[name]) for name in records.dtype.names}
