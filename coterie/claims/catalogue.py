"""Every figure that can be made again, by name."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from coterie.claims import cost, dpo, f2a2, grosnit, li_jia, matrpo, strength
from coterie.claims.figure import Figure
from coterie.claims.study import Study
from coterie.errors import unknown

FIGURES: dict[str, Callable[[], Figure | Study]] = {
    "cost-commons": cost.cost_of_talking,
    "dpo-1a": dpo.figure_1a,
    "dpo-1b": dpo.figure_1b,
    "dpo-2": dpo.figure_2,
    "dpo-3": dpo.figure_3,
    "dpo-6": dpo.figure_6,
    "dpo-8": dpo.figure_8,
    "dpo-9": dpo.figure_9,
    "f2a2-5": f2a2.figure_5,
    "f2a2-8": f2a2.figure_8,
    "f2a2-table4": f2a2.table_4,
    "f2a2-table5": f2a2.table_5,
    "grosnit-bandit": grosnit.bandit,
    "li-jia-1a": li_jia.figure_1a,
    "li-jia-1b": li_jia.figure_1b,
    "li-jia-1c": li_jia.figure_1c,
    "matrpo-3a": matrpo.figure_3a,
    "matrpo-3b": matrpo.figure_3b,
    "matrpo-4": matrpo.figure_4,
    "matrpo-5": matrpo.figure_5,
    "strength-defaults": strength.defaults,
}


def figure_of(name: str) -> Figure | Study:
    """The figure of that name; `ConfigError` if there is none."""
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name]()


def claim(
    name: str, folder: str | Path | None = None, console: Console | None = None
) -> tuple[str | None, Path]:
    """Make a figure of a paper again and judge the paper's statements on it.

    name:    a figure, such as "dpo-1a" (`coterie list`).
    folder:  the folder of the results; by default `runs/<paper>`. Stopped runs there go on.
    console: the console for progress; standard error by default.

    Returns the tables and verdicts as Markdown, and the picture, beside which they stand (`.md`);
    None in place of the verdicts if it was stopped, and the same call goes on.
    Raises `ConfigError` for a figure that is not known.

    >>> verdicts, picture = claim("dpo-1a")  # doctest: +SKIP
    """
    made = figure_of(name)
    paper, _, number = name.rpartition("-")
    picture = (Path(folder) if folder else Path("runs") / paper) / f"figure-{number}.png"
    return made.make(picture, console), picture
