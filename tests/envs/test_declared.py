"""Arguments of somebody else's environment that its code does not declare."""

from typing import Literal

import pytest

from coterie import check_env
from coterie.envs.host.factory import called
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import EnvError


class World:
    """An environment that takes anything in silence, but says what it is meant to take."""

    metadata = {"render_modes": ["human"]}  # noqa: RUF012 (as libraries have it)
    closed = False

    def __init__(
        self,
        max_cycles: int = 25,
        flag=False,
        share: float = 0.5,
        map: Literal["small", "large"] = "small",
        label: "str | None" = None,
        size: int = 0.5,  # pyright: ignore
        render_mode=None,
        **rest,
    ):
        self.unwrapped = self

    def close(self):
        World.closed = True


def make(**options):
    return World(**options)


def sized(map: int = 3, **options):
    return World(**options)


WRONG = {
    "no step": ({"max_cycles": 0}, "an episode has at least 1 step, and 25 by default"),
    "backwards": ({"max_cycles": -1}, "an episode has at least 1 step, and 25 by default"),
    "a text for a number": ({"max_cycles": "x"}, "it is declared as int, 25 by default"),
    "a number for a flag": ({"flag": 5}, "it is declared as bool, False by default"),
    "a word for a flag": ({"flag": "true"}, "it is declared as bool, False by default"),
    "a flag for a number": ({"share": True}, "it is declared as float, 0.5 by default"),
    "no choice": ({"map": "huge"}, r"declared as Literal\['small', 'large'\], 'small' by default"),
    "a number for a text": ({"label": 3}, r"it is declared as str \| None, None by default"),
    "no mode": ({"render_mode": "x"}, "its render_modes are human"),
}
RIGHT = (
    *({"max_cycles": 1}, {"flag": 1}, {"flag": True}, {"share": 1}, {"map": "large"}, {"size": 2}),
    *(
        {"label": None},
        {"label": "x"},
        {"render_mode": "human"},
        {"render_mode": None},
        {"more": 0},
    ),
    *({"size": 0.25}, {}),
)


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_declared_is_refused(case):
    given, why = WRONG[case]
    World.closed = False
    with pytest.raises(EnvError, match=rf"^world: {next(iter(given))}=.*, but .*{why}; a function"):
        called("world", make, given)
    assert World.closed


@pytest.mark.parametrize("given", RIGHT, ids=str)
def test_what_is_declared_or_unknown_is_passed_on(given):
    assert isinstance(called("world", make, given), World)


def test_the_function_that_is_called_speaks_before_the_class():
    assert isinstance(called("world", sized, {"map": 4}), World)
    with pytest.raises(EnvError, match="declared as int, 3 by default"):
        called("world", sized, {"map": "large"})


def test_what_coterie_adds_is_no_mistake_of_the_user():
    assert isinstance(called("world", make, {}, render_mode="rgb_array"), World)


@pytest.mark.parametrize("given", ["max_cycles=0", "render_mode=x", "continuous_actions=5"])
def test_mpe2_takes_nothing_in_silence(given):
    (sentence,) = check_env(PettingZooEnv("mpe2.simple_spread_v3", (given,)))
    assert sentence.startswith(f"mpe2.simple_spread_v3: {given.partition('=')[0]}=")
