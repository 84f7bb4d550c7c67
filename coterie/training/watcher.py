"""Watchers, which may stop a run."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Watcher(Protocol):
    """Protocol for watchers, which may stop a run and are told its memory."""

    def begun(self, held: int) -> None:
        """Receive the size of all states in bytes, before training starts."""

    def stopping(self) -> bool:
        """True if the run should stop after this block."""
        ...


class Silent:
    """A watcher that never stops a run."""

    def begun(self, held: int) -> None: ...

    def stopping(self) -> bool:
        return False
