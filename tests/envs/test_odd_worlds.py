"""Environments outside JAX with masks, infos, names and options of all kinds: the right numbers."""

from pathlib import Path

import jax
import numpy as np
import pytest

from coterie.envs.check import check_env
from coterie.envs.host.episode import Copy
from coterie.envs.host.layout import Layout, measure, record
from coterie.envs.host.serve import Job
from coterie.envs.painted import PaintedEpisode
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import EnvError
from tests.envs.odd import Odd


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def copy_of(env):
    """A copy between the arrays of its record, and these, once it has begun an episode."""
    layout = measure(env)
    records = np.zeros(1, record(layout))
    copy = Copy(env, layout, records, 0)
    copy.start()
    return copy, records[0]


def test_the_mask_of_a_view_that_is_cut_off_is_kept():
    """Learners look beyond a time limit, and must not see a forbidden action there."""
    copy, told = copy_of(Odd(limit=1, mask=0))
    copy.step()
    assert told["truncated"].all()
    assert told["view"]["action_mask"].tolist() == [[True, False]] * 2


def test_after_an_end_and_where_a_mask_is_empty_everything_is_allowed():
    copy, told = copy_of(Odd(limit=1, mask=0, ending="terminated"))
    copy.step()
    assert told["view"]["action_mask"].all()


def test_masks_that_come_with_the_first_step_are_obeyed():
    env = Odd(mask=1)
    assert measure(env).masked
    copy, told = copy_of(env)
    assert told["next"]["action_mask"].all()
    copy.step()
    assert told["next"]["action_mask"].tolist() == [[True, False]] * 2


def test_masks_that_come_later_are_refused():
    copy, _ = copy_of(Odd(mask=3))
    copy.step()
    copy.step()
    with pytest.raises(EnvError, match=r"'a0' at step 3 .* an action_mask comes for the"):
        copy.step()


def test_numbers_in_infos_may_come_with_the_first_step_and_text_is_no_number():
    env = Odd(infos=lambda t: {"far": t} if t else {"note": "x"})
    assert measure(env).info == ("far",)
    copy, told = copy_of(Odd(infos=lambda t: {"far": "far" if t == 2 else t}))
    copy.step()
    assert told["info"].tolist() == [[1.0], [1.0]]
    copy.step()
    assert np.isnan(told["info"]).all()


def test_rewards_that_are_no_numbers_are_named():
    for reward, sentence in ((None, "its reward is None"), ([1, 2], "not one number")):
        copy, _ = copy_of(Odd(reward=reward))
        with pytest.raises(EnvError, match=sentence):
            copy.step()
    copy, _ = copy_of(Odd(reward=1e300))
    with pytest.raises(EnvError, match=r"its reward holds .inf"):
        copy.step()


@pytest.mark.parametrize("names", ["numpy", "enum", "tuple", "int"])
def test_agents_may_be_called_anything(names):
    """A worker is told the names as text, and finds its agents by their order."""
    env = Odd(names=names)
    layout = measure(env)
    told = Job("odd:Odd", (), layout, 1, 0, 1)
    assert Job.read(told.text()) == told and isinstance(Job.read(told.text()).layout, Layout)
    copy, told = copy_of(env)
    copy.step()
    assert told["reward"].tolist() == [1.0, 1.0] and told["next"]["present"].all()


def test_several_choices_are_one_action_for_each_combination():
    env = Odd(space="multi")
    layout = measure(env)
    assert layout.actions == (6, 6) and layout.discrete
    coding = layout.acted[0]
    assert [coding.decode(k).tolist() for k in (0, 1, 5)] == [[1, 0], [1, 1], [2, 2]]
    assert coding.mask(([0, 1], [1, 1, 0])).tolist() == [False] * 3 + [True, True, False]
    copy, told = copy_of(env)
    told["action"][:] = 5
    copy.step()
    assert told["reward"].tolist() == [4.0, 4.0]


def test_images_stay_images_and_bytes_become_numbers_from_0_to_1():
    copy, told = copy_of(Odd(sees="bytes"))
    assert copy.layout.image == (2, 2, 3) and copy.layout.observations == (12, 12)
    np.testing.assert_allclose(told["next"]["observation"], 0.2)
    env = PettingZooEnv("odd:Odd", ("sees=bytes",))
    assert [spec.observation for spec in env.specs] == [(2, 2, 3)] * 2
    found = check_env(env, episodes=1)
    assert "bytes of shape (2, 2, 3): divided by 255, an image to --actor cnn" in found[0]


@pytest.mark.parametrize("text", ["size=[5,5]", "size={'a': 1}", "size=1e400"])
def test_options_of_any_kind_reach_the_factory(text):
    env = PettingZooEnv("odd:Odd", (text,), workers=1)
    assert len(env.specs) == 2
    job = Job("odd:Odd", env.env_kwargs, env.layout, 1, 0, 1)
    assert Job.read(job.text()) == job


def test_what_an_environment_prints_is_no_output(capfd):
    vector = PettingZooEnv("odd:Odd", ("says=hello",), workers=1).vectorize(1)
    capfd.readouterr()
    jax.block_until_ready(vector.reset(jax.random.key(0)))
    vector.shutdown()
    said = capfd.readouterr()
    assert said.out == "" and "hello" in said.err


def test_more_states_than_usual_are_played_where_room_is_reserved():
    """As by a run of so many seeds, whose evaluations close what they began."""
    vector = PettingZooEnv("odd:Odd", workers=1).vectorize(1)
    vector.sessions.alive = 2
    vector.reserve(3)
    states = [int(vector.reset(jax.random.key(k))[0]) for k in range(3)]
    action = np.zeros((1, 2), np.int32)
    given = vector.sessions.step(states[0], action, np.zeros(1, np.uint32))
    assert given["reward"].tolist() == [[1.0, 1.0]]
    vector.sessions.close(states[2])
    for _ in range(3):
        vector.sessions.close(int(vector.sessions.start(np.zeros(1, np.uint32))[0]))
    assert list(vector.sessions._sets) == [states[1], states[0]]
    vector.shutdown()
    assert vector.sessions._players.gone


def test_a_picture_that_fails_or_is_none_is_named():
    def painted(picture):
        env = Odd()
        env.render = picture
        return PaintedEpisode(env, measure(env))

    with pytest.raises(EnvError, match=r"render\(\) of .* raised ZeroDivisionError"):
        painted(lambda: 1 / 0).reset(jax.random.key(0))
    with pytest.raises(EnvError, match=r"gives an array of shape \(\), not a picture"):
        painted(lambda: None).reset(jax.random.key(0))
