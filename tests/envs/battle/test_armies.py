"""Armies that learn, play trained ones, and are carried over to larger battles."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.api import evaluate
from coterie.cli import main
from coterie.envs import Battle, Spread
from coterie.envs.battle.frozen import opponent_of
from coterie.envs.battle.opponents import Front
from coterie.envs.battle.views import look
from coterie.envs.game import Vectorized
from coterie.errors import ConfigError
from coterie.internal import memory
from coterie.network import unstack
from coterie.results import carried_team, trained_team
from coterie.training.run import open_run
from coterie.types import Observation
from tests.runs import finished, refused

SELF_PLAY = Battle(map_size=12, both_armies=True, time_limit=5)
AGAINST = {"map_size": 12, "time_limit": 5}


@pytest.fixture(scope="module")
def run():
    return finished("ippo", SELF_PLAY)


def sharper(policies):
    """Policies that are far from uniform, where fresh ones are close to it."""
    return dataclasses.replace(policies, head=jax.tree.map(lambda x: 300 * x, policies.head))


def test_a_frozen_army_plays_the_runs_policies_in_turn(run):
    env = Battle(opponent=str(run.folder))
    opponent = opponent_of(str(run.folder), env.army, env.shape)
    state, _ = env.reset(jax.random.key(0))
    view = look(env.field, state.units, slice(env.army, None))
    front = Front(env.field, state.units, view)
    policies = sharper(trained_team(run, run.seeds[0]))
    shape = jax.eval_shape(lambda team: jax.tree.map(lambda x: x[0], team), policies)
    counts = jax.vmap(lambda key: opponent.act(sharper(opponent.constants), front, (), key)[0])(
        jax.random.split(jax.random.key(1), 400)
    )
    shares = jax.nn.one_hot(counts, 21).mean(axis=0)
    for unit in range(env.army):
        policy = unstack(policies, unit % len(SELF_PLAY.specs), shape)
        choices, _ = policy.step(Observation(view[unit].ravel()), ())
        expected = jnp.exp(jax.vmap(choices.log_prob)(jnp.arange(21)))
        np.testing.assert_allclose(shares[unit], expected, atol=0.09)


def test_its_weights_are_an_argument_of_the_program(run):
    vector = Battle(opponent=str(run.folder), **AGAINST).vectorize(2)
    assert isinstance(vector, Vectorized)
    halved = jax.tree.map(lambda x: x * 0.5, vector.constants)
    given = vector.with_constants(halved).constants
    np.testing.assert_array_equal(jax.tree.leaves(given)[0], jax.tree.leaves(halved)[0])
    assert len(jax.tree.leaves(vector.constants)) > 2


def test_in_a_larger_battle_agent_i_plays_policy_i_mod_n(run):
    larger = Battle(map_size=20, both_armies=True)
    team, carried = trained_team(run, 0), carried_team(run, 0, larger)
    own, count = jax.tree.leaves(team), len(SELF_PLAY.specs)
    for mine, theirs in zip(own, jax.tree.leaves(carried), strict=True):
        np.testing.assert_array_equal(theirs, mine[np.arange(len(larger.specs)) % count])


@pytest.mark.deep
def test_evaluations_are_in_the_environment_that_is_named(run, capsys):
    larger = Battle(map_size=20, both_armies=True, time_limit=3)
    (scores,) = evaluate(run.folder, 2, env=larger).values()
    assert scores.returns.shape == (2, len(larger.specs)) and (scores.lengths == 3).all()
    words = ["evaluate", str(run.folder), "--episodes", "1", "--env.time-limit", "4", "--json"]
    main(words)
    assert '"length": 4.0' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--env.last-action"],
            "sees [13, 13, 5] and has 21 actions, and agent-0 would see [13, 13, 27]",
        ),
        (["--env.mapsize", "20"], "did you mean --env.map-size"),
        (["--env.map-size", "9"], "between 12 and 500"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(run, monkeypatch, tmp_path, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(["evaluate", str(run.folder), *words])


@pytest.mark.parametrize(
    ("method", "remedy"),
    [("ippo", "lower --map-size."), ("iql", "lower --buffer-size or --map-size.")],
)
def test_a_battle_that_is_too_large_names_the_options_that_there_are(
    monkeypatch, tmp_path, method, remedy
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "available", lambda: 10**6)
    sentence = refused(["train", method, "battle", "--num-envs", "4"])
    assert sentence.startswith("what 12 agents learn and remember would take")
    assert sentence.endswith(f"are available: {remedy}")


@pytest.mark.deep
def test_another_games_policies_are_no_opponent_and_play_no_other_game():
    other = finished("ippo", Spread(agents=2))
    with pytest.raises(ConfigError, match=r"have 5 actions, as spread has them.*13, 13, 5.*21"):
        Battle(opponent=str(other.folder))
    with pytest.raises(ConfigError, match="agent-0 would see"):
        evaluate(other.folder, 1, env=Spread(agents=3))
    assert open_run(other.folder).env == Spread(agents=2)
