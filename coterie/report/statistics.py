"""Statistics of few seeds: interquartile means, their 95 % intervals, and comparisons.

The unit of chance is a seed: a whole run is kept or left out, never a single evaluation. Estimates
follow Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice"
(NeurIPS 2021). All randomness comes from one fixed generator, so the same data give the same
numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.special import ndtr, stdtrit

CONFIDENCE = 0.95
RESAMPLES = 4000
_BLOCK = 4_000_000  # numbers in memory at a time


class Interval(NamedTuple):
    """A number and the 95 % interval around it."""

    point: float
    low: float
    high: float

    def above(self, other: "Interval") -> bool:
        """True if this interval lies wholly above the other one."""
        return self.low > other.high

    def __str__(self) -> str:
        return f"{self.point:.4g} [{self.low:.4g}, {self.high:.4g}]"


class Band(NamedTuple):
    """An `Interval` at each of `T` points; three arrays `[T]`."""

    point: Float[np.ndarray, " T"]
    low: Float[np.ndarray, " T"]
    high: Float[np.ndarray, " T"]


def interquartile_mean(values: Real[np.ndarray, "..."], axis: int = 0) -> Float[np.ndarray, "..."]:
    """The mean of the middle half along `axis` (`scipy.stats.trim_mean` with a quarter cut off).

    Of `n` values the `n // 4` lowest and highest are dropped, so up to three values it is the mean.

    >>> float(interquartile_mean(np.array([0.0, 1.0, 2.0, 3.0, 100.0])))
    2.0
    """
    ordered = np.sort(values, axis=axis)
    size = values.shape[axis]
    middle = np.arange(size // 4, size - size // 4)
    return np.asarray(np.mean(np.take(ordered, middle, axis=axis), axis=axis, dtype=float))


def band(values: Real[np.ndarray, "S T"]) -> Band:
    """The interquartile mean over `S` seeds at each of `T` points, with its 95 % interval.

    A percentile bootstrap over seeds, widened for small samples (see `_edges`). With one seed, or
    identical ones, the interval is the point; with two or three it is their range.
    """
    lines = _resampled(values)
    return Band(interquartile_mean(values), *_edges(lines, len(values)))


def interval(values: Real[np.ndarray, " S"]) -> Interval:
    """`band` for one number per seed.

    >>> print(interval(np.array([1.0, 2.0, 3.0])))
    2 [1, 3]
    """
    return Interval(*(float(edge[0]) for edge in band(values[:, None])))


def probability_of_improvement(a: Real[np.ndarray, " S"], b: Real[np.ndarray, " R"]) -> Interval:
    """Share of pairs in which a seed of `a` ends above one of `b`, with its 95 % interval.

    Ties count half: the Mann-Whitney statistic over the number of pairs; 0.5 means no difference.

    >>> probability_of_improvement(np.array([2, 3]), np.array([1, 2])).point
    0.875
    """
    wins = (a[:, None] > b[None, :]) + 0.5 * (a[:, None] == b[None, :])
    draws = np.random.default_rng(0)
    rows, columns = _picks(draws, len(a)), _picks(draws, len(b))
    shares = wins[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2))
    low, high = _edges(shares[:, None], min(len(a), len(b)))
    return Interval(float(wins.mean()), float(low[0]), float(high[0]))


def performance_profile(
    tasks: Sequence[Real[np.ndarray, " _"]], thresholds: Real[np.ndarray, " T"]
) -> Band:
    """Share of runs whose score is above each threshold, a mean over tasks, with its 95 % interval.

    tasks: the scores of a method's seeds in each task; seeds are drawn anew within their task.

    Agarwal et al. (2021), section 4.2: the empirical tail distribution of the scores.

    >>> scores = [np.array([0.0, 1.0, 2.0, 3.0])]
    >>> performance_profile(scores, np.array([-1.0, 0.5, 3.0])).point.tolist()
    [1.0, 0.75, 0.0]
    """
    above = [np.asarray(scores)[:, None] > thresholds for scores in tasks]
    draws = np.random.default_rng(0)
    drawn = [_counts(draws, len(one)) @ one / len(one) for one in above]
    low, high = _edges(np.mean(drawn, axis=0), min(map(len, tasks)))
    return Band(np.mean([one.mean(axis=0) for one in above], axis=0), low, high)


def steps_to(
    steps: Real[np.ndarray, " T"], lines: Real[np.ndarray, "*batch T"], level: float
) -> Float[np.ndarray, "*batch"]:
    """The first of `steps` at which each line is at `level` or above; infinity if it never is.

    >>> steps_to(np.array([0, 10, 20]), np.array([[1.0, 5.0, 4.0], [0.0, 1.0, 2.0]]), 4.5).tolist()
    [10.0, inf]
    """
    reached = lines >= level
    first = steps.astype(float)[np.argmax(reached, axis=-1)]
    return np.where(np.any(reached, axis=-1), first, np.inf)


def steps_interval(
    steps: Real[np.ndarray, " T"], values: Real[np.ndarray, "S T"], level: float
) -> Interval:
    """Steps until the interquartile mean first reaches `level`, with a 95 % interval over seeds."""
    point = steps_to(steps, interquartile_mean(values), level)
    low, high = _edges(steps_to(steps, _resampled(values), level)[:, None], len(values))
    return Interval(float(point), float(low[0]), float(high[0]))


def _picks(draws: np.random.Generator, size: int) -> Int[np.ndarray, "R S"]:
    return draws.integers(size, size=(RESAMPLES, size))


def _counts(draws: np.random.Generator, size: int) -> Int[np.ndarray, "R S"]:
    """The number of times that each seed is drawn, for every resample."""
    return draws.multinomial(size, np.full(size, 1.0 / size), size=RESAMPLES)


def _resampled(values: Real[np.ndarray, "S T"]) -> Float[np.ndarray, "R T"]:
    """The interquartile mean of every resample; a seed is drawn with its whole run."""
    seeds, points = values.shape
    picks = _picks(np.random.default_rng(0), seeds)
    width = max(1, _BLOCK // picks.size)
    blocks = [values[:, start : start + width] for start in range(0, points, width)]
    return np.concatenate([interquartile_mean(block[picks], axis=1) for block in blocks], axis=1)


def _edges(lines: Float[np.ndarray, "R T"], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper edge `[T]` that 95 % of the `lines` keep to, for `size` seeds.

    A plain percentile interval is too narrow for few seeds (it covers about 90 % for five). The
    tails are therefore cut at the normal probability of Student's quantile, stretched by
    sqrt(n / (n - 1)): the "expanded percentile" of Hesterberg, "What teachers should know about
    the bootstrap" (2015), section 3.4. Edges are order statistics, so they may be infinite.
    """
    tail = (1.0 - CONFIDENCE) / 2.0
    if size > 1:
        tail = ndtr(np.sqrt(size / (size - 1)) * stdtrit(size - 1, tail))
    last = len(lines) - 1
    ordered = np.sort(lines, axis=0)
    return ordered[int(np.floor(tail * last))], ordered[int(np.ceil((1.0 - tail) * last))]
