"""Rounds of a fleet: lockstep, with a deadline after which a message counts as lost."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from coterie.fleet.frames import Frame, number_of
from coterie.fleet.mailbox import Mailbox
from coterie.network.wire import Wire

Send = Callable[[int, Frame], None]
"""Send a frame to the process with this place in the fleet."""


class FleetWire(Wire):
    """One process's end of the network of a fleet.

    seats:     the agents of each process that has some, by its place in the fleet.
    me:        this process's place.
    neighbors: processes with an agent that is linked to one of this process, in some round.
    patience:  seconds that a message is waited for; and at the first round, when processes start.
    """

    def __init__(
        self,
        seats: Mapping[int, tuple[int, ...]],
        me: int,
        neighbors: Sequence[int],
        send: Send,
        mailbox: Mailbox,
        incarnation: int = 0,
        patience: tuple[float, float] = (10.0, 300.0),
    ):
        self.agents = seats[me]
        self._seats, self._me, self._neighbors = seats, me, tuple(neighbors)
        self._others = tuple(process for process in seats if process != me)
        self._send, self._mailbox, self._incarnation = send, mailbox, incarnation
        self._patience, self._begun = patience, False
        self._away: dict[int, float] = {}
        self._turns: dict[int, tuple[int, int]] = {}
        self.counts: Counter[str] = Counter()

    def exchange(
        self, name: str, clock: int, said: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Tell the neighbors."""
        return self._round(name, clock, said, self._neighbors)

    def publish(
        self, name: str, clock: int, said: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Tell all."""
        return self._round(name, clock, said, self._others)

    def _round(
        self, name: str, clock: int, said: Sequence[np.ndarray], others: Sequence[int]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        number = number_of(name)
        place = clock, self._turn(number, clock)
        body = b"".join(np.ascontiguousarray(each).tobytes() for each in said)
        for process in others:
            self._send(process, Frame(number, self._me, self._incarnation, *place, body))
        found = self._mailbox.take(number, place, others, self._until(time.monotonic()))
        self._note(others, found)
        return self._team(said, found)

    def _turn(self, number: int, clock: int) -> int:
        """Count the messages of this name in this round before."""
        last, turn = self._turns.get(number, (clock, -1))
        turn = turn + 1 if last == clock else 0
        self._turns[number] = clock, turn
        return turn

    def _until(self, now: float) -> Callable[[int], float]:
        """Deadline of each process: at once, if nothing came of it lately."""
        patience = self._patience[0 if self._begun else 1]

        def until(process: int) -> float:
            gone = self._away.get(process)
            if gone is not None and self._mailbox.heard[process] <= gone:
                return now
            return now + patience

        return until

    def _note(self, others: Sequence[int], found: Mapping[int, bytes]) -> None:
        """Count a round, and note who is away."""
        self._begun = True
        self.counts["sent"] += len(others)
        self.counts["arrived"] += len(found)
        self.counts["lost"] += len(others) - len(found)
        for process in others:
            if process in found:
                self._away.pop(process, None)
            else:
                self._away.setdefault(process, time.monotonic())

    def _team(
        self, said: Sequence[np.ndarray], found: Mapping[int, bytes]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Everybody's values, zeros of those who were not heard, and who was."""
        size = sum(map(len, self._seats.values()))
        told = [np.zeros((size, *each.shape[1:]), each.dtype) for each in said]
        came = np.zeros(size, bool)
        for process, values in [(self._me, said), *self._readable(said, found)]:
            who = list(self._seats[process])
            came[who] = True
            for whole, part in zip(told, values, strict=True):
                whole[who] = part
        return told, came

    def _readable(
        self, said: Sequence[np.ndarray], found: Mapping[int, bytes]
    ) -> list[tuple[int, list[np.ndarray]]]:
        """Values of the processes whose message has its size and only finite numbers."""
        read = []
        for process, body in found.items():
            values = arrays(body, [(len(self._seats[process]), *x.shape[1:]) for x in said], said)
            if values is None:
                self._mailbox.dropped["another size"] += 1
            elif not all(np.isfinite(x).all() for x in values if x.dtype.kind == "f"):
                self._mailbox.dropped["not finite"] += 1
            else:
                read.append((process, values))
        return read


def arrays(
    body: bytes, shapes: Sequence[tuple[int, ...]], like: Sequence[np.ndarray]
) -> list[np.ndarray] | None:
    """Arrays of these shapes, and of the types of others, one after the other; `None` if the body
    has another size.

    >>> arrays(bytes(8), [(2,)], [np.zeros(1, np.int32)])
    [array([0, 0], dtype=int32)]
    """
    sizes = [int(np.prod(s)) * x.dtype.itemsize for s, x in zip(shapes, like, strict=True)]
    if sum(sizes) != len(body):
        return None
    ends = np.cumsum([0, *sizes])
    return [
        np.frombuffer(body[a:b], x.dtype).reshape(shape)
        for (a, b), shape, x in zip(pairwise(ends), shapes, like, strict=True)
    ]
