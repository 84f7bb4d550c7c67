"""What the off-policy methods have in common: how often steps are drawn, and targets of several."""

import dataclasses
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import F2A2DDPG, IQL, Trajectory
from coterie.algorithms.base.algorithm import ActionOnly
from coterie.algorithms.base.off_policy import Lookahead
from coterie.catalogue import ALGORITHMS
from coterie.centralized import MADDPG
from coterie.errors import ConfigError, CoterieWarning
from coterie.rl.models import GRU
from coterie.types import Observation
from tests.options import with_options

NO, YES = False, True
OFF_POLICY = [
    *("iddpg", "maddpg", "maac", "iql", "li-jia"),
    *("f2a2-ddpg", "f2a2-td3", "f2a2-sac", "f2a2-isac"),
]


def trajectory(terminated, truncated, over, there=None):
    """Five steps in one environment, seen and paid as they are numbered."""
    numbers = jnp.arange(5.0)[:, None]
    no = jnp.zeros((5, 1), bool)
    flags = (no.at[jnp.array(where, int)].set(YES) for where in (terminated, truncated, over))
    view, following = Observation(numbers[..., None]), Observation(1.0 + numbers[..., None])
    known = None if there is None else jnp.array(there)[:, None]
    return Trajectory(view, ActionOnly(no), numbers, *flags, following, (), there=known)


@pytest.mark.parametrize(
    "ends, steps, followed",
    [
        (([], [], []), [3, 3, 3, 2, 1], [1, 1, 1, 1, 1]),
        (([1], [], [1]), [2, 1, 3, 2, 1], [0, 0, 1, 1, 1]),
        (([], [1], [1]), [2, 1, 3, 2, 1], [1, 1, 1, 1, 1]),
        (([], [], [1]), [2, 1, 3, 2, 1], [1, 1, 1, 1, 1]),
    ],
    ids=["runs on", "terminated", "truncated", "over for all"],
)
def test_rewards_are_summed_as_far_as_the_episode_and_the_rollout_go(ends, steps, followed):
    ahead, numbers = Lookahead.of(trajectory(*ends), 0.5, 3), np.arange(5)
    sums = [sum(0.5**k * (t + k) for k in range(m)) for t, m in zip(numbers, steps, strict=True)]
    np.testing.assert_allclose(ahead.reward[:, 0], sums)
    np.testing.assert_allclose(ahead.discount[:, 0], 0.5 ** np.array(steps) * followed)
    np.testing.assert_array_equal(ahead.next_view.observation[:, 0, 0], numbers + steps)


def test_sums_end_for_all_at_once_when_somebody_leaves():
    """Everybody's next views, which one target looks at, are of one time."""
    both, alone = [YES, YES], [YES, NO]
    ahead = Lookahead.of(trajectory([], [], [], [both, both, alone, alone, alone]), 0.5, 9)
    assert ahead.next_view.observation[:, 0, 0].tolist() == [2, 2, 5, 5, 5]


def test_every_off_policy_method_says_how_often_a_step_is_drawn():
    for name, algorithm in ALGORITHMS.items():
        often = algorithm.samples_per_insert(64)
        assert (often is not None) == (name in OFF_POLICY), name
        if often is not None:
            assert often >= 1.0, name


@pytest.mark.parametrize("algorithm", [MADDPG(), F2A2DDPG(), IQL()], ids=["maddpg", "f2a2", "iql"])
def test_a_memory_that_is_hardly_read_is_told(algorithm):
    seldom = with_options(algorithm, updates_per_rollout=1, batch_size=32)
    often = seldom.samples_per_insert(128)
    sentence = f"a stored step is drawn {often:.2g} times, .* --updates-per-rollout from 1 to"
    with pytest.warns(CoterieWarning, match=sentence):
        seldom.check(128)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        algorithm.check(64)


def test_sums_that_no_rollout_holds_are_refused():
    for kind in (MADDPG, F2A2DDPG):
        with pytest.raises(ConfigError, match="n_step 6 is more than the 5 steps of a rollout"):
            kind(n_step=6, rollout_length=5)
    with pytest.raises(ConfigError, match="n_step 3 looks at a view before which"):
        dataclasses.replace(F2A2DDPG(n_step=3), actor=GRU())
