"""Tables that are no environment are refused, each mistake in one sentence."""

import numpy as np
import pytest

from coterie.envs import Tables
from coterie.errors import EnvError

COIN = np.full((2, 3, 2), 0.5)
PAID = np.zeros((2, 3, 1))
HEADS = np.array([1.0, 0.0])


def with_entry(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


def test_good_tables_pass_and_are_not_copied():
    tables = Tables(COIN, PAID, (3,), HEADS)
    assert tables.checked() is tables
    assert tables.states == 2
    rounded = Tables(COIN.astype(np.float32) * np.float32(1 + 5e-6), PAID, (3,), HEADS)
    assert rounded.checked() is rounded


def test_the_team_is_paid_the_mean_in_double_precision():
    reward = np.stack([np.full((2, 3), 1e8), np.full((2, 3), 1.0)], axis=-1).astype(np.float32)
    team = Tables(COIN, reward, (3, 1), HEADS).team_reward
    assert team.dtype == np.float64
    np.testing.assert_array_equal(team, 50_000_000.5)


FAULTS = {
    "rows that do not sum to one": (
        {"transition": with_entry(COIN, (1, 2), 0.6)},
        "the probabilities of what follows state 1 under joint action 2 sum to 1.2, not 1: divide "
        "each row by its sum.",
    ),
    "negative": (
        {"transition": with_entry(COIN, (0, 1), (-0.25, 1.25))},
        "probabilities must be at least 0, not -0.25: look for a sign or a missing entry.",
    ),
    "missing probabilities": (
        {"transition": with_entry(COIN, (0, 1, 0), np.nan)},
        "probabilities must be at least 0, not nan: look for a sign or a missing entry.",
    ),
    "missing rewards": (
        {"reward": with_entry(PAID, (1, 2, 0), np.nan)},
        "the reward at (state, joint action, agent) (1, 2, 0) is not finite: look for a division "
        "by 0 or a missing entry.",
    ),
    "infinite rewards": (
        {"reward": with_entry(PAID, (0, 1, 0), np.inf)},
        "the reward at (state, joint action, agent) (0, 1, 0) is not finite: look for a division "
        "by 0 or a missing entry.",
    ),
    "more actions than the table holds": (
        {"actions": (4,)},
        "the table holds 3 joint actions, but 1 agents with 4 actions have 4: give it one for "
        "each.",
    ),
    "more agents than the table holds": (
        {"actions": (3, 2), "reward": np.zeros((2, 3, 2))},
        "the table holds 3 joint actions, but 2 agents with 3 x 2 actions have 6: give it one for "
        "each.",
    ),
    "rewards for others": (
        {"reward": np.zeros((2, 3))},
        "reward must be [states, joint actions, agents], [2, 3, 1], not [2, 3]: a team's reward is "
        "given to each of its agents.",
    ),
    "no square": (
        {"transition": np.full((2, 3, 4), 0.25)},
        "transition must be [states, joint actions, states], not [2, 3, 4].",
    ),
    "no table": (
        {"transition": np.eye(2)},
        "transition must be [states, joint actions, states], not [2, 2].",
    ),
    "nowhere to start": (
        {"start": np.array([0.5, 0.25])},
        "start needs 2 probabilities that sum to 1, not [2] that sum to 0.75.",
    ),
    "starts elsewhere": (
        {"start": np.array([0.5, 0.25, 0.25])},
        "start needs 2 probabilities that sum to 1, not [3] that sum to 1.",
    ),
    "starts less than never": (
        {"start": np.array([2.0, -1.0])},
        "probabilities must be at least 0, not -1: look for a sign or a missing entry.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mistake_gets_its_sentence(fault):
    change, sentence = FAULTS[fault]
    parts = {"transition": COIN, "reward": PAID, "actions": (3,), "start": HEADS} | change
    with pytest.raises(EnvError) as refused:
        Tables(**parts).checked()
    assert str(refused.value) == sentence
