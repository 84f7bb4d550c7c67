"""Gymnasium's environments are teams: of one, or of as many as their Tuple spaces have parts."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.check import check_env
from coterie.envs.gymnasium import GymnasiumEnv
from coterie.errors import ConfigError, EnvError
from coterie.internal.gymnasium_team import make
from coterie.types import AgentSpec, Box, Discrete
from tests.runs import refused

PAIR = "gym_pairs:Pair-v0"


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def play(env, *actions):
    """The last step of a team that plays these actions."""
    told = env.reset(seed=0)
    for action in actions:
        told = env.step(dict(zip(env.possible_agents, action, strict=True)))
    return told


def test_a_tuple_is_a_team():
    env = GymnasiumEnv(PAIR)
    assert env.specs == (AgentSpec(1, Discrete(2)), AgentSpec(2, Discrete(3)))
    assert env.names == ("agent-0", "agent-1")
    assert check_env(env) == []


def test_anything_else_is_a_team_of_one():
    env = GymnasiumEnv("CartPole-v1")
    assert env.specs == (AgentSpec(4, Discrete(2)),)
    assert check_env(env) == []
    assert isinstance(GymnasiumEnv("Pendulum-v1").specs[0].action, Box)


def test_rewards_and_flags_are_dealt_to_the_agents():
    env = make(PAIR)
    _, reward, ended, cut, _ = play(env, (1, 2))
    assert reward == {"agent-0": 1.0, "agent-1": -2.0}
    assert env.agents and not any(ended.values()) and not any(cut.values())
    _, _, ended, cut, _ = play(env, *[(1, 2)] * 3)
    assert not env.agents and all(ended.values()) and not any(cut.values())
    _, _, ended, cut, _ = play(env, *[(0, 0)] * 5)
    assert not env.agents and all(cut.values()) and not any(ended.values())


def test_an_episode_that_is_over_for_one_is_over_for_all():
    env = make(PAIR, separate=True)
    _, _, ended, cut, _ = play(env, *[(1, 2)] * 3)
    assert not env.agents
    assert ended == {"agent-0": True, "agent-1": False}
    assert cut == {"agent-0": False, "agent-1": True}


def test_workers_play_it_as_it_is():
    vector = GymnasiumEnv(PAIR, workers=1).vectorize(2)
    keys = jax.random.split(jax.random.key(0))
    state, view = vector.reset(keys[0])
    _, timestep, _ = vector.step(state, jnp.array([[1, 2], [0, 1]]), keys[1])
    np.testing.assert_array_equal(timestep.reward, [[1, -2], [0, -1]])
    seen = np.asarray(view.observation)[:, 0, 0] + [3, 1]
    np.testing.assert_array_equal(timestep.view.observation[:, 0, 0], seen)
    vector.close(state)


def test_workers_import_no_jax_for_it():
    lines = "import sys, coterie.internal.gymnasium_team; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", lines], check=False).returncode == 0


WRONG = {
    "id": ("CartPol-v1", (), "Gymnasium has no environment 'CartPol-v1': did you mean 'CartPole-v"),
    "id of a module": ("gym_pairs:Pear-v0", (), "no environment 'Pear-v0': did you mean 'Pair-v0'"),
    "module": ("no_pairs:Pair-v0", (), "gymnasium:no_pairs:Pair-v0 needs no_pairs, which is not"),
    "argument": (PAIR, ("colour=1",), r"colour=1\) failed: TypeError: .*; --env-kwargs are its"),
    "parts": (PAIR, ("actions=1",), "observations have 2 parts and actions 1: a team has one of"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_played_gets_a_sentence(case):
    name, options, sentence = WRONG[case]
    with pytest.raises(EnvError, match=sentence):
        _ = GymnasiumEnv(name, options).specs
    assert len(check_env(GymnasiumEnv(name, options))) == 1


def test_the_id_is_no_option():
    with pytest.raises(ConfigError, match="each name once"):
        GymnasiumEnv("CartPole-v1", ("id=os:system",))
    assert "each name once" in refused(
        ["train", "ippo", "gymnasium:CartPole-v1", "--env-kwargs", "id=x"]
    )
