"""Bound on the widths of dense layers."""

from dataclasses import dataclass
from typing import Annotated, Any

from coterie.bounds import Bound


@dataclass(frozen=True)
class Wide(Bound):
    """Whole numbers of at least 1, or none at all."""

    hint: str = "try 64 64"

    @property
    def said(self) -> str:
        return "needs widths of at least 1"

    def holds(self, value: Any) -> bool:
        return all(isinstance(width, int) and width >= 1 for width in value)


Widths = Annotated[tuple[int, ...], Wide()]
"""The widths of dense layers, as an algorithm's option."""
