"""Profiles: scores as they are in one environment, normalized in several."""

import numpy as np
import pytest

from coterie.errors import RunError
from coterie.report.curve import Curve
from coterie.report.profile import profiles


def curve(label, *ends, env="x", lower=False):
    values = np.stack([np.zeros(len(ends)), ends], axis=1)
    return Curve(label, np.arange(2), values, env=env, lower_is_better=lower)


def at(line, score):
    return float(line.band.point[np.searchsorted(line.steps, score)])


def test_in_one_environment_scores_are_what_they_are():
    profile = profiles([curve("a", 1, 2, 3, 4), curve("b", 5, 5, 5, 5)])
    a, b = profile.lines
    assert (profile.side, profile.normalized, profile.envs) == ("above", False, ("x",))
    assert [at(a, score) for score in (0.95, 1.5, 2.5, 4.5)] == [1, 0.75, 0.5, 0]
    assert at(b, 4.9) == 1 and b.seeds == 4 and "4 seeds" in b.measure


def test_where_lower_is_better_the_share_lies_below():
    profile = profiles([curve("a", 1, 2, 3, 4, lower=True)])
    (line,) = profile.lines
    assert profile.side == "below" and np.all(np.diff(line.steps) > 0)
    assert [at(line, score) for score in (0.95, 1.5, 2.5, 4.05)] == [0, 0.25, 0.5, 1]
    assert np.all(line.band.low <= line.band.high)


def test_several_environments_are_normalized_and_better_is_always_higher():
    told = [curve("a", 0, 100, env="big"), curve("b", 50, 50, env="big")]
    told += [curve("a", 1, 1, env="small"), curve("b", 2, 3, env="small")]
    up = profiles(told)
    a, b = up.lines
    assert up.normalized and up.envs == ("big", "small")
    assert (at(a, 0.25), at(a, 0.75), at(b, 0.25), at(b, 0.75)) == (0.25, 0.25, 1.0, 0.25)
    down = [Curve(c.label, c.steps, -c.values, env=c.env, lower_is_better=True) for c in told]
    np.testing.assert_allclose(profiles(down).lines[0].band, a.band)
    assert profiles(down).side == "above"


def test_a_profile_needs_every_method_everywhere():
    with pytest.raises(RunError, match="b was not trained on small: a profile needs every method"):
        profiles([curve("a", 1, env="big"), curve("b", 1, env="big"), curve("a", 1, env="small")])
    with pytest.raises(RunError, match="no curve"):
        profiles([])
