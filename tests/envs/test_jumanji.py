"""Jumanji's environments are played as they are, shown by a small library with its interface."""

import sys
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.check import check_env
from coterie.envs.jumanji import JumanjiEnv
from coterie.errors import EnvError
from coterie.types import AgentSpec, Box, Discrete

GOAL = 3
SEED = 1  # of an episode that begins otherwise than another one of the check's


class Told(NamedTuple):
    observation: object
    reward: jax.Array
    discount: jax.Array
    over: jax.Array
    extras: dict

    def last(self):
        return self.over


class State(NamedTuple):
    total: jax.Array
    step_count: jax.Array


class Seen(NamedTuple):
    agents_view: jax.Array
    shared: dict
    action_mask: jax.Array
    step_count: jax.Array


class Pair:
    """Two agents count to a goal, and are paid together."""

    num_agents = 2
    action_spec = SimpleNamespace(shape=(2,), num_values=np.array([2, 3]), dtype=np.dtype("int32"))
    discount = 0.0

    def __init__(self, time_limit=4):
        self.time_limit = time_limit

    def reset(self, key):
        state = State(jax.random.randint(key, (), 0, 2), jnp.zeros((), jnp.int32))
        return state, Told(self.seen(state), jnp.zeros(()), jnp.ones(()), jnp.array(False), {})

    def step(self, state, action):
        state = State(state.total + jnp.sum(action).astype(jnp.int32), state.step_count + 1)
        over = (state.total >= GOAL) | (state.step_count >= self.time_limit)
        discount = jnp.where(over, self.discount, 1.0)
        extras = {"total": state.total}
        return state, Told(self.seen(state), state.total * 1.0, discount, over, extras)

    def seen(self, state):
        view = jnp.stack([jnp.full(3, state.total), jnp.arange(3)])
        mask = jnp.array([[True, False, False], [False, False, False]])
        return Seen(view, {"goal": jnp.full((1, 2), 7)}, mask, state.step_count)


class Cut(Pair):
    """The same, whose episodes are over with a discount of 1."""

    discount = 1.0


class Alone(Pair):
    num_agents = None
    action_spec = SimpleNamespace(shape=(), num_values=4, dtype=np.dtype("int32"))

    def seen(self, state):
        return Grid(jnp.full((2, 2, 3), state.total), jnp.ones(4, bool))


class Grid(NamedTuple):
    grid: jax.Array
    action_mask: jax.Array


class Flight(Pair):
    action_spec = SimpleNamespace(
        shape=(2, 1), minimum=-1.0, maximum=np.float32(2.0), dtype=np.dtype("float32")
    )


class Cube(Pair):
    num_agents = None
    action_spec = SimpleNamespace(
        shape=(3,), num_values=np.array([6, 1, 3]), dtype=np.dtype("int32")
    )


KINDS = {f"{kind.__name__}-v0": kind for kind in (Pair, Cut, Alone, Flight, Cube)}


@pytest.fixture(autouse=True)
def library(monkeypatch):
    library = ModuleType("jumanji")
    library.make = lambda name, **options: KINDS[name](**options)
    library.registered_environments = lambda: set(KINDS)
    monkeypatch.setitem(sys.modules, "jumanji", library)


def play(env, *actions):
    state, timestep = env.reset(jax.random.key(0))[0], None
    for action in actions:
        state, timestep = env.step(state, jnp.asarray(action))
    return timestep, state


def test_agents_see_their_rows_and_what_is_there_for_all():
    env = JumanjiEnv("Pair-v0")
    assert env.specs == (AgentSpec(5, Discrete(2)), AgentSpec(5, Discrete(3)))
    timestep, state = play(env, [0, 1])
    total = float(state.total)
    assert timestep.view.observation.tolist() == [[total] * 3 + [7, 7], [0, 1, 2, 7, 7]]
    assert timestep.view.action_mask.tolist() == [[True, False, False], [True, True, True]]
    assert timestep.reward.tolist() == [total, total]
    assert timestep.info["total"] == total


def test_an_episode_ends_with_discount_0_before_the_time_limit():
    idle = [[0, 0]] * 4
    for name, actions, ended, cut in (
        ("Pair-v0", idle[:3], False, False),
        ("Pair-v0", [[1, 2]], True, False),
        ("Pair-v0", idle, False, True),
        ("Cut-v0", [[1, 2]], False, True),
    ):
        timestep, _ = play(JumanjiEnv(name), *actions)
        assert timestep.terminated.tolist() == [ended] * 2
        assert timestep.truncated.tolist() == [cut] * 2


def test_an_agent_by_itself_is_a_team_of_one():
    env = JumanjiEnv("Alone-v0")
    assert env.specs == (AgentSpec((2, 2, 3), Discrete(4)),)
    timestep, state = play(env, [2])
    assert timestep.view.observation.shape == (1, 2, 2, 3)
    assert timestep.reward.tolist() == [float(state.total)]
    assert timestep.view.action_mask.shape == (1, 4)


def test_vectors_are_actions_too():
    env = JumanjiEnv("Flight-v0")
    assert [spec.action for spec in env.specs] == [Box(1, (-1.0,), (2.0,))] * 2
    assert play(env, [[1.0], [2.0]])[0].view.action_mask is None


def test_a_team_passes_all_checks():
    assert check_env(JumanjiEnv("Pair-v0", ("time_limit=9",)), seed=SEED) == []


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("Pear-v0", (), "Jumanji has no environment 'Pear-v0': did you mean 'Pair-v0'"),
        ("Pair-v0", ("colour=1",), r"Pair-v0\(colour=1\) failed: TypeError"),
        ("Cube-v0", (), r"actions of Cube-v0 are a SimpleNamespace of shape \(3,\): each agent of"),
    ],
)
def test_what_cannot_be_played_gets_a_sentence(name, options, sentence):
    with pytest.raises(EnvError, match=sentence):
        _ = JumanjiEnv(name, options).specs


def test_the_real_library_is_played_step_by_step(monkeypatch):
    monkeypatch.delitem(sys.modules, "jumanji")
    real = pytest.importorskip("jumanji").make("LevelBasedForaging-v0")
    env, actions = JumanjiEnv("LevelBasedForaging-v0"), jnp.array([1, 5], jnp.int32)
    state, told = real.reset(jax.random.key_data(jax.random.key(3)))
    mine, view = env.reset(jax.random.key(3))
    np.testing.assert_array_equal(view.observation, told.observation.agents_view)
    for _ in range(3):
        state, told = real.step(state, actions)
        mine, timestep = env.step(mine, actions)
    np.testing.assert_array_equal(timestep.view.observation, told.observation.agents_view)
    np.testing.assert_array_equal(timestep.reward, told.reward)
