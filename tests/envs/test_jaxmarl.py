"""JaxMARL's environments are played as they are, shown by a small library with its interface."""

import sys
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.check import check_env
from coterie.envs.jaxmarl import JaxMARLEnv
from coterie.errors import ConfigError, EnvError
from coterie.internal import extras
from coterie.types import AgentSpec, Box, Discrete
from tests.runs import refused

GOAL = 3
SEED = 1  # of an episode that begins otherwise than another one of the check's
INSTALLED = SimpleNamespace(read_text=lambda name: None)


def number(n):
    return SimpleNamespace(n=n, shape=())


def vector(low, high, shape):
    return SimpleNamespace(low=low, high=high, shape=shape)


ACTIONS = {
    "numbers": (number(2), number(3)),
    "vectors": (vector(0.0, 2.0, (1,)), vector(-1.0, np.ones((2, 1)), (2, 1))),
    "mixed": (number(2), vector(-1.0, 1.0, (2, 1))),
    "several": (number(2), SimpleNamespace(shape=(2,))),
    "boundless": (vector(0.0, np.inf, (1,)),) * 2,
}


class World(NamedTuple):
    total: jax.Array
    step: jax.Array


class Pair:
    """Two agents count to a goal; one of them sees and can do more."""

    agents = ("scout", "boss")

    def __init__(self, max_steps=4, actions="numbers"):
        print("made")
        self.max_steps = max_steps
        self.spaces = dict(zip(self.agents, ACTIONS[actions], strict=True))

    def action_space(self, agent):
        return self.spaces[agent]

    def reset(self, key):
        world = World(jax.random.randint(key, (), 0, 2), jnp.zeros((), jnp.int32))
        return self.seen(world), world

    def step(self, key, state, actions):
        raise AssertionError("step begins the next episode by itself")

    def step_env(self, key, state, actions):
        scout, boss = (jnp.sum(actions[agent]) for agent in self.agents)
        world = World(state.total + (scout + boss).astype(jnp.int32), state.step + 1)
        limit = False if self.max_steps is None else world.step >= self.max_steps
        over = (world.total >= GOAL) | limit
        done = {"scout": world.total > 0, "boss": over, "__all__": over.astype(jnp.int32)}
        reward = {"scout": scout, "boss": -boss}
        info = {"total": world.total, "each": reward, "map": "small", "wide": jnp.zeros(3)}
        return self.seen(world), world, reward, done, info

    def seen(self, world):
        both = jnp.stack([world.total, world.step])
        return {"boss": both, "scout": both[:1], "world_state": both}

    def get_avail_actions(self, state):
        odd = state.total % 2
        return {"scout": jnp.array([0, 0]), "boss": jnp.stack([1, 1 - odd, odd])}

    def get_world_state(self, state):
        return jnp.stack([state.total, state.step, state.total])


class Open(Pair):
    """The same, where everything is always possible, and nothing known of the world."""

    get_world_state = None

    def get_avail_actions(self, state):
        raise NotImplementedError


class Stray(Pair):
    agents = (0, 1)


KINDS = {"Pair_v0": Pair, "Open_v0": Open, "Stray_v0": Stray}


@pytest.fixture(autouse=True)
def library(monkeypatch):
    library = ModuleType("jaxmarl")
    vars(library).update(registered_envs=list(KINDS), make=lambda name, **o: KINDS[name](**o))
    monkeypatch.setitem(sys.modules, "jaxmarl", library)


def play(env, *actions, seed=0):
    """The last time step, and the state that it led to."""
    state, timestep = env.reset(jax.random.key(seed))[0], None
    for action in actions:
        state, timestep = env.step(state, jnp.asarray(action))
    return timestep, state


def test_agents_have_their_own_sizes():
    env = JaxMARLEnv("Pair_v0")
    assert env.names == ("scout", "boss")
    assert env.specs == (AgentSpec(1, Discrete(2)), AgentSpec(2, Discrete(3)))


def test_a_step_is_the_librarys_own():
    timestep, state = play(JaxMARLEnv("Pair_v0"), [1, 0], [0, 1])
    total = int(state.world.total)
    assert timestep.view.observation.tolist() == [[total, 0.0], [total, 2.0]]
    assert timestep.reward.tolist() == [0.0, -1.0]
    assert {name: value.tolist() for name, value in timestep.info.items()} == {
        "total": total,
        "each": [0.0, -1.0],
    }


def test_masks_are_padded_and_leave_something_to_do():
    timestep, state = play(JaxMARLEnv("Pair_v0"), [0, 1])
    odd = bool(state.world.total % 2)
    assert timestep.view.action_mask.tolist() == [[True, True, False], [True, not odd, odd]]
    view = play(JaxMARLEnv("Open_v0"), [0, 1])[0].view
    assert view.action_mask.tolist() == [[True, True, False], [True, True, True]]


def test_time_limits_are_not_endings():
    idle = [[0, 0]] * 4
    timestep, _ = play(JaxMARLEnv("Pair_v0"), *idle[:3])
    assert not timestep.terminated.any() and not timestep.truncated.any()
    timestep, _ = play(JaxMARLEnv("Pair_v0"), *idle)
    assert timestep.truncated.all() and not timestep.terminated.any()
    timestep, _ = play(JaxMARLEnv("Pair_v0"), [1, 2])
    assert timestep.terminated.all() and not timestep.truncated.any()
    timestep, _ = play(JaxMARLEnv("Pair_v0", ("max_steps=None",)), [1, 2])
    assert timestep.terminated.all() and not timestep.truncated.any()


def test_agents_that_are_out_play_until_all_are():
    timestep, state = play(JaxMARLEnv("Pair_v0"), [1, 0])
    assert 0 < state.world.total < GOAL and not timestep.terminated.any()
    assert timestep.view.alive is None


def test_the_global_state_is_the_librarys_or_all_observations():
    for name, length in (("Pair_v0", 3), ("Open_v0", 4)):
        env = JaxMARLEnv(name)
        state, view = env.reset(jax.random.key(0))
        assert env.global_state(state, view).shape == (length,)


def test_vectors_are_given_in_the_shape_of_their_space():
    env = JaxMARLEnv("Pair_v0", ("actions=vectors",))
    assert [spec.action for spec in env.specs] == [
        Box(1, (0.0,), (2.0,)),
        Box(2, (-1.0, -1.0), (1.0, 1.0)),
    ]
    timestep, _ = play(env, [[2.0, 9.0], [0.5, 0.25]])
    assert timestep.reward.tolist() == [2.0, -0.75]


def test_teams_may_be_mixed():
    timestep, _ = play(JaxMARLEnv("Pair_v0", ("actions=mixed",)), [[1.0, 9.0], [0.5, 0.25]])
    assert timestep.reward.tolist() == [1.0, -0.75]


def test_a_team_passes_all_checks():
    assert check_env(JaxMARLEnv("Pair_v0"), seed=SEED) == []


def test_nothing_is_printed_and_nothing_leaks_when_it_is_made_in_a_trace(capfd):
    seen = jax.eval_shape(JaxMARLEnv("Pair_v0", ("max_steps=5",)).reset, jax.random.key(0))
    assert seen[1].observation.shape == (2, 2)
    assert capfd.readouterr() == ("", "")


WRONG = {
    "name": ("Pear_v0", (), "JaxMARL has no environment 'Pear_v0': did you mean 'Pair_v0'"),
    "argument": ("Pair_v0", ("colour=1",), r"Pair_v0\(colour=1\) failed: TypeError: .*colour"),
    "space": ("Pair_v0", ("actions=several",), "'boss' acts by .*, which is neither Discrete nor"),
    "bounds": ("Pair_v0", ("actions=boundless",), "'scout' acts by numbers from 0.0 to inf"),
    "agents": ("Stray_v0", (), "names its agents 0, 1, but gives observations for boss, scout"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_played_gets_a_sentence(case):
    name, options, sentence = WRONG[case]
    with pytest.raises(EnvError, match=sentence) as refusal:
        _ = JaxMARLEnv(name, options).specs
    assert check_env(JaxMARLEnv(name, options)) == [str(refusal.value)]


def test_arguments_are_checked_at_once():
    with pytest.raises(ConfigError, match="options are name=value, each name once, not 'a=1 a=2'"):
        JaxMARLEnv("Pair_v0", ("a=1", "a=2"))


def test_an_absent_library_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "jaxmarl", None)
    monkeypatch.setattr(extras, "distribution", lambda name: INSTALLED)
    with pytest.raises(EnvError, match=r"needs jaxmarl, which is not installed: pip install"):
        _ = JaxMARLEnv("Absent_v0").specs
    assert "jaxmarl:... needs jaxmarl" in refused(["train", "ippo", "jaxmarl:Absent_v0"])


def test_the_real_library_is_played_step_by_step(monkeypatch):
    monkeypatch.delitem(sys.modules, "jaxmarl")
    real = pytest.importorskip("jaxmarl").make("MPE_simple_spread_v3")
    env, actions = JaxMARLEnv("MPE_simple_spread_v3", ("local_ratio=0.5",)), [3, 0, 1]
    state, _ = env.reset(jax.random.key(3))
    now, later = jax.random.split(jax.random.key(3))
    seen, world = real.reset(jax.random.key_data(now))
    for _ in range(26):
        now, later = jax.random.split(later)
        told = dict(zip(real.agents, jnp.array(actions), strict=True))
        seen, world, reward, done, _ = real.step_env(jax.random.key_data(now), world, told)
        state, timestep = env.step(state, jnp.array(actions))
    np.testing.assert_array_equal(timestep.view.observation, [seen[a] for a in real.agents])
    np.testing.assert_array_equal(timestep.reward, [reward[a] for a in real.agents])
    assert bool(done["__all__"]) and timestep.truncated.all()
