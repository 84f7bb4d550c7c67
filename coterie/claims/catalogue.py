"""Every figure that can be made again, by name."""

from collections.abc import Callable

from coterie.claims import dpo, li_jia
from coterie.claims.figure import Panel
from coterie.errors import unknown

FIGURES: dict[str, Callable[[], dict[str, Panel]]] = {
    "dpo-1a": dpo.figure_1a,
    "dpo-1b": dpo.figure_1b,
    "dpo-2": dpo.figure_2,
    "dpo-8": dpo.figure_8,
    "dpo-9": dpo.figure_9,
    "li-jia-1a": li_jia.figure_1a,
    "li-jia-1b": li_jia.figure_1b,
}


def panels_of(name: str) -> dict[str, Panel]:
    """The panels of a figure; `ConfigError` if there is none of that name."""
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]()
