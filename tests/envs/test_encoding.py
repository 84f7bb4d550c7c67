"""Encodings of spaces: the numbers of Gymnasium's own `flatten`, places in errors, and actions."""

import json

import numpy as np
import pytest
from gymnasium import spaces

from coterie.encoding import Encoding, encoded
from coterie.envs.host.encodings import acted_by, encoding_of, observed
from coterie.internal import typed

F = np.float32
SPACES = {
    "box": spaces.Box(-1, 1, (2, 3), F),
    "scalar": spaces.Box(-1, 1, (), F),
    "empty": spaces.Box(-1, 1, (0,), F),
    "image": spaces.Box(0, 255, (4, 4, 3), np.uint8),
    "discrete": spaces.Discrete(4, start=1),
    "multi-discrete": spaces.MultiDiscrete([[3, 2], [2, 4]], start=[[1, 0], [0, 2]]),
    "multi-binary": spaces.MultiBinary((2, 2)),
    "text": spaces.Text(5, charset="xyz"),
    "tuple": spaces.Tuple((spaces.Box(-1, 1, (2,), F), spaces.Discrete(3))),
    "nested": spaces.Dict(
        {
            "z": spaces.MultiBinary(3),
            "a": spaces.Dict({"y": spaces.Tuple((spaces.Box(-1, 1, (2, 2), F),))}),
        }
    ),
    "one of": spaces.OneOf((spaces.Box(-1, 1, (3,), F), spaces.Discrete(2))),
}


@pytest.mark.parametrize("name", SPACES)
def test_the_numbers_are_those_of_flatten(name):
    space = SPACES[name]
    space.seed(0)
    encoding = encoding_of(space)
    assert encoding.size == spaces.flatdim(space)
    for _ in range(20):
        value = space.sample()
        flat = np.asarray(spaces.flatten(space, value), F) / (255 if name == "image" else 1)
        np.testing.assert_array_equal(encoded(encoding, value), flat)


@pytest.mark.parametrize("name", SPACES)
def test_an_encoding_survives_json(name):
    encoding = encoding_of(SPACES[name])
    told = json.loads(json.dumps(typed.describe(encoding)))
    assert typed.read(told, Encoding, "it") == encoding


GOAL = {
    "me": spaces.Discrete(3, start=2),
    "goal": spaces.Box(-1, 1, (2, 2), F),
    "row": spaces.Tuple((spaces.MultiDiscrete([2, 3]), spaces.Text(2, charset="ab"))),
}
GIVEN = {"me": 3, "goal": np.zeros((2, 2)), "row": ([0, 1], "a")}
FAULTS = {
    "nan": ({"goal": [[0, 0], [0, np.nan]]}, r"observation\['goal'\]\[1\]\[1\] is nan"),
    "too large for float32": ({"goal": [[1e300, 0], [0, 0]]}, r"\['goal'\]\[0\]\[0\] is inf"),
    "a shape": ({"goal": [0, 0]}, r"\['goal'\] has shape \(2,\), not \(2, 2\)"),
    "words": ({"goal": "hello"}, r"\['goal'\] is 'hello', which holds no numbers"),
    "out of range": ({"me": 5}, r"\['me'\] is 5, not one of the numbers 2 to 4"),
    "half": ({"me": 2.5}, r"\['me'\] is 2.5, not one"),
    "a choice": ({"row": ([0, 3], "a")}, r"\['row'\]\[0\]\[1\] is 3.0, not one of the numbers 0"),
    "a letter": ({"row": ([0, 0], "c")}, r"\['row'\]\[1\] is 'c', not at most 2 known letters"),
    "a part less": ({"row": ([0, 0],)}, r"\['row'\] is .*, not a tuple of 2"),
    "no dict": (None, r"observation is list, not a dict of 'goal', 'me', 'row'"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_does_not_fit_is_named_with_its_place(case):
    change, sentence = FAULTS[case]
    given = [] if change is None else {**GIVEN, **change}
    with pytest.raises(ValueError, match=sentence):
        encoded(encoding_of(spaces.Dict(GOAL)), given)
    with pytest.raises(ValueError, match="has no 'goal'"):
        encoded(encoding_of(spaces.Dict(GOAL)), {"me": 3})


def test_a_mask_is_not_perceived():
    space = spaces.Dict({"action_mask": spaces.MultiBinary(2), "seen": spaces.Discrete(2)})
    encoding = observed("a", space)
    assert encoded(encoding, {"seen": 1, "action_mask": [1, 1]}).tolist() == [0.0, 1.0]


ACTIONS = {
    "discrete": (spaces.Discrete(3, start=1), 2, 3),
    "box": (spaces.Box(0, 1, (1, 2), F), np.array([0.5, 9]), [[0.5, 1]]),
    "choices": (spaces.MultiDiscrete([3, 2], start=[1, 0]), 5, [3, 1]),
    "a table": (spaces.MultiDiscrete([[3, 2]], start=[[1, 0]]), 5, [[3, 1]]),
    "switches": (spaces.MultiBinary(3), 6, [1, 1, 0]),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_actions_are_of_their_space(case):
    space, chosen, expected = ACTIONS[case]
    action = acted_by("a", space).decode(chosen)
    assert space.contains(action)
    np.testing.assert_array_equal(action, expected)


FORGED = {
    "a kind of another module": {"kind": "os:system"},
    "text for a number": {"kind": "Choice", "count": "3", "start": 0},
    "true for a number": {"kind": "Choice", "count": True, "start": 0},
    "null": {"kind": "Choice", "count": None, "start": 0},
    "a field more": {"kind": "Choice", "count": 3, "start": 0, "x": 1},
    "a field less": {"kind": "Choice", "count": 3},
    "no dict": [1, 2],
    "too large": {"kind": "Choice", "count": 2**60, "start": 0},
    "too long a name": {"kind": "Fields", "keys": ["x" * 10**5], "parts": []},
    "nan": {"kind": "Numbers", "shape": [], "dtype": "f", "low": [float("nan")], "high": []},
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_description_is_refused_by_its_place(case):
    with pytest.raises(Exception, match=r"^it(\.\w+|\[\d\])* ") as refused:
        typed.read(FORGED[case], Encoding, "it")
    assert len(str(refused.value)) < 200
