"""Teams in which some agents have discrete actions and others continuous ones."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.catalogue import make_algorithm
from coterie.envs.check import check_env
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Timestep
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import ConfigError
from coterie.policies import load_policy
from coterie.results import score
from coterie.training import loop
from coterie.training.action_scaling import action_scaling
from coterie.training.run import new_run
from coterie.training.setup import set_up
from tests.runs import SETTINGS, small, trained

NUMBERED = np.array([True, False])


@dataclass(frozen=True)
class Crew(JaxEnv):
    """Agent 0 is paid for its last action of three, agent 1 for two numbers near 3, in [0, 4]."""

    @property
    def specs(self):
        return (AgentSpec(1, Discrete(3)), AgentSpec(1, Box(2, 0.0, 4.0)))

    def view(self):
        mask = jnp.array([[True, True, True], [True, True, False]])
        return Observation(jnp.ones((2, 1)), mask)

    def reset(self, key):
        return jnp.int32(0), self.view()

    def step(self, state, action):
        chosen = action[0, 0].astype(jnp.int32)
        far = jnp.mean((action[1, :2] - 3.0) ** 2)
        flags = jnp.zeros(2, bool), jnp.full(2, state == 4)
        return state + 1, Timestep(
            self.view(), jnp.stack([1.0 * (chosen == 2), -far]), *flags, {"number": action[0, 0]}
        )


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "envs"))


def test_numbers_of_actions_pass_the_border_as_they_are():
    scale = action_scaling(Crew().specs)
    told = scale.to_env(jnp.array([[[2.0, 0.0, 0.0]], [[-1.0, 5.0, 0.0]]]))
    assert told.tolist() == [[[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]]]
    shown = scale.encode(jnp.array([[[2.0, 0.0, 0.0]], [[-1.0, 5.0, 0.0]]]))
    assert shown.tolist() == [[[0.0, 0.0, 1.0], [-1.0, 1.0, 0.0]]]


def test_both_kinds_learn_side_by_side_and_have_policy_files_of_their_own_kind(tmp_path):
    settings = dataclasses.replace(
        SETTINGS, steps=12_000, num_envs=16, updates_per_block=30, num_evals=1, num_checkpoints=1
    )
    more = {"actor_lr": 0.02, "critic_lr": 0.02, "epochs": 4}
    run = trained(tmp_path / "run", "ippo", Crew(), settings, **more)
    scores = score(run, 0, 32)
    chosen, near = scores.returns.mean(axis=0)
    assert chosen > 4.5  # of 5; 1.7 at random
    assert near > -6.0  # -12 at first
    assert np.isin(scores.info["number"], [0.0, 1.0, 2.0]).all()
    first, second = (load_policy(run.policy_file(0, name)) for name in Crew().names)
    assert first(np.ones(1)) == 2 and isinstance(first(np.ones(1)), int)
    assert second(np.ones(1)).shape == (2,)
    assert first.metadata.action == Discrete(3) and second.metadata.action == Box(2, 0.0, 4.0)


@pytest.mark.parametrize("name", ["iql", "maddpg", "matrpo", "ctrpo", "networked-ac", "f2a2-sac"])
def test_methods_of_one_kind_say_so(name):
    run = new_run(make_algorithm(name), Crew(), SETTINGS, "runs/none")
    with pytest.raises(ConfigError, match="this one has both: use a method for both, as dpo, ippo"):
        set_up(run)


def test_teams_outside_jax_have_both_kinds_too(tmp_path):
    env = PettingZooEnv("odd:Odd", ("space=both", "mask=0"), workers=1)
    assert [spec.action for spec in env.specs] == [Discrete(2), Box(3, (0.0,) * 3, (2.0,) * 3)]
    assert [s for s in check_env(env) if "same episode" not in s] == []
    vector = env.vectorize(1)
    _, view = vector.reset(jax.random.key(0))
    assert view.action_mask[0].tolist() == [[True, False, False], [True, True, True]]
    given = vector.sessions.step(1, np.array([[[0, 0, 0], [1, 1, 0.5]]]), np.zeros(1, np.uint32))
    assert given["reward"].tolist() == [[0.0, 2.5]]
    vector.shutdown()
    loop.dry_run(new_run(small("dpo"), env, SETTINGS, "runs/none"))


def test_the_check_of_an_environment_plays_both_kinds():
    assert [s for s in check_env(Crew()) if "same episode" not in s] == []
