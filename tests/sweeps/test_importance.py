"""Importance of options: exact shares in grids, and chance where there is no effect."""

import itertools

import numpy as np
import pytest

from coterie.sweeps import Range
from coterie.sweeps.importance import importance
from coterie.sweeps.space import Choice

GRID = {"a": Choice(("0", "1", "2")), "b": Choice(("0", "1"))}
POINTS = [{"a": a, "b": b} for a, b in itertools.product("012", "01")]


def test_shares_of_a_grid_are_those_of_its_formula():
    """y = 3a + 5b + 2·[a = 2][b = 1], and ±1 between two seeds, decomposed by hand."""
    means = [3.0 * int(p["a"]) + 5 * int(p["b"]) + 2 * (p == POINTS[-1]) for p in POINTS]
    found = importance(GRID, POINTS, [np.array([m - 1, m + 1]) for m in means])
    # a: means 2.5, 5.5, 9.5 around 35/6; b: 3 and 26/3. Sums of squares of 12 results.
    total = sum((m + e - 35 / 6) ** 2 for m in means for e in (-1, 1))
    of_a = 4 * sum((m - 35 / 6) ** 2 for m in (2.5, 5.5, 9.5))
    of_b = 6 * sum((m - 35 / 6) ** 2 for m in (3.0, 26 / 3))
    assert found.options == pytest.approx({"a": of_a / total, "b": of_b / total})
    assert found.seeds == pytest.approx(12 / total)
    assert sum(found.options.values()) + found.together + found.seeds == pytest.approx(1.0)
    assert found.together > 0.01


def test_an_option_without_effect_has_the_share_of_chance():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        found = importance(GRID, POINTS, list(rng.normal(size=(6, 3))))
        shares.append([found.options["a"], found.options["b"]])
    assert found.chance == pytest.approx({"a": 2 / 17, "b": 1 / 17})
    assert np.mean(shares, axis=0) == pytest.approx([2 / 17, 1 / 17], abs=0.015)


def test_a_range_is_cut_into_quarters():
    space = {"lr": Range(1.0, 9.0)}
    points = [{"lr": str(float(i))} for i in range(1, 9)]
    ends = [np.array([float(i // 2)]) for i in range(8)]
    assert importance(space, points, ends).options == pytest.approx({"lr": 1.0})
    within = [np.array([float(i % 2)]) for i in range(8)]  # nothing differs between quarters
    assert importance(space, points, within).options == pytest.approx({"lr": 0.0})
    assert importance(space, points, [np.zeros(2)] * 8) is None
