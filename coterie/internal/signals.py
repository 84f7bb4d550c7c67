"""Signals that ask a run to stop: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

STOPS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class StopSignals:
    """Context in which the first signal is noted, and the second acts as it does outside.

    asked: called at the first signal. Outside the main thread, which signals go to, nothing is
           noted.
    """

    received: signal.Signals | None = None
    """The signal that was noted last in this process."""

    def __init__(self, asked: Callable[[], None]):
        self._asked = asked
        self.stopping = False

    def __enter__(self) -> "StopSignals":
        self._previous: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in STOPS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            signal.signal(number, self._previous[signal.Signals(number)])
            signal.raise_signal(number)
            return
        self.stopping, StopSignals.received = True, signal.Signals(number)
        self._asked()


def exit_code() -> int:
    """Exit code of what was stopped: 128 and the number of the signal, as a shell has it."""
    return 128 + (StopSignals.received or signal.SIGINT)
