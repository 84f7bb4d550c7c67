"""What runs of one process compile once."""

import dataclasses

from coterie.envs.gymnasium_vector import GymnasiumVectorEnv
from coterie.graph import Line
from coterie.network import Communication
from coterie.training.programs import Programs
from coterie.training.run import new_run
from coterie.training.setup import set_up
from tests.runs import SETTINGS, Pond, small


def advance(env=None, algorithm="dpo", folder="run", **settings):
    run = new_run(
        small(algorithm), env or Pond(), dataclasses.replace(SETTINGS, **settings), folder
    )
    return Programs(set_up(run)).advance


def test_runs_of_equal_parts_share_what_is_compiled(tmp_path):
    """Equal, not the same; seeds, folders and how many blocks there are come after."""
    first = advance()
    assert advance(folder=tmp_path / "other", seed=7, seeds=2) is first
    assert advance(steps=480, num_evals=4, num_checkpoints=2) is first


def test_runs_of_other_parts_do_not():
    first = advance()
    others = [
        advance(Pond(agents=3)),
        advance(algorithm="ippo"),
        advance(num_envs=8, steps=480),
        advance(eval_episodes=5),
        advance(updates_per_block=1),
        advance(communication=Communication(Line())),
    ]
    assert first not in others and len(set(others)) == len(others)


def test_environments_outside_jax_are_their_runs_own(worlds):
    """What calls them is a part of the program, and they end with their run."""
    env = GymnasiumVectorEnv("gym_batches:PairBatch")
    assert advance(env) is not advance(env)


class Listed(Pond):
    """An environment that is no value: it holds a list."""

    __hash__ = None


def test_an_environment_that_is_no_value_is_its_runs_own():
    assert advance(Listed()) is not advance(Listed())
