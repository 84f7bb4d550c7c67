"""Who may stop a run."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Watcher(Protocol):
    """Whoever may stop a run, and wants to know what it takes."""

    def begun(self, held: int) -> None:
        """Training is about to start, with states of so many bytes in all."""

    def stopping(self) -> bool:
        """Whether the run should stop after this block."""
        ...


class Silent:
    """A watcher that does not look."""

    def begun(self, held: int) -> None: ...

    def stopping(self) -> bool:
        return False
