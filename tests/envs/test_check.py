"""Each thing that `check_env` looks at is seen once; sound environments have nothing to report."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box as GymBox
from gymnasium.spaces import Discrete as GymDiscrete
from gymnasium.spaces import MultiBinary, MultiDiscrete, Sequence, Tuple
from pettingzoo import ParallelEnv

from coterie import api
from coterie.envs.check import check_env
from coterie.envs.checks.rules import _is_finite
from coterie.envs.game import Env, JaxEnv, Timestep
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import ConfigError, EnvError
from coterie.training.loop import dry_run
from coterie.training.run import new_run
from coterie.training.settings import Settings
from coterie.types import AgentSpec, Box, Discrete, Observation


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


class Sound(ParallelEnv):
    """Two agents see a random number that grows; "b" leaves at step 2, the rest is cut off at 5."""

    def __init__(self):
        self.possible_agents = ["a", "b"]

    def observation_space(self, agent):
        return GymBox(0.0, 10.0, (2,))

    def action_space(self, agent):
        return GymDiscrete(3)

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.number = self.random.uniform()
        self.time = 0
        self.agents = ["a", "b"]
        return {agent: self.see() for agent in self.agents}, self.tell(self.agents)

    def see(self):
        return np.array([self.number, self.time], np.float32)

    def tell(self, agents):
        return {agent: {} for agent in agents}

    def step(self, actions):
        self.time += 1
        observations = {agent: self.see() for agent in actions}
        rewards = {agent: float(action) for agent, action in actions.items()}
        terminated = {agent: agent == "b" and self.time == 2 for agent in actions}
        truncated = {agent: self.time == 5 for agent in actions}
        self.agents = [a for a in actions if not terminated[a] and not truncated[a]]
        return observations, rewards, terminated, truncated, self.tell(actions)


def changed(at, change):
    """A `Sound` in which `change(env, result)` meddles with what step `at` gives."""

    class Changed(Sound):
        def step(self, actions):
            result = super().step(actions)
            return change(self, result) or result if self.time == at else result

    return Changed


def put(which, agent, value):
    """A change of one entry of the `which`-th dictionary."""
    return lambda env, result: result[which].update({agent: value})


def drop(which, agent):
    return lambda env, result: result[which].__delitem__(agent)


def fail(env, result):
    raise ValueError("no such lamp")


class Endless(Sound):
    def step(self, actions):
        self.time = 0
        return super().step(actions)


class Doubles(Sound):
    def see(self):
        return super().see().astype(np.float64)


class TimeLimitAsEnd(Sound):
    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        terminated = {agent: terminated[agent] or truncated[agent] for agent in actions}
        return observations, rewards, terminated, truncated, infos


class Unseeded(Sound):
    """Its first steps repeat; the third does not, which a look at one step would miss."""

    hidden = 0

    def see(self):
        Unseeded.hidden += 1
        return super().see() + np.float32(self.time == 3) * 1e-3 * (Unseeded.hidden % 97)


class Remembers(Sound):
    played = 0

    def reset(self, seed=None, options=None):
        self.played = (self.played + 1) % 5
        return super().reset(seed)

    def see(self):
        return super().see() + np.float32(self.played)


class IgnoresSeed(Sound):
    def reset(self, seed=None, options=None):
        return super().reset(0)


class Reuses(Sound):
    buffer = None

    def see(self):
        self.buffer = np.zeros(2, np.float32) if self.buffer is None else self.buffer
        self.buffer[:] = super().see()
        return self.buffer


class MasksAll(Sound):
    def tell(self, agents):
        mask = np.full(3, self.time != 1, np.int8)
        return {agent: {"action_mask": mask} for agent in agents}


class Picky(Sound):
    """Only one action is possible, another one after every step."""

    def tell(self, agents):
        return {agent: {"action_mask": np.arange(3) == self.time % 3} for agent in agents}

    def step(self, actions):
        assert set(actions.values()) == {self.time % 3}
        return super().step(actions)


class ActsByMany(Sound):
    def action_space(self, agent):
        return MultiDiscrete([10, 10, 10, 10])


class ActsByWholes(Sound):
    def action_space(self, agent):
        return GymBox(0, 5, (2,), np.int64)


class ActsByBits(Sound):
    """Two choices of `a`, three of `b`: their sum is paid."""

    def action_space(self, agent):
        return MultiDiscrete([2, 3], start=[1, 0]) if agent == "a" else MultiBinary(3)

    def step(self, actions):
        assert all(self.action_space(agent).contains(action) for agent, action in actions.items())
        return super().step({agent: action.sum() for agent, action in actions.items()})


class Unbounded(Sound):
    def action_space(self, agent):
        return GymBox(-np.inf, np.inf, (2,))


class SeesSequences(Sound):
    def observation_space(self, agent):
        return Sequence(GymBox(0.0, 1.0, (2,)))


def leave(env, result):
    raise SystemExit(3)


class ListRewards(Sound):
    def step(self, actions):
        seen, rewards, *rest = super().step(actions)
        return seen, list(rewards.values()), *rest


class FourValues(Sound):
    def step(self, actions):
        return super().step(actions)[1:]


class TextInfos(Sound):
    def tell(self, agents):
        return {agent: {"note": "text", "time": self.time} for agent in agents}


class LateInfos(Sound):
    def tell(self, agents):
        return {agent: {"total": 1.0} if self.time == 5 else {} for agent in agents}


class LateMasks(Sound):
    def tell(self, agents):
        return {a: {"action_mask": np.ones(3, np.int8)} if self.time == 3 else {} for a in agents}


class CannotClose(Sound):
    def close(self):
        raise RuntimeError("display Surface quit")


class SeesPairs(Sound):
    """It sees a tuple."""

    def observation_space(self, agent):
        return Tuple((GymBox(0.0, 10.0, (2,)), GymDiscrete(9)))

    def see(self):
        return super().see(), self.time


class Bare:
    """It has the methods that are played, and neither a base class nor close()."""

    def __init__(self):
        env = Sound()
        self.possible_agents, self.observation_space = env.possible_agents, env.observation_space
        self.action_space, self.env = env.action_space, env

    def reset(self, seed=None, options=None):
        return self.follow(self.env.reset(seed))

    def step(self, actions):
        return self.follow(self.env.step(actions))

    def follow(self, result):
        self.agents = self.env.agents
        return result


class CannotReset(Sound):
    def reset(self, seed=None, options=None):
        raise OSError("no display")


class OnlyObservations(Sound):
    def reset(self, seed=None, options=None):
        return super().reset(seed)[0]


HOST = {
    "raises": (
        changed(3, fail),
        r"step 3 of the episode with seed 0 raised ValueError: no such lamp \(",
    ),
    "no reward": (changed(2, drop(1, "b")), "agent 'b' gets no reward at step 2"),
    "no observation": (changed(2, drop(0, "b")), "agent 'b' gets no observation at step 2"),
    "no flag": (changed(1, drop(2, "a")), "agent 'a' gets no terminated at step 1"),
    "rewards": (
        changed(1, put(1, "a", np.ones(2))),
        r"the reward of agent 'a' has shape \(2,\) at step 1",
    ),
    "flag": (changed(1, put(3, "a", 0.0)), "truncated of agent 'a' is 0.0 at step 1"),
    "nan": (
        changed(1, put(0, "a", np.array([0.0, np.nan], np.float32))),
        r"the observation of agent 'a' is \[ 0. nan\] at step 1",
    ),
    "inf": (changed(2, put(1, "b", np.inf)), "the reward of agent 'b' is inf at step 2"),
    "revived": (
        changed(3, lambda env, result: env.agents.append("b")),
        "agent 'b' is back at step 3 although it had left",
    ),
    "stays": (
        changed(2, lambda env, result: env.agents.append("b")),
        "agent 'b' goes on after step 2 although it was terminated or truncated",
    ),
    "gone": (
        changed(1, lambda env, result: env.agents.remove("b")),
        "agent 'b' is gone after step 1 but neither terminated nor truncated",
    ),
    "mask": (MasksAll, "the action mask of agent 'a' allows nothing after step 1"),
    "buffer": (Reuses, "the observation of agent 'a' before step 1 was changed by that step"),
    "endless": (Endless, "the episode with seed 0 had not ended after 300 steps"),
    "doubles": (Doubles, "the observation of agent 'a' at step 0 is float64, .* says float32"),
    "shape": (
        changed(2, put(0, "a", np.zeros(3, np.float32))),
        r"the observation of agent 'a' at step 2 has shape \(3,\), but its space says \(2,\)",
    ),
    "range": (
        changed(4, put(0, "a", np.array([11.0, 0.0], np.float32))),
        r"the observation of agent 'a' at step 4 holds 11.0, outside of Box\(0.0, 10.0",
    ),
    "limit": (TimeLimitAsEnd, "hint: all 3 episodes end at step 5 with agent 'a' terminated"),
    "random": (Unseeded, "seed 0 gives two different episodes .* agent 'a' at step 3 is"),
    "memory": (Remembers, "the episode with seed 0 depends on what was played before it"),
    "same": (IgnoresSeed, "hint: seeds 0 and 1000003 give the same episode"),
    "actions": (ActsByWholes, r"agent 'a' acts by Box\(0, 5, .*which is neither Discrete, Multi"),
    "too many": (ActsByMany, r"agent 'a' acts by MultiDiscrete.* has 10,000 combinations"),
    "unbounded": (
        Unbounded,
        r"agent 'a' acts by Box\(-inf, inf, .*which has no numbers, or",
    ),
    "senses": (SeesSequences, "agent 'a' observes Sequence.* not a vector of fixed size"),
    "no reset": (CannotReset, "cannot be reset and stepped: OSError: no display"),
    "reset": (OnlyObservations, r"gives dict, not \(observations, infos\)"),
    "none": (
        changed(2, put(1, "a", None)),
        "the reward of agent 'a' is None at step 2",
    ),
    "huge": (changed(2, put(1, "a", 1e300)), r"the reward of agent 'a' is 1e\+300 at step 2"),
    "exit": (changed(2, leave), r"step 2 of the episode with seed 0 raised SystemExit: 3"),
    "list": (ListRewards, "gives rewards as list, not as a dictionary by agents"),
    "four": (FourValues, r"step of .* gives 4 values, not \(observations, rewards, term"),
    "text": (TextInfos, "hint: info 'note' of agent 'a' at step 0 is no column"),
    "late info": (LateInfos, "hint: info 'total' of agent 'a' at step 5 is no column"),
    "late mask": (LateMasks, "the first action_mask comes to agent 'a' at step 3"),
    "closing": (CannotClose, r"hint: close\(\) raised RuntimeError: display Surface quit"),
}
BROKEN = {name: kind for name, (kind, _) in HOST.items()}


def broken(name):
    """The factory of a broken environment, by its name here."""
    return BROKEN[name]()


def test_sound_games_outside_jax_have_nothing_to_report():
    for factory in (f"{__name__}:Sound", "worlds:Ladder", "worlds:Echo", "worlds:Masked"):
        quiet = check_env(PettingZooEnv(factory))
        assert [s for s in quiet if "give the same episode" not in s and "'note'" not in s] == []
    for kind in ("Sound", "Picky", "SeesPairs", "Bare", "ActsByBits"):
        assert check_env(PettingZooEnv(f"{__name__}:{kind}")) == []
    assert check_env(PettingZooEnv("mpe2.simple_spread_v3")) == []
    assert check_env(PettingZooEnv("mpe2.simple_speaker_listener_v4")) == []


@pytest.mark.parametrize("name", HOST)
def test_each_fault_of_a_game_outside_jax_is_seen(name):
    env = PettingZooEnv(f"{__name__}:broken", (f"name={name}",))
    assert_one(check_env(env, longest=300), HOST[name][1])


def assert_one(sentences, pattern):
    """The sentence is there, and nothing that does not follow from the same fault."""
    matching = [s for s in sentences if re.search(pattern, s)]
    assert len(matching) == 1, sentences
    assert matching[0].endswith(".") and len(sentences) <= 2, sentences


class Place(NamedTuple):
    number: jax.Array
    time: jax.Array


@dataclass(frozen=True)
class Walk(JaxEnv):
    """A `JaxEnv` like `Sound`: three agents of unequal sizes, cut off after 5 steps."""

    fault: str = ""

    @property
    def specs(self):
        first = AgentSpec(2, Discrete(3), quantization_step=0.5 * (self.fault == "between_steps"))
        return (first, AgentSpec(1, Discrete(2)), AgentSpec(2, Discrete(3)))

    def reset(self, key):
        place = Place(jax.random.uniform(key), jnp.int32(0))
        return place, self.view(place)

    def view(self, place):
        seen = jnp.stack([place.number, place.time.astype(jnp.float32)])
        mask = jnp.array([[True, True, True], [True, True, False], [True, True, True]])
        return Observation(jnp.array([[1, 1], [1, 0], [1, 1]]) * seen, mask)

    def step(self, state, action):
        state = Place(state.number, state.time + 1)
        cut = jnp.full(3, state.time == 5)
        timestep = Timestep(self.view(state), 1.0 * action, cut & False, cut, {})
        return getattr(self, self.fault)(state, timestep) if self.fault else (state, timestep)

    def branches(self, state, timestep):
        return (state, timestep) if state.time > 3 else (state, timestep._replace(info={}))

    def raises(self, state, timestep):
        raise ValueError("no such lamp")

    def few_rewards(self, state, timestep):
        return state, timestep._replace(reward=timestep.reward[:2])

    def four_values(self, state, timestep):
        return state, timestep.view, timestep.reward, timestep.truncated

    def bare_view(self, state, timestep):
        return state, timestep.view.observation

    def number_flags(self, state, timestep):
        return state, timestep._replace(terminated=timestep.terminated.astype(jnp.int32))

    def scalar_flags(self, state, timestep):
        return state, timestep._replace(truncated=timestep.truncated[0])

    def whole_numbers(self, state, timestep):
        view = timestep.view
        whole = view.observation.astype(int)
        return state, timestep._replace(view=view._replace(observation=whole))

    def longer(self, state, timestep):
        wide = jnp.pad(timestep.view.observation, ((0, 0), (0, 1)))
        return state, timestep._replace(view=timestep.view._replace(observation=wide))

    def unmasked(self, state, timestep):
        return state, timestep._replace(view=timestep.view._replace(action_mask=None))

    def wide_info(self, state, timestep):
        return state, timestep._replace(info={"gap": jnp.zeros(7)})

    def grows(self, state, timestep):
        return state._replace(number=jnp.stack([state.number] * 2)), timestep

    def other_state(self, state, timestep):
        return tuple(state) + (0,), timestep

    def nan(self, state, timestep):
        broken = jnp.where(state.time == 2, jnp.nan, timestep.reward)
        return state, timestep._replace(reward=broken)

    def unpadded(self, state, timestep):
        seen = timestep.view.observation.at[1, 1].set(state.number)
        return state, timestep._replace(view=timestep.view._replace(observation=seen))

    def between_steps(self, state, timestep):
        return state, timestep  # the number is drawn, see `specs`

    def wide_mask(self, state, timestep):
        mask = jnp.ones((3, 3), bool)
        return state, timestep._replace(view=timestep.view._replace(action_mask=mask))

    def no_choice(self, state, timestep):
        mask = timestep.view.action_mask & (state.time != 2)
        return state, timestep._replace(view=timestep.view._replace(action_mask=mask))

    def revives(self, state, timestep):
        ended = (jnp.arange(3) == 1) & (state.time == 2)
        return state, timestep._replace(terminated=ended)

    def endless(self, state, timestep):
        return state, timestep._replace(truncated=timestep.truncated & False)

    def ends(self, state, timestep):
        return state, timestep._replace(terminated=timestep.truncated)

    def impure(self, state, timestep):
        return state, timestep._replace(reward=timestep.reward + np.random.uniform())

    def constant(self, state, timestep):
        return state._replace(number=0.0 * state.number), timestep


@dataclass(frozen=True)
class Still(Walk):
    """The same from whatever key."""

    def reset(self, key):
        return super().reset(jax.random.key(0))


@dataclass(frozen=True)
class Slide(Walk):
    """Unequal Boxes with bounds of their own."""

    @property
    def specs(self):
        return (AgentSpec(2, Box(1, 2.0, 3.0)), AgentSpec(1, Box(2, (4.0, 5.0), 6.0)))

    def view(self, place):
        seen = jnp.array([[1.0, 1.0], [1.0, 0.0]]) * place.number
        return Observation(seen, jnp.array([[True, False], [True, True]]))

    def step(self, state, action):
        state = Place(state.number, state.time + 1)
        low = jnp.array([[2.0, 0.0], [4.0, 5.0]])
        right = jnp.all((action >= low) & (action <= jnp.array([[3.0, 0.0], [6.0, 6.0]])))
        cut = jnp.full(2, state.time == 3)
        reward = jnp.where(right, 1.0, jnp.nan) * jnp.ones(2)
        return state, Timestep(self.view(state), reward, cut & False, cut, {"right": right})


@dataclass(frozen=True)
class Choosy(Walk):
    """Only one action is possible, another one after every step."""

    def view(self, place):
        only = jnp.arange(3) == place.time % 2
        return super().view(place)._replace(action_mask=jnp.stack([only] * 3))

    def step(self, state, action):
        following, timestep = super().step(state, action)
        right = jnp.all(action == state.time % 2)
        return following, timestep._replace(reward=jnp.where(right, timestep.reward, jnp.nan))


JAX = {
    "branches": "step cannot be compiled: it needs the value of an array .*Bool",
    "raises": "step raised ValueError: no such lamp",
    "four_values": r"step must return \(state, Timestep\(...\)\), not 4 values",
    "bare_view": r"step must return \(state, Timestep\(...\)\), not another kind",
    "few_rewards": r"step: the reward has shape \(2,\), not \(3,\)",
    "number_flags": "step: terminated is int32, not bool",
    "scalar_flags": r"step: truncated has shape \(\), not \(3,\)",
    "whole_numbers": "step: the observation is int32, not float32",
    "longer": r"step: the observation has shape \(3, 3\), not \(3, 2\)",
    "unmasked": "step: there is no action_mask although agents have 2 to 3 actions",
    "wide_info": r"step: info\['gap'\] has shape \(7,\)",
    "grows": r"state.number is float32\[\] after reset but float32\[2\] after step",
    "other_state": "the state after step has other parts than the state after reset",
    "nan": "the reward of agent 0 is nan at step 2",
    "unpadded": "the observation of agent 1 is not 0 beyond its own 1 numbers at step 1",
    "between_steps": r"the observation of agent 0 has 0\.\d+ at step 0, which is no multiple of "
    "its quantization_step 0.5 from 0 to 127.5",
    "wide_mask": "the action mask of agent 1 is True beyond its own 2 actions at step 1",
    "no_choice": "the action mask of agent 0 allows nothing after step 2",
    "revives": "agent 1 is back at step 3 although it had left",
    "endless": "the episode with seed 0 had not ended after 300 steps",
    "ends": "hint: all 3 episodes end at step 5 with agent 0 terminated",
    "impure": "seed 0 gives two different episodes .* the reward of agent 0 at step 1 is",
}


@pytest.mark.parametrize("env", [Walk(), Slide(), Choosy()])
def test_sound_games_in_jax_have_nothing_to_report(env):
    assert check_env(env) == []


@pytest.mark.parametrize("fault", JAX)
def test_each_fault_of_a_game_in_jax_is_seen(fault):
    assert_one(check_env(Walk(fault), longest=300), JAX[fault])


@pytest.mark.parametrize("fault", ["longer", "few_rewards", "branches"])
def test_what_does_not_fit_is_not_trained_in(fault):
    with pytest.raises(EnvError, match=f"Walk cannot be played: {JAX[fault]}") as refused:
        dry_run(new_run("ippo", Walk(fault), Settings(), "unused"))
    assert str(refused.value).endswith("`coterie check` looks at the rest.")


@dataclass(frozen=True)
class Twins(Walk):
    @property
    def names(self):
        return ("ann", "Ann", "bob")


def test_agents_whose_files_would_be_one_are_seen():
    [sentence] = api.check_env(Twins(), episodes=1)
    assert sentence.startswith("agents need different names for their files, not 'ann', 'Ann'")


def test_small_floats_are_compared_without_a_word():
    assert _is_finite(np.ones(2, np.float16)) and not _is_finite(np.full(2, np.inf, np.float16))


def test_a_key_that_is_not_used_is_seen():
    assert_one(check_env(Still()), "hint: seeds 0 and 1000003 give the same episode")


def test_other_kinds_of_game_and_no_episodes_are_refused():
    class Other(Env):
        specs = ()

        def vectorize(self, copies):
            raise NotImplementedError

    with pytest.raises(EnvError, match="Other does not say how it is checked: derive it from"):
        check_env(Other())
    with pytest.raises(ConfigError, match="episodes must be at least 1, not 0"):
        check_env(Walk(), episodes=0)
