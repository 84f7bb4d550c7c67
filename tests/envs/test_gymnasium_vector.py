"""A batch of Gymnasium's is played as its copies are alone, however it begins its episodes."""

from pathlib import Path

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from coterie.encoding import encoded
from coterie.envs.check import check_env
from coterie.envs.gymnasium import GymnasiumEnv
from coterie.envs.gymnasium_vector import GymnasiumVectorEnv
from coterie.envs.host.encodings import acted_by, encoding_of
from coterie.envs.host.episode import Copy
from coterie.envs.host.layout import record
from coterie.envs.host.rows import decoded_rows, encoded_rows
from coterie.envs.host.sessions import ANSWERS
from coterie.errors import ConfigError, EnvError
from coterie.internal.gymnasium_team import make
from coterie.types import AgentSpec, Discrete

PAIRS = "gym_batches:PairBatch"
COPIES, STEPS = 3, 14


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def pairs(*options):
    return GymnasiumVectorEnv(PAIRS, options)


SEEDS = np.random.default_rng(1).integers(0, 2**31, (STEPS + 1, COPIES)).astype(np.uint32)


def actions_for(env, seed=2):
    """Random actions `[T, G, N]` that every agent can play."""
    sizes = [spec.action.size for spec in env.specs]
    return np.random.default_rng(seed).integers(0, sizes, (STEPS, COPIES, len(sizes)))


def played(env, actions):
    """The first views, and the answers of all steps."""
    sessions = env.vectorize(COPIES).sessions
    state, first = sessions.start(SEEDS[0])
    steps = [sessions.step(state, *told) for told in zip(actions, SEEDS[1:], strict=True)]
    sessions.shutdown()
    return first, steps


def alone(layout, actions):
    """As `played`, of the pair of `gym_pairs`: copy by copy, as worker processes play them."""
    records = np.zeros(COPIES, record(layout))
    copies = [Copy(make("gym_pairs:Pair-v0"), layout, records, k) for k in range(COPIES)]
    records["seed"] = SEEDS[0]
    for copy in copies:
        copy.start()
    yield records["next"].copy()
    for records["action"], records["seed"] in zip(actions, SEEDS[1:], strict=True):
        for copy in copies:
            copy.step()
        yield records.copy()


def assert_equal(told, records):
    """Compare the fields of answers with those of records."""
    for name, array in told.items():
        if isinstance(array, dict):
            assert_equal(array, records[name])
        elif name != "info":
            np.testing.assert_array_equal(array, records[name], err_msg=name)


def test_a_batch_that_is_told_when_to_reset_is_its_copies_bit_for_bit():
    env = pairs()
    assert env.specs == (AgentSpec(1, Discrete(2)), AgentSpec(2, Discrete(3)))
    actions = actions_for(env)
    first, steps = played(env, actions)
    expected, *others = alone(env.layout, actions)
    assert_equal(first, expected)
    for told, records in zip(steps, others, strict=True):
        assert_equal(told, records)
    assert any(told["terminated"].any() for told in steps)
    assert any(told["truncated"].any() for told in steps)


@pytest.mark.parametrize("mode", ["DISABLED", "SAME_STEP"])
def test_the_last_observation_is_kept_and_the_next_episode_begun(mode):
    """Copies draw on from one stream each, whoever resets them: ends are compared, not starts."""
    env = pairs(f"mode={mode}")
    actions = np.broadcast_to(np.array([1, 2]), (STEPS, COPIES, 2))
    first, steps = played(env, actions)
    total, endings = first["observation"][:, 0, 0], 0
    for told in steps:
        total = total + 3
        last, following = (told[name]["observation"][:, 0, 0] for name in ("view", "next"))
        over = told["terminated"].all(axis=1)
        np.testing.assert_array_equal(last, np.minimum(total, 9))
        np.testing.assert_array_equal(told["info"][:, 1, 0], total)
        np.testing.assert_array_equal(over, total >= 7)
        np.testing.assert_array_equal(told["view"]["present"], ~told["terminated"])
        assert told["next"]["present"].all() and not told["truncated"].any()
        assert (following[over] < 3).all()
        total, endings = following, endings + over.sum()
    assert endings > COPIES


def test_a_batch_that_resets_with_the_next_step_has_nobody_in_it():
    env = pairs("mode=NEXT_STEP", "limit=2")
    _, steps = played(env, np.zeros((STEPS, COPIES, 2), int))
    for number, told in enumerate(steps, 1):
        begins = number % 3 == 0
        assert told["terminated"].all() == begins and not told["reward"].any()
        assert told["truncated"].all() == (number % 3 == 2)
        assert told["view"]["present"].all() != begins
        assert told["next"]["present"].all() == (number % 3 != 2)
        assert told["next"]["observation"].any() == (number % 3 != 2)
        assert told["next"]["action_mask"][:, 1].all()


def test_gymnasiums_own_batch_gives_the_numbers_of_the_workers():
    kept = ("max_episode_steps=6",)
    environments = [GymnasiumEnv("CartPole-v1", kept, how) for how in ("sync", "workers")]
    actions = actions_for(environments[0])
    (first, steps), (expected, others) = (played(env, actions) for env in environments)
    assert_equal(first, expected)
    for told, records in zip(steps, others, strict=True):
        assert_equal(told, records)


def test_an_environment_that_brings_its_own_batch():
    env = GymnasiumEnv("CartPole-v1", (), "vector_entry_point")
    batch = gymnasium.make_vec("CartPole-v1", COPIES, "vector_entry_point")
    seen, _ = batch.reset(seed=int(SEEDS[0, 0]))
    actions = actions_for(env)
    first, steps = played(env, actions)
    np.testing.assert_array_equal(first["observation"][:, 0], seen)
    for told, action in zip(steps, actions, strict=True):
        seen, reward, ended, _, _ = batch.step(action[:, 0])
        begun = ~told["view"]["present"][:, 0] & ~ended
        np.testing.assert_array_equal(told["view"]["observation"][~begun, 0], seen[~begun])
        np.testing.assert_array_equal(told["reward"][:, 0], reward)
    assert GymnasiumEnv("gym_batches:PairBatch-v0", (), "vector_entry_point").names == (
        "agent-0",
        "agent-1",
    )


def test_its_first_copy_is_the_picture():
    env = pairs("mode=SAME_STEP", "limit=1")
    single = env.single()
    picture, view = single.reset(jax.random.key(3))
    assert picture.shape == (4, 4, 3) and (picture == view.observation[0, 0, 0]).all()
    _, timestep, _ = single.step(picture, jnp.array([[1, 2]]), jax.random.key(0))
    assert timestep.view.observation[0, 0, 0] == view.observation[0, 0, 0] + 3
    assert timestep.over.all()


SPACES = [
    spaces.Box(-1, 1, (2, 3)),
    spaces.Box(0, 255, (2, 2, 3), np.uint8),
    spaces.Discrete(4, start=-1),
    spaces.MultiDiscrete([[3, 2], [2, 2]]),
    spaces.MultiBinary((2, 2)),
    spaces.Text(4, charset="abc"),
    spaces.OneOf((spaces.Discrete(2), spaces.Box(0, 1, (2,)))),
    spaces.Dict(b=spaces.Discrete(3), a=spaces.Tuple((spaces.Box(0, 1, (1,)), spaces.Discrete(2)))),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_a_batch_is_seen_as_its_copies_are(space):
    space.seed(0)
    each = [space.sample() for _ in range(4)]
    batch = concatenate(space, each, create_empty_array(space, 4))
    encoding = encoding_of(space)
    expected = [encoded(encoding, one) for one in each]
    np.testing.assert_array_equal(encoded_rows(encoding, batch, 4), expected)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(np.float32([[0, -1]]), np.float32([[1, 2]])),
        spaces.Discrete(4, start=-1),
        spaces.MultiDiscrete([3, 2], start=[1, 0]),
        spaces.MultiBinary(2),
    ],
    ids=lambda space: type(space).__name__,
)
def test_a_batch_is_acted_on_as_its_copies_are(space):
    coding, random = acted_by("a", space), np.random.default_rng(0)
    actions = random.uniform(-2, 3, (5, 2)).astype(np.float32)
    if not isinstance(space, spaces.Box):
        actions = random.integers(0, coding.actions, 5)
    decoded = decoded_rows(coding, actions)
    np.testing.assert_array_equal(decoded, [coding.decode(action) for action in actions])
    assert batch_space(space, 5).contains(decoded)


FAULTS = {
    "raises": r"failed: RuntimeError: the rung broke \(.*gym_batches.py",
    "nan": r"copy 1, agent 'agent-1' at step 2 of its episode: its observation\[1\] is nan.$",
    "shape": r"agent 'agent-1': its observation has shape \(3, 1\), not \(3, 2\).$",
    "reward": "copy 1, agent 'agent-0' at step 2 of its episode: its reward is inf.$",
    "rewards": r"the batch gives reward as float64 of shape \(3, 1\), not of shape \(3,\), a num",
    "whole": r"copy \d shows something else after a reset of others: reset only the copies that o",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_batch_gives_one_sentence_and_can_begin_again(fault):
    env = pairs(f"fault={fault}")
    _ = env.layout
    sessions = env.vectorize(COPIES).sessions
    state, _ = sessions.start(SEEDS[0])
    with pytest.raises(EnvError, match=f"^{PAIRS}:? ?{FAULTS[fault]}"):
        for actions in actions_for(env):
            sessions.step(state, actions, SEEDS[0])
    assert sessions.failure is not None
    sessions.start(SEEDS[0])
    assert sessions.failure is None


@pytest.mark.parametrize(
    ("action", "sentence"),
    [([1, 3], "'agent-1' at step 1 of its episode: plays action 3 of 3."), ([-1, 0], "action -1")],
)
def test_impossible_actions_are_named(action, sentence):
    sessions = pairs().vectorize(COPIES).sessions
    state, _ = sessions.start(SEEDS[0])
    with pytest.raises(EnvError, match=sentence):
        sessions.step(state, np.tile(action, (COPIES, 1)), SEEDS[0])


def walked(*steps, options=()):
    """Masks of the first views, and of those after each step, for all doors."""
    sessions = GymnasiumVectorEnv("gym_batches:Doors", options).vectorize(2).sessions
    state, first = sessions.start(SEEDS[0, :2])
    told = [sessions.step(state, np.array(a)[:, None], SEEDS[0, :2]) for a in steps]
    return [first, *(each["next"] for each in told)], [each["view"] for each in told]


FREE, ON = [True, True], [False, True]


@pytest.mark.parametrize("option", ["cut=False", "cut=True"])
def test_masks_are_those_of_each_copy_and_an_end_forbids_nothing(option):
    following, last = walked([1, 0], [1, 0], [0, 1], options=(option,))
    masks = [view["action_mask"][:, 0].tolist() for view in following]
    assert masks == [[FREE, FREE], [ON, FREE], [FREE, FREE], [FREE, ON]]
    assert last[1]["action_mask"][:, 0].tolist() == [FREE, FREE]


def test_a_copy_that_is_told_no_mask_may_do_anything():
    following, _ = walked([1, 1], options=("silent=True",))
    assert following[1]["action_mask"][:, 0].tolist() == [ON, FREE]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("closed=True", "copy 0, agent 'agent-0' at step 1 .* its action_mask allows no action.$"),
        ("late=True", "agent 'agent-0': its action_mask .* or comes for the first time: give one"),
    ],
)
def test_masks_that_cannot_be_obeyed_are_named(option, sentence):
    with pytest.raises(EnvError, match=sentence):
        walked(*[[1, 0]] * 3, options=(option,))


REFUSED = {
    "copies": (("fault=copies",), "makes 2 copies where num_envs=1: make as many as asked"),
    "mode": (("fault=mode",), "whose metadata has autoreset_mode=None: set it to a gymnasium.ve"),
    "argument": (("colour=1",), r"PairBatch\(num_envs=1, colour=1\) failed: TypeError: .*colour"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_batch_gets_a_sentence(case):
    options, sentence = REFUSED[case]
    with pytest.raises(EnvError, match=sentence):
        _ = pairs(*options).specs
    assert len(check_env(pairs(*options))) == 1


def test_a_number_is_no_batch():
    with pytest.raises(EnvError, match="makes a int without 'reset': it must be a gymnasium"):
        _ = GymnasiumVectorEnv("gym_batches:number").specs


CHECKED = {
    "": [],
    "mode=SAME_STEP": [],
    "mode=NEXT_STEP": [],
    "fault=unseeded": ["seed 0 gives two different episodes under the same actions"],
    "fault=whole": ["in a batch of two copies: gym_batches:PairBatch: copy 1 shows something else"],
}


@pytest.mark.parametrize("option", CHECKED)
def test_a_check_plays_one_copy_and_two(option):
    found = check_env(pairs(*filter(None, [option])))
    assert len(found) == len(CHECKED[option])
    assert all(map(str.startswith, found, CHECKED[option]))


def test_the_example_of_a_batch_is_sound():
    env = GymnasiumVectorEnv("examples.own_batch:Rendezvous")
    assert env.specs == (AgentSpec(2, Discrete(3)),) * 2 and check_env(env) == []


def test_a_check_misses_the_last_observation():
    found = check_env(pairs("mode=SAME_STEP", "fault=no_final"))
    assert any(
        "its last observation is not in infos['final_obs']: put it there" in f for f in found
    )


def test_options_of_workers_mean_nothing_to_a_batch():
    with pytest.raises(ConfigError, match="--vectorization sync has no worker processes, so --wor"):
        GymnasiumEnv("CartPole-v1", (), "sync", workers=2)
    with pytest.raises(ConfigError, match="--step-timeout mean nothing to it"):
        GymnasiumEnv("CartPole-v1", (), "vector_entry_point", step_timeout=3.0)
    with pytest.raises(EnvError, match="Pendulum-v1 is registered without a vector_entry_point: "):
        _ = GymnasiumEnv("Pendulum-v1", (), "vector_entry_point").specs
    with pytest.raises(ConfigError, match="each name once"):
        pairs("num_envs=3")


def test_batches_are_closed_at_the_end(tmp_path):
    env = pairs(f"closed={tmp_path / 'closed'}")
    _ = env.layout
    before = (tmp_path / "closed").read_text()
    sessions = env.vectorize(2).sessions
    for _ in range(2):
        sessions.start(SEEDS[0, :2])
    assert (tmp_path / "closed").read_text() == before
    sessions.shutdown()
    assert (tmp_path / "closed").read_text() == before + "xx"
    assert set(ANSWERS) == set(sessions.step(*begun(sessions)))


def begun(sessions):
    """The state of a session that begins again after its end, and what to play."""
    state, _ = sessions.start(SEEDS[0, :2])
    return state, np.zeros((2, 2)), SEEDS[0, :2]
