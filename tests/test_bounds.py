"""Where numbers make sense, said by the fields themselves."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import F2A2SAC, IPPO
from coterie.bounds import Above, AtLeast, AtMost, Between, Finite, options_of, require_bounds
from coterie.catalogue import make_env
from coterie.envs import Spread
from coterie.errors import ConfigError

HOLDS = {
    AtLeast(1): ((1, 1.5, 1e300), (0.999, -1, math.inf, math.nan)),
    AtLeast(0, infinite=True): ((0, math.inf), (-1e-300, -math.inf, math.nan)),
    Above(0): ((math.ulp(0.0), 1), (0, -1, math.inf, math.nan)),
    Above(0, infinite=True): ((1, math.inf), (0, math.nan)),
    AtMost(0): ((0, -1e300), (1e-300, -math.inf, math.nan)),
    Between(0, 1): ((0, 0.5, 1), (-1e-9, 1.000001, math.inf, math.nan)),
    Between(0, 1, open=True): ((1e-9, 1), (0, 2, math.nan)),
    Finite(): ((0, -1e300, 7), (math.inf, -math.inf, math.nan)),
}


@pytest.mark.parametrize("bound", HOLDS, ids=repr)
def test_a_bound_holds_for_what_is_within_and_for_nothing_else(bound):
    within, beyond = HOLDS[bound]
    assert [value for value in within if not bound.holds(value)] == []
    assert [value for value in beyond if bound.holds(value)] == []


@dataclass(frozen=True)
class Rule:
    """One option of each kind."""

    count: Annotated[int, AtLeast(2, "try 3")] = 2
    rate: Annotated[float, Above(0)] = 0.1
    share: Annotated[float, Between(0, 1, open=True)] = 1
    limit: Annotated[float | None, AtMost(5)] = None
    other: Annotated[int, AtLeast(1)] | None = None
    free: float = 7.0
    endless: Annotated[float, Above(0, infinite=True)] = math.inf
    seed: int = -1
    long: Annotated[int, AtMost(10**15)] = 10**12
    widths: tuple[int, ...] = (8, 8)
    way: Literal["one", "two"] = "one"

    def __post_init__(self):
        require_bounds(self)


REFUSED = [
    ({"count": 1}, "count must be at least 2, not 1: try 3."),
    ({"count": 2.0}, "count must be a whole number, not 2.0: try 3."),
    ({"count": True}, "count must be a whole number, not True: try 3."),
    ({"count": None}, "count must be a whole number, not None: try 3."),
    ({"rate": 0}, "rate must be greater than 0, not 0."),
    ({"rate": "x"}, "rate must be a number, not 'x'."),
    ({"rate": math.nan}, "rate must be a number, not nan."),
    ({"rate": math.inf}, "rate must be a finite number, not inf."),
    ({"rate": 1e39}, "rate must be at most 3.4e+38 in size, as float32 is, not 1e+39."),
    ({"rate": 10**400}, "rate must be at most 3.4e+38 in size, as float32 is, not 1000"),
    ({"rate": False}, "rate must be a number, not False."),
    ({"share": 0.0}, "share must be greater than 0 and at most 1, not 0.0."),
    ({"limit": 5.5}, "limit must be at most 5, not 5.5."),
    ({"other": 0}, "other must be at least 1, not 0."),
    ({"free": math.nan}, "free must be a number, not nan."),
    ({"free": -math.inf}, "free must be a finite number, not -inf."),
    ({"limit": -math.inf}, "limit must be a finite number, not -inf."),
    ({"endless": -math.inf}, "endless must be greater than 0, not -inf."),
    ({"seed": 1.5}, "seed must be a whole number, not 1.5."),
    ({"seed": 2**31}, "seed must be at most 2,147,483,647 in size, not 2147483648."),
    ({"seed": -(2**31)}, "seed must be at most 2,147,483,647 in size, not -2147483648."),
    (
        {"seed": 10**5000},
        "seed must be at most 2,147,483,647 in size, not a number of 16,610 bits.",
    ),
    ({"long": 10**16}, "long must be at most 1,000,000,000,000,000, not 10000000000000000."),
    ({"widths": (8, 10**12)}, "widths must be at most 2,147,483,647 in size, not 1000000000000."),
    ({"way": "three"}, "way must be one of ('one', 'two'), not 'three'."),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_not_as_declared_gets_its_sentence(options, sentence):
    for make in (lambda: Rule(**options), lambda: replace(Rule(), **options)):
        with pytest.raises(ConfigError) as refused:
            make()
        assert str(refused.value).startswith(sentence)
        assert len(str(refused.value)) < 200


def test_what_is_as_declared_passes():
    Rule(count=3, rate=1, share=0.5, limit=-7.0, other=1, free=-1e9, way="two")
    Rule(endless=math.inf, long=10**15, seed=2**31 - 1)
    Rule(limit=None, other=None)


@dataclass(frozen=True)
class Warm(IPPO):
    """A user's method, with names that other methods have bounds for."""

    tau: float = -3.0
    penalty: int = 0
    clip_eps: float = -1.0


@dataclass(frozen=True)
class Careful(IPPO):
    """A user's method with a rule of its own between two fields."""

    least: Annotated[float, AtLeast(0)] = 0.1

    def __post_init__(self):
        super().__post_init__()
        if self.least > self.clip_eps:
            raise ConfigError(f"least must not be above clip, not {self.least}.")


def test_a_method_of_ones_own_has_the_bounds_that_it_declares_and_no_others():
    assert Warm(tau=-1.0, clip_eps=-2.0).clip_eps == -2.0
    with pytest.raises(ConfigError, match="actor_lr must be greater than 0, not -1"):
        Warm(actor_lr=-1.0)
    with pytest.raises(ConfigError, match="tau must be greater than 0 and at most 1, not -1"):
        F2A2SAC(tau=-1.0)
    with pytest.raises(ConfigError, match=r"epochs must be a whole number, not 2\.5"):
        Warm(epochs=2.5)


def test_a_check_of_ones_own_stands_beside_the_declared_ones():
    with pytest.raises(ConfigError, match="least must not be above clip"):
        Careful(least=0.3)
    with pytest.raises(ConfigError, match="least must be at least 0, not -1"):
        Careful(least=-1.0)


def test_an_array_in_the_place_of_a_number_passes():
    """So that values of a hyper-parameter can be tried side by side."""
    doubled = jax.jit(jax.vmap(lambda rate: 2 * Warm(actor_lr=rate).actor_lr))
    np.testing.assert_allclose(doubled(jnp.array([0.1, -1.0])), [0.2, -2.0])
    assert Rule(rate=jnp.float32(0.5)).rate == 0.5


def test_games_declare_theirs_in_the_same_way():
    with pytest.raises(ConfigError, match=r"^agents must be at least 1, not 0: try 3\.$"):
        Spread(agents=0)
    with pytest.raises(ConfigError, match=r"^draw must lie between 0 and 1, not 2\.0\.$"):
        make_env("commons", draw=2.0)


def test_bounds_are_read_once_for_a_class():
    assert options_of(Rule) is options_of(Rule)
