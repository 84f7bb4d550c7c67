"""Frames that have arrived at a process and were not read yet; all others, counted by reason."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from coterie.fleet.frames import Frame, Unreadable, unpack

WAITING = 512
"""Frames of one sender that may wait to be read: more are dropped, so that memory is bounded."""

Place = tuple[int, int]
"""Round and turn of a frame."""


class Mailbox:
    """Frames of known senders of one run, by name, round and turn.

    senders: who may send: the places of processes in the fleet.
    longest: bytes of the longest body.
    answer:  called with frames of the names in `asked` as they arrive, by the thread that brings
             them; they are not kept.
    """

    def __init__(self, run: bytes, senders: Iterable[int], longest: int):
        self._run, self._senders, self._longest = run, set(senders), longest
        self._there = threading.Condition()
        self._frames: dict[int, dict[tuple[int, Place], bytes]] = {s: {} for s in self._senders}
        self._read: dict[int, Place] = {}
        self._incarnation = dict.fromkeys(self._senders, 0)
        self._answers: dict[int, Callable[[Frame], None]] = {}
        self.heard = dict.fromkeys(self._senders, -1.0)
        self.dropped: Counter[str] = Counter()

    def answers(self, name: int, answer: Callable[[Frame], None]) -> None:
        """Have frames of this name answered as they arrive."""
        self._answers[name] = answer

    def receive(self, sender: int, data: bytes) -> None:
        """Keep a frame that came from a sender, or count why it is dropped; never raises."""
        with self._there:
            try:
                frame = unpack(self._run, data, self._longest)
                self._require_expected(sender, frame)
            except Unreadable as reason:
                self.dropped[str(reason)] += 1
                return
            self.heard[sender] = time.monotonic()
            self._incarnation[sender] = frame.incarnation
            if frame.name not in self._answers:
                place = frame.name, (frame.clock, frame.turn)
                self._frames[sender][place] = frame.body
                self._there.notify_all()
                return
        self._answers[frame.name](frame)

    def _require_expected(self, sender: int, frame: Frame) -> None:
        place = frame.clock, frame.turn
        if sender not in self._senders or frame.sender != sender:
            raise Unreadable("stranger")
        if frame.incarnation < self._incarnation[sender]:
            raise Unreadable("earlier incarnation")
        if place <= self._read.get(frame.name, (-1, -1)) and frame.name not in self._answers:
            raise Unreadable("late or replayed")
        if (frame.name, place) in self._frames[sender]:
            raise Unreadable("replayed")
        if len(self._frames[sender]) >= WAITING:
            raise Unreadable("too many")

    def take(
        self, name: int, place: Place, senders: Iterable[int], until: Callable[[int], float]
    ) -> dict[int, bytes]:
        """Bodies of those senders whose frame came in time; later ones of this place are dropped.

        until: when each sender's frame is no longer waited for, on the monotonic clock.
        """
        wanted = set(senders)
        with self._there:
            while missing := wanted - self._having(name, place):
                left = max(until(sender) for sender in missing) - time.monotonic()
                if left <= 0 or not self._there.wait(left):
                    break
            self._read[name] = max(place, self._read.get(name, (-1, -1)))
            found = {
                sender: frames[name, place]
                for sender, frames in self._frames.items()
                if sender in wanted and (name, place) in frames
            }
            self._forget(name, place)
        return found

    def _having(self, name: int, place: Place) -> set[int]:
        return {sender for sender, frames in self._frames.items() if (name, place) in frames}

    def _forget(self, name: int, place: Place) -> None:
        """Drop what is not read any more."""
        for frames in self._frames.values():
            for key in [k for k in frames if k[0] == name and k[1] <= place]:
                del frames[key]
