"""Maps, armies of one's own, and one sentence for each mistake."""

import pytest

from coterie.envs.skirmish import Skirmish
from coterie.errors import ConfigError
from tests.runs import refused

WRONG = {
    "map": ({"map": "2s4z"}, "unknown map '2s4z': did you mean '2s3z' or '3s_vs_4z'?"),
    "unit": ({"allies": ("marin=3",)}, "unknown unit 'marin': did you mean 'marine'?"),
    "none": ({"enemies": ("marine=0",)}, "enemies must be 1 to 200 units, not 0: try marine=8."),
    "many": (
        {"allies": ("marine=2000",)},
        "allies must be 1 to 200 units, not 2,000: try marine=8.",
    ),
    "words": (
        {"allies": ("3", "marines")},
        "allies are words kind=number, each kind once, such as marine=8 medivac=1, not "
        "'3 marines'.",
    ),
    "healers": (
        {"allies": ("medivac=2",)},
        "allies must have a unit that fights, and 2 of 2 only heal: add marine=1.",
    ),
    "room": (
        {"allies": ("zealot=60",), "size": (6.0, 6.0)},
        "60 against 5 units take up 52 cells, too much for a map of 6 x 6: try size 32 18.",
    ),
    "paid": ({"paid": (5,)}, "paid must be agents from 0 to 4, not (5,): try 0."),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_get_one_sentence(case):
    options, sentence = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        Skirmish(**options)
    assert str(caught.value) == sentence


def test_the_command_line_refuses_with_the_nearest_map(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "unknown map '2s3': did you mean '2s3z'" in refused(
        ["train", "ippo", "skirmish", "--map", "2s3"]
    )


def test_an_army_of_ones_own_replaces_the_maps():
    env = Skirmish("3m", enemies=("zealot=1", "marine=2"))
    assert env.names == ("marine-0", "marine-1", "marine-2")
    assert env.specs[0].action.size == 6 + 3 and env.limit == 60


def test_a_smaller_ground_holds_both_armies():
    env = Skirmish("3m", size=(12.0, 8.0))
    arena = env.battlefield.arena
    assert arena.size == (12.0, 8.0)
    for x, y in (arena.allies, arena.enemies):
        assert arena.low[0] < x < arena.high[0] and arena.low[1] < y < arena.high[1]
