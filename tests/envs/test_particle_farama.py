"""Farama's spread against the `mpe2` package itself, one step from each of many states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import Box, SpreadFarama
from coterie.envs.particle.team import Particles

spread = pytest.importorskip("mpe2.simple_spread_v3")

STEPS = 300


def draw(agents: int, continuous: bool) -> tuple[Particles, np.ndarray]:
    """`STEPS` crowded states (most have contacts), and a joint action for each."""
    random = np.random.default_rng(agents)
    position = random.uniform(-0.6, 0.6, (STEPS, agents, 2))
    velocity = random.normal(size=(STEPS, agents, 2))
    landmark = random.uniform(-1, 1, (STEPS, agents, 2))
    state = Particles(position, velocity, landmark, np.zeros(STEPS, np.int32))
    if continuous:
        return state, random.uniform(size=(STEPS, agents, 5)).astype(np.float32)
    return state, random.integers(0, 5, (STEPS, agents))


def play(wrapped, before: tuple[np.ndarray, ...], action: np.ndarray) -> tuple[np.ndarray, ...]:
    """Put the package into a state, step it, and read positions, velocities, views, rewards."""
    world = wrapped.unwrapped.world
    position, velocity, landmark = before
    for agent, where, speed in zip(world.agents, position, velocity, strict=True):
        agent.state.p_pos, agent.state.p_vel = where.copy(), speed.copy()
    for mark, where in zip(world.landmarks, landmark, strict=True):
        mark.state.p_pos = where.copy()
    wrapped.unwrapped.steps = 0
    views, rewards, ended, cut, _ = wrapped.step(dict(zip(wrapped.agents, action, strict=True)))
    assert not any(ended.values()) and not any(cut.values())
    return (
        np.stack([agent.state.p_pos for agent in world.agents]),
        np.stack([agent.state.p_vel for agent in world.agents]),
        np.stack(list(views.values())),
        np.array(list(rewards.values())),
    )


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agents", [3, 5])
def test_single_steps_agree(agents, continuous):
    state, action = draw(agents, continuous)
    wrapped = spread.parallel_env(N=agents, continuous_actions=continuous)
    wrapped.reset(seed=0)
    theirs = [
        play(wrapped, before, joint)
        for *before, joint in zip(
            state.position, state.velocity, state.landmark, action, strict=True
        )
    ]
    position, velocity, view, reward = (np.stack(each) for each in zip(*theirs, strict=True))
    with jax.enable_x64(True):
        env = SpreadFarama(agents=agents, continuous=continuous)
        after, ours = jax.jit(jax.vmap(env.step))(jax.tree.map(jnp.asarray, state), action)
    np.testing.assert_allclose(after.position, position, atol=1e-10)
    np.testing.assert_allclose(after.velocity, velocity, atol=1e-8)
    np.testing.assert_allclose(ours.reward, reward, atol=1e-8)
    np.testing.assert_allclose(ours.view.observation, view, atol=1e-5)
    assert np.mean(np.asarray(ours.info["collisions"]) > 0) > 0.3


def test_an_episode_in_single_precision_agrees_and_ends_at_the_same_step():
    env = SpreadFarama()
    wrapped = spread.parallel_env(N=3)
    views, _ = wrapped.reset(seed=4)
    world = wrapped.unwrapped.world
    bodies = (world.agents, world.landmarks)
    position, landmark = (jnp.array([body.state.p_pos for body in each]) for each in bodies)
    state = Particles(position, jnp.zeros((3, 2)), landmark, jnp.int32(0))
    np.testing.assert_allclose(env.view(state).observation, list(views.values()), atol=1e-6)
    random, step = np.random.default_rng(0), jax.jit(env.step)
    while wrapped.agents:
        action = random.integers(0, 5, 3)
        views, rewards, _, cut, _ = wrapped.step(dict(zip(wrapped.agents, action, strict=True)))
        state, timestep = step(state, action)
        np.testing.assert_allclose(timestep.view.observation, list(views.values()), atol=1e-4)
        np.testing.assert_allclose(timestep.reward, list(rewards.values()), atol=1e-4)
        assert timestep.truncated.tolist() == list(cut.values())
    assert int(state.clock) == 25


def test_spaces_are_those_of_the_package():
    for agents in (2, 3, 5):
        wrapped = spread.parallel_env(N=agents, continuous_actions=True)
        (spec, *_) = SpreadFarama(agents=agents, continuous=True).specs
        space = wrapped.action_space("agent_0")
        assert wrapped.observation_space("agent_0").shape == (spec.observation,)
        assert spec.action == Box(5, 0.0, 1.0)
        assert (space.shape, space.low.min(), space.high.max()) == ((5,), 0.0, 1.0)
