"""One player: what it records is what was played, and pictures show what policy files would do."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import RandomMDP
from coterie.envs.game import Env, Timestep
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import ConfigError, EnvError
from coterie.policies import load_policy
from coterie.results import film, trained_team
from coterie.training.play import _earned, play
from coterie.types import Observation
from tests.runs import Pond, finished, trained


def test_a_play_is_recorded_step_by_step():
    team, env = trained_team(finished(), 0), Pond()
    told = play(team, env, jax.random.key(0), 13, num_envs=2)
    assert told.reward.shape == (13, 2, 2)
    assert told.over[:, 0].tolist() == ([False] * 5 + [True]) * 2 + [False]
    sums, lengths = play(team, env, jax.random.key(0), 13, lambda m: (m.returns, m.lengths), 2)
    assert lengths[:, 1].tolist() == [1, 2, 3, 4, 5, 6] * 2 + [1]
    np.testing.assert_allclose(sums[5], told.reward[:6].sum(0), rtol=1e-6)
    np.testing.assert_allclose(sums[11], told.reward[6:12].sum(0), rtol=1e-6)
    with pytest.raises(ConfigError, match="steps must be at least 1, not 0"):
        play(team, env, jax.random.key(0), 0)


def test_who_remembers_forgets_when_an_episode_is_over():
    env = Pond(box=True)  # numbers show every bit of a memory, choices do not
    run = finished("dpo", env, recurrent=True)
    views, chosen = play(
        trained_team(run, 0),
        env,
        jax.random.key(0),
        8,
        lambda m: (m.view.observation[:, 0], m.decision.action[:, 0]),
        greedy=True,
    )
    for agent, spec in enumerate(env.specs):
        policy = load_policy(run.policy_file(0, f"agent-{agent}"), greedy=True)
        for step in range(8):
            if step == 6:
                policy.reset()
            played = spec.action.rescale(chosen[step, agent])
            np.testing.assert_allclose(policy(np.asarray(views[step, agent])), played, atol=1e-6)


def test_a_film_in_jax_shows_an_episode_to_its_end():
    run, env = finished("iql"), Pond()
    shown = film(run, 0, key=3)
    policies = [load_policy(run.policy_file(0, f"agent-{i}")) for i in range(2)]
    state, view = env.reset(jax.random.split(jax.random.key(3))[0])
    places = [state[0]]
    for _ in range(6):
        action = [policy(np.asarray(view.observation[i])) for i, policy in enumerate(policies)]
        state, timestep = env.step(state, jnp.array(action))
        view: Observation = timestep.view
        places.append(state[0])
    assert len(shown) == 7
    np.testing.assert_allclose([scene.positions[:, 0] for scene in shown], places, rtol=1e-5)


def test_a_film_outside_jax_shows_what_the_policy_files_play(tmp_path, monkeypatch):
    """Each agent alone; those who have left do nothing."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "envs"))
    env = PettingZooEnv("worlds:Painted", ("extra=1",), workers=1)
    run = trained(tmp_path / "run", "iql", env)
    for key in range(3):
        assert np.array_equal(
            film(run, 0, key), by_hand(run, env.build(render_mode="rgb_array"), key)
        )


def by_hand(run, env, key):
    """The pictures of an episode, agent by agent and without the adapter."""
    names = env.possible_agents
    files = [run.policy_file(0, name) for name in names]
    policies = {name: load_policy(files[i]) for i, name in enumerate(names)}
    seen, _ = env.reset(seed=key)
    pictures = [env.render()]
    while env.agents:
        actions = {agent: policies[agent](seen[agent]) for agent in env.agents}
        seen, *_ = env.step(actions)
        pictures.append(env.render())
    return pictures


def test_environments_without_a_picture_say_so():
    class Dark(Env):
        specs = ()

        def vectorize(self, copies):
            raise NotImplementedError

    with pytest.raises(EnvError, match="Dark has no picture: give it `single` and `render`"):
        Dark().single()
    with pytest.raises(EnvError, match=r"Dark has no picture: give it a `render\(state\)` method"):
        Dark().render(())
    with pytest.raises(EnvError, match="RandomMDP has no picture, for its states are only numbers"):
        RandomMDP().render(jax.eval_shape(RandomMDP().reset, jax.random.key(0))[0])


def test_nothing_is_earned_after_an_agents_end():
    """One rule for environments in JAX and outside it: what they still pay is dropped."""
    view = Observation(jnp.zeros((1, 2, 1)))
    flags = jnp.zeros((1, 2), bool)
    timestep = Timestep(view, jnp.array([[3.0, 4.0]]), flags, flags, {})
    assert _earned(timestep, jnp.array([[True, False]])).reward.tolist() == [[3.0, 0.0]]
    assert _earned(timestep, None).reward.tolist() == [[3.0, 4.0]]
