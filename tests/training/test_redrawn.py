"""An environment that is drawn anew for every seed."""

import dataclasses

import numpy as np
import pytest

from coterie.envs.finite.random import RandomMDP, StochasticGame
from coterie.errors import ConfigError
from coterie.results import score
from tests.runs import SETTINGS, policies, trained

ENV = RandomMDP(states=4, agents=2, actions=2, instance=5)


METHODS = [
    "dpo",
    *(pytest.param(m, marks=pytest.mark.deep) for m in ("li-jia-tabular", "central-q")),
]


@pytest.fixture(scope="module", params=METHODS)
def both(request, tmp_path_factory):
    """Two seeds, each in an environment of its own, and the second one in that environment alone.

    Tables advance as one batch of seeds, networks seed by seed, a centre as one agent.
    """
    folder = tmp_path_factory.mktemp("redrawn")
    redrawn, again = dataclasses.replace(ENV, redrawn=True), dataclasses.replace(ENV, instance=6)
    pair = dataclasses.replace(SETTINGS, seeds=2)
    alone = dataclasses.replace(SETTINGS, seed=1)
    return (
        trained(folder / "pair", request.param, redrawn, pair),
        trained(folder / "alone", request.param, again, alone),
    )


def test_a_seed_plays_the_instance_that_its_number_draws(both):
    pair, alone = both
    assert policies(pair, 1) == policies(alone, 1)
    assert pair.evaluations(1).read_bytes() == alone.evaluations(1).read_bytes()


def test_it_is_scored_in_that_instance(both):
    pair, alone = both
    assert np.array_equal(score(pair, 1, 8).returns, score(alone, 1, 8).returns)
    assert not np.array_equal(score(pair, 0, 8).returns, score(pair, 1, 8).returns)


def test_a_large_game_is_not_redrawn():
    with pytest.raises(ConfigError, match="too large to be redrawn for every seed"):
        StochasticGame(redrawn=True)
