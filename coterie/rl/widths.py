"""Which widths of dense layers make a network."""

from dataclasses import dataclass
from typing import Annotated, Any

from coterie.bounds import Bound
from coterie.errors import require


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


def require_layer(hidden_sizes: tuple[int, ...]) -> None:
    """Raise `ConfigError` unless there is a dense layer, for critics of actions."""
    require(
        len(hidden_sizes) > 0,
        "this method needs a hidden layer, where action and state come together: try 64 64.",
    )


def require_memory(hidden: tuple[int, ...], recurrent: bool) -> None:
    """Raise `ConfigError` unless a recurrent unit has a dense layer before it."""
    require(
        len(hidden) > 0 or not recurrent,
        "a recurrent unit comes after a dense layer: give hidden_sizes a width, as 64.",
    )
