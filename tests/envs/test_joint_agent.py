"""A team as one agent: it perceives, does and is paid what the team does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import Commons, Spread, SpreadMATRPO
from coterie.envs.joint_agent import as_one
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import ConfigError
from coterie.types import Box, MultiDiscrete

COPIES = 8
CASES = {
    "numbered": SpreadMATRPO(time_limit=3),
    "numbers": Spread(continuous=True, time_limit=3),
    "unequal": Commons(agents=3, levels=(2, 3, 4), time_limit=3),
    "bounded": Commons(agents=3, continuous=True, time_limit=3),
}


def actions(env, key):
    """Random joint actions `[G, N, ...]`, in the environment's units."""
    spaces = [spec.action for spec in env.specs]
    if isinstance(spaces[0], Box):
        drawn = jax.random.uniform(key, (COPIES, len(spaces), spaces[0].size), minval=-1.0)
        return jax.vmap(jax.vmap(spaces[0].rescale))(drawn)
    keys = jax.random.split(key, len(spaces))
    drawn = [jax.random.randint(k, (COPIES,), 0, s.size) for k, s in zip(keys, spaces, strict=True)]
    return jnp.stack(drawn, axis=-1)


@pytest.mark.parametrize("env", CASES.values(), ids=CASES)
def test_what_the_team_does_is_what_its_agents_do(env):
    team, one = env.vectorize(COPIES), as_one(env).vectorize(COPIES)
    (apart, view), (whole, seen) = team.reset(jax.random.key(0)), one.reset(jax.random.key(0))
    for key in jax.random.split(jax.random.key(1), 4):  # across the end of an episode
        np.testing.assert_array_equal(seen.observation[:, 0], view.observation.reshape(COPIES, -1))
        if view.action_mask is not None:
            mask = view.action_mask.reshape(COPIES, -1)
            np.testing.assert_array_equal(seen.action_mask[:, 0], mask)
        joint = actions(env, key)
        apart, expected, view = team.step(apart, joint, key)
        whole, found, seen = one.step(whole, joint.reshape(COPIES, 1, -1), key)
        np.testing.assert_allclose(found.reward[:, 0], expected.reward.mean(axis=1), rtol=1e-5)
        np.testing.assert_array_equal(found.terminated[:, 0], expected.terminated.all(axis=1))
        np.testing.assert_array_equal(found.over, expected.over)


def test_it_is_one_agent_with_everybodys_actions():
    one = as_one(CASES["unequal"])
    assert one.names == ("team",)
    assert one.specs[0].action == MultiDiscrete((2, 3, 4))
    assert as_one(CASES["bounded"]).specs[0].action == Box(3, (0.0,) * 3, (1.0,) * 3)
    assert one.members == (CASES["unequal"].specs,)


def test_games_of_others_are_refused():
    with pytest.raises(
        ConfigError, match="needs an environment written in JAX, and PettingZooEnv is none"
    ):
        as_one(PettingZooEnv("mpe2.simple_spread_v3"))
