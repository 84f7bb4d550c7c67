"""Columns: known names have their words, and what is not known is read from its name."""

import pytest

from coterie.report.columns import KNOWN, column_of


@pytest.mark.parametrize(
    ("key", "label", "lower"),
    [
        ("episode_return", "Return (mean of agents)", False),
        ("episode_return/agent-0", "Return of agent-0", False),
        ("critic_loss/red team/1", "Critic loss red team 1", True),
        ("bytes", "Bytes sent by an agent (mean of agents)", True),
        ("episode_length", "Episode length (steps)", True),
        ("critic/consensus_error", "Consensus error of the critic", True),
        ("log_ratios/lost", "Lost messages of the log ratios (fraction)", True),
        ("opponent_model/accuracy", "Accuracy of the opponent models (mean of agents)", False),
        ("info/collisions", "Collisions", True),
        ("collisions", "Collisions", True),
        ("covered", "Covered", False),
        ("my_loss/agent-0", "My loss agent-0", True),
        ("", "", False),
        ("/", "/", False),
    ],
)
def test_a_column_has_a_label_and_a_direction(key, label, lower):
    assert (column_of(key).label, column_of(key).lower_is_better) == (label, lower)


def test_no_two_columns_share_a_label():
    assert len({column.label for column in KNOWN.values()}) == len(KNOWN)
