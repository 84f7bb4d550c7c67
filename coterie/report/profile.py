"""Performance profiles: the share of runs that end above a score, as a line over scores.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (NeurIPS
2021), section 4.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coterie.errors import RunError, require
from coterie.report.curve import Curve
from coterie.report.line import Line
from coterie.report.statistics import performance_profile

_POINTS = 201
_MEASURE = "share of seeds and its 95 % interval, {} seeds of each method"

Scores = Mapping[str, Mapping[str, np.ndarray]]
"""The final values of a method's seeds in each environment."""


@dataclass(frozen=True)
class Profile:
    """Performance profiles of methods.

    lines:      one for each method, over scores.
    envs:       the environments in which they were measured.
    side:       "above", or "below" where lower scores are better.
    normalized: True if scores run from 0 for the worst seed of an environment to 1 for the best.
    """

    lines: tuple[Line, ...]
    envs: tuple[str, ...]
    side: str
    normalized: bool


def profiles(curves: Sequence[Curve]) -> Profile:
    """Profiles of the final values of methods, each measured in the same environments.

    `RunError` if a method was not measured in one of them.
    """
    require(len(curves) > 0, "there is no curve to make a profile of.", RunError)
    envs = tuple(dict.fromkeys(curve.env for curve in curves))
    ends: dict[str, dict[str, np.ndarray]] = {}
    for curve in curves:
        ends.setdefault(curve.label, {})[curve.env] = curve.sign * curve.ends()
    for label, measured in ends.items():
        lacking = [env for env in envs if env not in measured]
        require(
            not lacking,
            f"{label} was not trained on {' and '.join(lacking)}: a profile needs every method on "
            "every environment.",
            RunError,
        )
    normalized, sign = len(envs) > 1, curves[0].sign
    scores = _normalized(ends, envs) if normalized else ends
    grid = _grid(scores)
    lines = [_line(label, list(scores[label].values()), grid) for label in scores]
    if sign < 0 and not normalized:
        lines = [_mirrored(line) for line in lines]
    side = "below" if sign < 0 and not normalized else "above"
    return Profile(tuple(lines), envs, side, normalized)


def _line(label: str, tasks: Sequence[np.ndarray], grid: np.ndarray) -> Line:
    seeds = sum(map(len, tasks))
    return Line(label, grid, performance_profile(tasks, grid), seeds, _MEASURE.format(seeds))


def _normalized(ends: Scores, envs: Sequence[str]) -> Scores:
    """Return the scores on a scale from the worst seed of their environment, 0, to the best, 1."""
    known = {env: np.concatenate([measured[env] for measured in ends.values()]) for env in envs}

    def scaled(env: str, scores: np.ndarray) -> np.ndarray:
        return (scores - known[env].min()) / max(float(np.ptp(known[env])), 1e-12)

    return {
        label: {env: scaled(env, scores) for env, scores in measured.items()}
        for label, measured in ends.items()
    }


def _grid(scores: Scores) -> np.ndarray:
    every = np.concatenate([each for measured in scores.values() for each in measured.values()])
    room = 0.03 * max(float(np.ptp(every)), 1e-6)
    return np.linspace(every.min() - room, every.max() + room, _POINTS)


def _mirrored(line: Line) -> Line:
    """A line over scores whose sign was turned, over the scores themselves."""
    point, low, high = (edge[::-1] for edge in line.band)
    band = line.band._replace(point=point, low=low, high=high)
    return Line(line.label, -line.steps[::-1], band, line.seeds, line.measure)
