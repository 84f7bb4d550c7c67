"""SMAX by the name of its map, shown by a small library with its interface."""

import sys
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.check import check_env
from coterie.envs.smax import SMAXEnv
from coterie.errors import ConfigError, EnvError


class Inner(NamedTuple):
    unit_alive: jax.Array
    step: jax.Array


class World(NamedTuple):
    state: Inner


class Battle:
    """Two allies against one enemy, who falls when both attack; an ally that stops falls."""

    agents = ("ally_0", "ally_1")
    max_steps = 3

    def __init__(self, scenario):
        self.scenario = scenario

    def action_space(self, agent):
        return SimpleNamespace(n=2, shape=())

    def reset(self, key):
        world = World(Inner(jnp.ones(3, bool), jnp.zeros((), jnp.int32)))
        return self.seen(world, jax.random.uniform(key)), world

    def step_env(self, key, state, actions):
        acts = jnp.stack([actions[agent] for agent in self.agents]) > 0
        allies = state.state.unit_alive[:2] & acts
        enemy = state.state.unit_alive[2] & ~jnp.all(acts & (state.state.step > 0))
        living = jnp.concatenate([allies, enemy[None]])
        world = World(Inner(living, state.state.step + 1))
        late = world.state.step >= self.max_steps
        over = ~jnp.any(living[:2]) | ~living[2] | late
        done = {agent: ~alive for agent, alive in zip(self.agents, living, strict=False)}
        reward = dict.fromkeys(self.agents, jnp.float32(1.0))
        return self.seen(world, 0.0), world, reward, {**done, "__all__": over}, {}

    def seen(self, world, start):
        alive = world.state.unit_alive.astype(jnp.float32)
        seen = jnp.concatenate([alive, jnp.stack([start, world.state.step])])
        return dict.fromkeys(self.agents, seen)

    def get_avail_actions(self, state):
        return dict.fromkeys(self.agents, jnp.ones(2))

    def get_world_state(self, state):
        return state.state.unit_alive.astype(jnp.float32)


@pytest.fixture(autouse=True)
def library(monkeypatch):
    library, maps = ModuleType("jaxmarl"), ModuleType("smax_env")
    vars(library).update(registered_envs=["HeuristicEnemySMAX"], make=lambda name, **o: Battle(**o))
    vars(maps).update(MAP_NAME_TO_SCENARIO={"2s3z": object()})
    monkeypatch.setitem(sys.modules, "jaxmarl", library)
    monkeypatch.setitem(sys.modules, "jaxmarl.environments.smax.smax_env", maps)


def ends(*actions):
    env, timestep = SMAXEnv("2s3z"), None
    state, _ = env.reset(jax.random.key(0))
    for action in actions:
        state, timestep = env.step(state, jnp.array(action))
    flags = timestep.terminated.tolist(), timestep.truncated.tolist()
    return *flags, {name: float(value) for name, value in timestep.info.items()}


def test_a_battle_that_is_won_has_ended():
    told = {"won": 1.0, "dead_allies": 0.0, "dead_enemies": 1.0}
    assert ends([1, 1], [1, 1]) == ([True] * 2, [False] * 2, told)


def test_a_battle_that_is_lost_has_ended():
    told = {"won": 0.0, "dead_allies": 2.0, "dead_enemies": 0.0}
    assert ends([0, 1], [0, 0]) == ([True] * 2, [False] * 2, told)


def test_a_battle_that_is_won_with_the_last_step_has_ended():
    env = SMAXEnv("2s3z")
    state, _ = env.reset(jax.random.key(0))
    late = state._replace(world=World(Inner(jnp.ones(3, bool), jnp.int32(2))))
    _, timestep = env.step(late, jnp.array([1, 1]))
    assert timestep.terminated.all() and not timestep.truncated.any()


def test_a_time_limit_cuts_off():
    told = {"won": 0.0, "dead_allies": 1.0, "dead_enemies": 0.0}
    assert ends([1, 0], [1, 0], [1, 0]) == ([False] * 2, [True] * 2, told)


def test_the_global_state_is_smaxs_and_the_checks_pass():
    env = SMAXEnv("2s3z")
    state, view = env.reset(jax.random.key(0))
    np.testing.assert_array_equal(env.global_state(state, view), [1, 1, 1])
    assert check_env(env) == []


def test_mistakes_get_one_sentence():
    with pytest.raises(EnvError, match="JaxMARL has no map '2s3': did you mean '2s3z'"):
        _ = SMAXEnv("2s3").specs
    with pytest.raises(ConfigError, match="options are name=value"):
        SMAXEnv("2s3z", ("max_steps",))
