"""Environments in NumPy: any states, any number of copies, and faults in one sentence."""

import re
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import AgentSpec, Box, Discrete, NumpyEnv, Observation, Timestep
from coterie.envs.check import check_env
from coterie.errors import EnvError
from coterie.training.evaluate import reraise_env_error


class Count(NumpyEnv):
    """Agents who count from their seed in 64 bits; cut off after a time that the seed sets."""

    specs = (AgentSpec(2, Discrete(3)),) * 2

    def reset(self, seeds):
        state = {"count": np.int64(2**40) + seeds, "left": 3 + seeds % 5, "t": np.zeros_like(seeds)}
        return state, self.view(state)

    def step(self, state, action):
        state = {"count": state["count"] + 1, "left": state["left"] - 1, "t": state["t"] + 1}
        cut = np.repeat((state["left"] == 0)[:, None], 2, axis=1)
        info = {"count": state["count"] % 1000}
        told = Timestep(self.view(state), action.astype(float), np.zeros_like(cut), cut, info)
        return state, told

    def view(self, state):
        numbers = np.stack([state["count"] % 1000, state["count"] // 2**40], axis=-1)
        return Observation(numbers[:, None].repeat(2, axis=1))


class Wrong(Count):
    """The same with a fault in the third step of an episode."""

    def step(self, state, action):
        state, told = super().step(state, action)
        return state, self.fault(told) if (state["t"] >= 3).any() else told


class Narrow(Wrong):
    def fault(self, told):
        return told._replace(reward=told.reward[:, :1])


class Raises(Wrong):
    def fault(self, told):
        raise ValueError("no fuel")


class Leaves(Wrong):
    def fault(self, told):
        there = np.ones(told.reward.shape, bool)
        return told._replace(view=told.view._replace(alive=there))


class Lists(Wrong):
    def fault(self, told):
        return told._replace(reward=told.reward.tolist(), truncated=told.truncated.astype(int))


class Writes(Count):
    """An environment that changes its state in place."""

    def step(self, state, action):
        state["t"] += 1
        return super().step(state, action)


class Strange(Count):
    def reset(self, seeds):
        state, view = super().reset(seeds)
        return {**state, "name": [str(seed) for seed in seeds]}, view


class Mixes(Count):
    """A copy that depends on the others."""

    def step(self, state, action):
        state, told = super().step(state, action)
        return state, told._replace(reward=told.reward + len(action))


def run(env, copies=3, steps=6, key=0):
    vector = env.vectorize(copies)

    @jax.jit
    def play(key):
        carry = vector.reset(key)

        def step(carry, key):
            state, _ = carry
            state, timestep, view = vector.step(state, jnp.ones((copies, 2), jnp.int32), key)
            return (state, view), (timestep, view)

        return jax.lax.scan(step, carry, jax.random.split(key, steps))[1]

    with reraise_env_error(vector):
        return jax.block_until_ready(play(jax.random.key(key)))


def test_numbers_of_64_bits_come_back():
    timestep, view = run(Count(), steps=3)
    assert np.all(np.asarray(view.observation[..., 1]) == 1)
    counts = np.asarray(timestep.info["count"])
    np.testing.assert_array_equal(np.diff(counts, axis=0) % 1000, 1)
    np.testing.assert_array_equal(timestep.reward, np.ones((3, 3, 2)))


def test_copies_that_are_over_begin_anew():
    timestep, view = run(Count(), copies=8, steps=12)
    over = np.asarray(timestep.truncated[..., 0])
    assert over.any() and not over.all()
    changed = np.any(np.asarray(timestep.view.observation != view.observation), axis=(2, 3))
    np.testing.assert_array_equal(changed, over)
    begun = np.asarray(view.observation[..., 0, 0])[over]  # each from a seed of its own
    assert len(np.unique(begun)) > len(begun) // 2


def test_seeds_of_a_run_are_one_batch():
    class Told(Count):
        sizes: ClassVar[list[int]] = []

        def step(self, state, action):
            self.sizes.append(len(action))
            return super().step(state, action)

    vector = Told().vectorize(2)

    def play(key):
        state, _ = vector.reset(key)
        return vector.step(state, jnp.zeros((2, 2), jnp.int32), key)[1].info["count"]

    counts = jax.jit(jax.vmap(play))(jax.random.split(jax.random.key(0), 3))
    assert counts.shape == (3, 2) and Told.sizes[-1] == 6


def test_a_sound_environment_has_no_fault():
    assert check_env(Count()) == []


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (Narrow(), r"step of Narrow gives .*reward.* of shape \(3, 1\), not \(3, 2\)"),
        (Raises(), r"step of Raises raised ValueError: no fuel"),
        (Leaves(), r"step of Leaves gives .*alive.*, which was not there at first: give the same"),
        (Lists(), r"step of Lists gives truncated as int64, not as bool"),
        (Writes(), r"step of Writes raised .*read-only.*`state` must stay as it is"),
        (Strange(), r"reset of Strange gives .*name.* as str: give NumPy arrays of numbers"),
    ],
)
def test_faults_in_training_are_sentences(env, told):
    with pytest.raises(EnvError, match=told):
        run(env, steps=5)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (Leaves(), "gives .*alive.*, which was not there at first"),
        (Writes(), "read-only"),
        (Strange(), "reset of Strange gives"),
        (Lists(), "truncated as int64"),
        (Raises(), r"step 3 of the episode with seed \d raised ValueError: no fuel \("),
    ],
)
def test_what_training_refuses_is_found_before(env, told):
    found = check_env(env)
    assert found and re.search(told, found[0]), found


def test_a_copy_that_depends_on_others_is_found():
    found = check_env(Mixes())
    assert len(found) == 1 and "seed 0 gives two different episodes" in found[0]


class Half(Count):
    def reset(self, seeds):
        return super().reset(seeds)[1]


def test_a_wrong_result_is_named():
    assert check_env(Half()) == [
        "reset of Half must return (state, Observation(...)), not Observation."
    ]


def test_vectors_of_numbers_are_actions_too():
    class Walk(Count):
        specs = (AgentSpec(2, Box(2, 0.0, 4.0)),) * 2

        def step(self, state, action):
            assert action.shape[2:] == (2,) and action.dtype == np.float32
            state, told = super().step(state, action[..., 0])
            return state, told

    assert check_env(Walk()) == []
