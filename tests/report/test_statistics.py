"""Interquartile means, intervals and probabilities against hand-worked numbers and theory."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from coterie.report.statistics import (
    Interval,
    band,
    interquartile_mean,
    interval,
    performance_profile,
    probability_of_improvement,
    steps_interval,
    steps_to,
)


def test_the_interquartile_mean_drops_the_outer_quarters():
    # Eight values: two fall on either side, (3 + 4 + 5 + 6) / 4 remain.
    assert interquartile_mean(np.array([9, 3, 1, 4, 100, 5, 6, -50])) == pytest.approx(4.5)
    assert interquartile_mean(np.array([1.0, 2.0, 9.0])) == pytest.approx(4.0)


@pytest.mark.parametrize("size", range(1, 14))
def test_the_interquartile_mean_is_scipys_trimmed_mean(size):
    values = np.random.default_rng(size).normal(size=(size, 3))
    np.testing.assert_allclose(interquartile_mean(values), trim_mean(values, 0.25), rtol=1e-12)


def test_one_seed_or_identical_seeds_have_no_width():
    assert interval(np.array([0.1])) == (0.1, 0.1, 0.1)
    point, low, high = band(np.full((5, 2), 0.1))
    assert low.tolist() == point.tolist() == high.tolist()


def test_two_and_three_seeds_span_their_range():
    assert interval(np.array([1.0, 4.0])) == (2.5, 1.0, 4.0)
    assert interval(np.array([1.0, 2.0, 6.0])) == (3.0, 1.0, 6.0)


def test_a_band_is_the_interval_at_each_point_and_repeats_itself():
    values = np.random.default_rng(0).normal(size=(6, 4))
    there = band(values)
    again = [interval(values[:, t]) for t in range(4)]
    np.testing.assert_array_equal(np.array(there).T, np.array(again))


def test_blocks_in_time_do_not_matter(monkeypatch):
    values = np.random.default_rng(0).normal(size=(5, 7))
    whole = band(values)
    monkeypatch.setattr("coterie.report.statistics._BLOCK", 1)
    np.testing.assert_array_equal(np.array(band(values)), np.array(whole))


def test_the_interval_shifts_and_scales_with_the_data():
    values = np.random.default_rng(1).exponential(size=7)
    np.testing.assert_allclose(interval(3.0 * values - 2.0), 3.0 * np.array(interval(values)) - 2.0)


@pytest.mark.parametrize("size", [5, 7, 10])
@pytest.mark.parametrize("kind", ["normal", "exponential"])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(size, kind):
    # The true interquartile mean of a distribution: the mean between its quartiles. For the
    # exponential one, 2 * (the integral of -log(1 - u) from 1/4 to 3/4) = 0.73838.
    truth = {"normal": 0.0, "exponential": 0.73838}[kind]
    draws = np.random.default_rng(0)
    trials = band(getattr(draws, kind)(size=(size, 500)))
    covered = np.mean((trials.low <= truth) & (truth <= trials.high))
    assert 0.92 <= covered <= 0.99


def test_the_probability_of_improvement_is_mann_whitney():
    a, b = np.array([3.0, 1.0, 4.0, 1.5]), np.array([2.0, 1.0, 0.5])
    # Wins of 3: 3; of 1: 1 and a tie; of 4: 3; of 1.5: 2; together 9.5 of 12.
    assert probability_of_improvement(a, b).point == pytest.approx(9.5 / 12)
    assert mannwhitneyu(a, b).statistic == 9.5


def test_the_probability_of_improvement_at_its_ends():
    low, high = np.arange(5.0), np.arange(5.0) + 10.0
    assert probability_of_improvement(high, low) == (1.0, 1.0, 1.0)
    assert probability_of_improvement(low, high) == (0.0, 0.0, 0.0)
    point, below, above = probability_of_improvement(low, low)
    assert point == 0.5 and below < 0.2 and above > 0.8


def test_steps_to_is_the_first_time_and_never_is_infinite():
    steps, line = np.array([0, 5, 10, 15]), np.array([0.0, 2.0, 1.0, 3.0])
    assert [float(steps_to(steps, line, goal)) for goal in (0.0, 1.5, 2.5, 3.5)] == [
        0,
        5,
        15,
        np.inf,
    ]


def test_the_time_to_a_level_has_an_interval_that_may_be_infinite():
    steps = np.array([0, 10, 20])
    always, half = np.tile([0.0, 1.0, 1.0], (5, 1)), np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert steps_interval(steps, always, 1.0) == (10.0, 10.0, 10.0)
    assert steps_interval(steps, half, 1.0) == (np.inf, 10.0, np.inf)


def test_above_means_wholly_above():
    assert Interval(3, 2, 4).above(Interval(1, 0, 1.9))
    assert not Interval(3, 2, 4).above(Interval(1, 0, 2))


def test_a_performance_profile_is_the_tail_of_the_scores():
    scores, levels = np.array([3.0, 1.0, 2.0, 5.0]), np.linspace(0, 6, 25)
    point, low, high = performance_profile([scores], levels)
    np.testing.assert_array_equal(point, [(scores > level).mean() for level in levels])
    assert np.all(np.diff(point) <= 0) and np.all(low <= point) and np.all(point <= high)
    assert (low[0], high[-1]) == (1.0, 0.0)  # what no resample can change


def test_tasks_have_one_weight_in_a_profile_and_seeds_stay_in_their_task():
    few, many = np.array([0.0, 1.0]), np.full(6, 9.0)
    point, low, high = performance_profile([few, many], np.array([0.5]))
    assert (point[0], low[0], high[0]) == (0.75, 0.5, 1.0)
