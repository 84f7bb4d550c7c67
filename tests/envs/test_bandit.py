"""The continuous bandit: its quadratics, where they are highest, and whom its rewards mislead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import AgentSpec, Box, ContinuousBandit
from coterie.envs.bandit import _drawn
from coterie.envs.check import check_env
from coterie.errors import ConfigError

CASES = [ContinuousBandit(), ContinuousBandit(agents=3, size=4, conflict=3.0, instance=7)]


# Of instance 3 with 4 agents: the first row of M, and the joint action that agent 0 likes best.
CURVATURE = [0.636119, 0.18354, -0.3631503, 0.1718095]
OWN = [3.5598097, 3.5940884, 4.3151155, 4.0442414]


def joints(env, number: int = 200) -> np.ndarray:
    """Joint actions all over the Box."""
    return np.random.default_rng(0).uniform(-8, 8, (number, env.agents, env.size))


def moved_alone(env, action) -> np.ndarray:
    """The joint actions that differ from this one in the part of one agent, `[N, K, N, size]`."""
    many = np.tile(action, (env.agents, 500, 1, 1))
    own = np.arange(env.agents)
    many[own, :, own] += np.random.default_rng(1).normal(size=(env.agents, 500, env.size))
    return many


def paid(env, actions) -> np.ndarray:
    """The rewards of many joint actions `[..., N, size]`, `[..., N]`, in double precision."""
    with jax.enable_x64(True):
        flat = jnp.asarray(actions).reshape(-1, env.agents, env.size)
        reward = jax.jit(jax.vmap(env.reward))(flat)
    return np.asarray(reward).reshape(*np.shape(actions)[:-1])


@pytest.mark.parametrize("env", CASES)
def test_the_mean_reward_is_the_bandit_of_silver_et_al(env):
    actions = joints(env)
    gap = actions.reshape(len(actions), -1) - 4.0
    quadratic = -np.einsum("kd,de,ke->k", gap, env.curvature, gap)
    np.testing.assert_allclose(paid(env, actions).mean(axis=-1), quadratic, rtol=1e-9)
    np.testing.assert_allclose(env.curvature, env.curvature.T, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(env.curvature)
    assert np.all(np.min(np.abs(eigenvalues[:, None] - [0.1, 1.0]), axis=1) < 1e-9)
    assert np.ptp(eigenvalues) > 0.8 and np.abs(env.curvature[0, 1]) > 1e-3


@pytest.mark.parametrize("env", CASES)
def test_the_optimum_pays_everyone_nothing_and_the_team_less_everywhere_else(env):
    assert np.all(env.optimum == 4.0) and np.all(env.normalized_optimum == 0.5)
    chosen = env.specs[0].action.rescale(jnp.asarray(env.normalized_optimum, jnp.float32))
    np.testing.assert_array_equal(chosen, env.optimum)
    np.testing.assert_array_equal(paid(env, env.optimum), 0.0)
    assert np.all(paid(env, joints(env)).mean(axis=-1) < 0.0)


@pytest.mark.parametrize("env", CASES)
def test_each_agent_likes_another_joint_action_best(env):
    own = np.arange(env.agents)
    best = paid(env, env.own_optima)[own, own]
    assert np.all(best > 0.0)
    near = np.concatenate([joints(env), env.own_optima[0] + 0.1 * joints(env)])
    assert np.all(paid(env, near) < best)
    np.testing.assert_allclose(env.own_optima.mean(axis=0), env.optimum, rtol=1e-12)
    assert np.all(np.abs(env.own_optima - 4.0) <= 2 * env.conflict)


@pytest.mark.parametrize("env", CASES)
def test_own_rewards_lead_to_where_nobody_gains_alone_and_the_team_loses(env):
    there = paid(env, env.equilibrium)
    others = paid(env, moved_alone(env, env.equilibrium))
    own = np.arange(env.agents)
    assert np.all(others[own, :, own] <= there[own][:, None])
    assert there.mean() < -1.0


def test_without_conflict_everyone_is_paid_the_mean():
    env = ContinuousBandit(conflict=0.0)
    rewards = paid(env, joints(env))
    np.testing.assert_allclose(rewards, rewards[:, :1].repeat(5, axis=1), rtol=1e-12)
    np.testing.assert_allclose(env.equilibrium, env.optimum, rtol=1e-9)


def test_an_instance_is_the_same_wherever_it_is_drawn():
    first = ContinuousBandit(agents=4, instance=3)
    traced = jax.jit(first.reward)(jnp.zeros((4, 1)))  # drawn while traced
    np.testing.assert_allclose(traced, paid(first, np.zeros((4, 1))), rtol=1e-5)
    other = ContinuousBandit(agents=4, instance=4)
    assert not np.allclose(other.curvature, first.curvature, atol=0.01)
    for precise in (False, True):
        _drawn.cache_clear()
        with jax.enable_x64(precise):
            np.testing.assert_allclose(first.curvature[0], CURVATURE, atol=1e-6)
            np.testing.assert_allclose(first.own_optima[0].ravel(), OWN, atol=1e-6)


def test_one_state_that_is_only_cut_off():
    env = ContinuousBandit(time_limit=3)
    hints = check_env(env)
    assert len(hints) == 1 and "give the same episode" in hints[0]
    assert env.specs == (AgentSpec(1, Box(1, -8.0, 8.0)),) * 5
    state, view = env.reset(jax.random.key(0))
    for left in (2, 1, 0):
        np.testing.assert_array_equal(view.observation, np.ones((5, 1)))
        state, (view, reward, ended, cut, info, *_) = env.step(state, jnp.full((5, 1), 1.0))
        np.testing.assert_array_equal(ended, False)
        np.testing.assert_array_equal(cut, left == 0)
        np.testing.assert_allclose(reward, paid(env, np.ones((5, 1))), rtol=1e-5)
        assert info["distance"] == 3.0


@pytest.mark.parametrize("option", ["agents=0", "size=0", "time_limit=0", "instance=-1"])
def test_mistakes_get_one_sentence(option):
    name, value = option.split("=")
    with pytest.raises(ConfigError, match=f"^{name} must be at least [01], not {value}"):
        ContinuousBandit(**{name: int(value)})
    with pytest.raises(ConfigError, match=r"^conflict must be at least 0, not -1.0: try 1.0\.$"):
        ContinuousBandit(conflict=-1.0)
