"""A team as one agent: the same environment, and the same tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import Climbing, NetworkedMDP, RandomMDP
from coterie.envs.finite.joint_agent import FiniteAsOne
from coterie.envs.joint_agent import as_one

CASES = [RandomMDP(states=4, agents=2), NetworkedMDP(states=4, agents=2, noise=0.0), Climbing()]


@pytest.mark.parametrize("env", CASES, ids=lambda env: type(env).__name__)
def test_the_tables_are_the_teams(env):
    own, whole = as_one(env).tables(), env.tables()
    np.testing.assert_array_equal(own.transition, whole.transition)
    np.testing.assert_allclose(own.reward[..., 0], whole.team_reward, rtol=1e-6)
    assert own.actions == (whole.transition.shape[1],)
    own.checked()


@pytest.mark.parametrize("env", CASES, ids=lambda env: type(env).__name__)
def test_a_joint_action_does_what_its_parts_do(env):
    one, copies = as_one(env), 64
    team, alone = env.vectorize(copies), one.vectorize(copies)
    joint = jnp.arange(copies) % env.joint
    parts = jnp.stack(jnp.unravel_index(joint, env.sizes), axis=-1)
    (places, _), (own, seen) = team.reset(jax.random.key(0)), alone.reset(jax.random.key(0))
    for key in jax.random.split(jax.random.key(1), 3):
        places, expected, view = team.step(places, parts, key)
        own, found, seen = alone.step(own, joint[:, None], key)
        np.testing.assert_array_equal(own.number, places.number)
        np.testing.assert_allclose(found.reward[:, 0], expected.reward.mean(axis=1), rtol=1e-5)
        np.testing.assert_array_equal(found.over, expected.over)
        np.testing.assert_array_equal(seen.observation[:, 0], view.observation[:, 0])


@pytest.mark.parametrize("env", CASES, ids=lambda env: type(env).__name__)
def test_what_is_worked_out_on_the_spot_is_what_is_in_the_tables(env):
    one = as_one(env)
    states, joints = np.arange(6, dtype=np.int32) % env.states, np.arange(6, dtype=np.int32)
    paid = jax.vmap(one.pay)(states, joints)
    np.testing.assert_allclose(paid, one.pays(states, joints), rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(one.row)(states, joints), one.rows(states, joints))


def test_it_is_one_agent_of_the_same_game():
    one = as_one(RandomMDP(states=4, agents=2, time_limit=7))
    assert one.names == ("team",)
    assert [spec.action.size for spec in one.specs] == [9]
    assert (one.limit, one.specs[0].states) == (7, 4)
    redrawn = RandomMDP(states=4, agents=2, redrawn=True)
    assert as_one(redrawn).for_seed(3) == FiniteAsOne(RandomMDP(states=4, agents=2, instance=3))
