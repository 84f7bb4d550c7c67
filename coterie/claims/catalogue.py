"""Every figure that can be made again, by name."""

from collections.abc import Callable

from coterie.claims import dpo
from coterie.claims.figure import Panel
from coterie.errors import unknown

FIGURES: dict[str, Callable[[], dict[str, Panel]]] = {
    "dpo-2": dpo.figure_2,
}


def panels_of(name: str) -> dict[str, Panel]:
    """The panels of a figure; `ConfigError` if there is none of that name."""
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]()
