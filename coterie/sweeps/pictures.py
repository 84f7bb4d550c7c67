"""Pictures of a sweep: its trials as lines, and the importance of its options."""

from collections.abc import Sequence
from pathlib import Path

from coterie.report.columns import column_of
from coterie.report.curve import Curve
from coterie.sweeps.importance import Importance, importance
from coterie.sweeps.space import Choice, Space
from coterie.sweeps.trial import Trial

CAPTION = (
    "between the values of an option over all, of trials and seeds; dots: expected of an option "
    "without effect"
)


def draw(
    folder: Path, title: str, space: Space, column: str, ended: Sequence[tuple[Trial, Curve]]
) -> list[Path]:
    """Draw the finished trials of a sweep into its folder; nothing if there is only one."""
    from coterie.report.parallel_plot import plot_parallel  # to load matplotlib takes its time

    if len(ended) < 2:
        return []
    told, curves = column_of(column), [curve for _, curve in ended]
    points = [trial.point for trial, _ in ended]
    results = [curve.final().point for curve in curves]
    axes = {name: [point[name] for point in points] for name in space}
    path, lower = folder / "parallel.png", told.lower_is_better
    order = {name: axis.words for name, axis in space.items() if isinstance(axis, Choice)}
    files = [plot_parallel(axes, results, path, told.label, title, lower, order)]
    found = importance(space, points, [curve.ends() for curve in curves])
    if found:
        files.append(_shares(found, folder / "importance.png", f"{told.name}: variance by options"))
    return files


def _shares(found: Importance, path: Path, title: str) -> Path:
    from coterie.report.share_plot import plot_shares

    rest = {"several together": found.together, "seeds": found.seeds}
    return plot_shares(
        found.options, rest, found.chance, path, title, f"Share of variance: {CAPTION}."
    )
