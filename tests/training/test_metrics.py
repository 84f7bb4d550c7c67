"""What a block tells: right numbers in the right files, and a stop where they are not finite."""

import dataclasses
import json
import re
import struct

import numpy as np
import pytest

from coterie.errors import ConfigError, EnvError, NonFiniteError, RunError
from coterie.internal.count import Count
from coterie.internal.extras import install
from coterie.internal.reading import read_arrays
from coterie.network import Traffic
from coterie.training import loop
from coterie.training.checkpoint import checkpoints
from coterie.training.evaluate import Scores
from coterie.training.loggers.table import Table, read_table
from coterie.training.metrics import evaluation_row, require_sound, training_row
from coterie.training.rollout import EpisodeStats
from coterie.training.run import new_run, open_run
from coterie.training.settings import Blocks, Settings
from coterie.training.state import MASK, IterationStats, _possible
from coterie.training.traffic_log import Ledger
from coterie.types import Observation
from tests.runs import SETTINGS, Pond, Stop, finished, policies, small, trained

NAMES = ("a", "b")
REPORT = IterationStats(  # two updates; two episodes ended in the first and one in the second
    metrics={"kl": np.array([[1.0, 2.0], [3.0, 6.0]])},
    sent=Count.of([[10, 20], [30, 40]]),
    observed=Count.of([[4, 8], [4, 8]]),
    rounds=np.array([[2, 2], [2, 2]]),
    traffic={
        "critic": Traffic(  # both have one neighbour; the second message of `b` was lost
            rounds=np.array([[1, 1], [1, 1]]),
            sent=np.array([[[1], [1]], [[1], [1]]]),
            carried=Count.of([[[8], [8]], [[8], [12]]]),
            lost=np.array([[[0], [0]], [[1], [0]]]),
        )
    },
    consensus_error={"critic": np.array([0.5, 0.25])},
    episodes=EpisodeStats(
        count=np.array([2, 1]),
        returns=np.array([[2.0, 4.0], [4.0, 11.0]]),
        length=np.array([20, 10]),
        info={"far": np.array([3.0, 6.0]), "each": np.array([[1.0, 2.0], [3.0, 6.0]])},
    ),
    sound={"observation": np.ones((2, 2), bool), "reward": np.ones((2, 2), bool)},
)


def test_rows_by_hand():
    assert training_row(REPORT, NAMES) == {
        "episodes": 3,
        "episode_length": 10,
        "episode_return": 3.5,
        "episode_return/a": 2,
        "episode_return/b": 5,
        "info/far": 3,
        "info/each": 2,
        "kl": 3,
        "kl/a": 2,
        "kl/b": 4,
        "bytes": 50,
        "bytes/a": 40,
        "bytes/b": 60,
        "observed_bytes": 12,
        "rounds": 4,
        "critic/bytes": 18,
        "critic/rounds": 2,
        "critic/lost": 0.25,
        "critic/consensus_error": 0.375,
    }


def test_a_ledger_adds_up_and_goes_on(tmp_path):
    ledger = Ledger(np.array([[1], [0]]), NAMES)
    ledger.add(REPORT)
    other = Ledger(np.array([[1], [0]]), NAMES)
    other.restore(json.loads(json.dumps(ledger.saved())))
    other.add(REPORT)
    assert other.bytes.tolist() == [80, 120]
    other.write(tmp_path / "traffic.csv")
    assert (tmp_path / "traffic.csv").read_text().splitlines() == [
        "payload,from,to,messages,bytes,lost",
        "critic,a,b,4,32,0",
        "critic,b,a,4,40,2",
    ]


def test_no_return_where_no_episode_ended(tmp_path):
    nothing = EpisodeStats(*(np.zeros_like(x) for x in REPORT.episodes[:3]), REPORT.episodes.info)
    row = training_row(REPORT._replace(episodes=nothing), NAMES)
    assert np.isnan([row["episode_return"], row["episode_return/a"], row["episode_length"]]).all()
    assert row["kl"] == 3
    table = Table(tmp_path / "t.csv")
    table.append({"steps": 1.0, "episode_return": row["episode_return"], "kl": row["kl"]})
    assert table.path.read_text() == "steps,episode_return,kl\n1,,3\n"
    assert np.isnan(read_table(table.path)["episode_return"]).all()


def test_an_evaluation_by_hand():
    scores = Scores(
        returns=np.array([[1.0, 2.0], [3.0, 6.0]]),
        lengths=np.array([4, 6]),
        info={"far": np.array([1.0, 2.0])},
        ended=np.array([True, True]),
    )
    expected = {
        "episode_return": 3,
        "episode_return/a": 2,
        "episode_return/b": 4,
        "episode_length": 5,
        "info/far": 1.5,
    }
    assert evaluation_row(scores, NAMES, np.array([10, 30])) == expected | {"bytes": 20}


@pytest.mark.parametrize("quantity", ["observation", "reward", "kl"])
def test_what_is_not_finite_is_named(quantity):
    report = REPORT
    if quantity == "kl":
        report = report._replace(metrics={"kl": np.array([[1.0, np.inf], [3.0, 4.0]])})
    else:
        flags = np.array([[True, False], [True, True]])
        report = report._replace(sound={**report.sound, quantity: flags})
    with pytest.raises(NonFiniteError) as stopped:
        require_sound(report, NAMES, first=11)
    assert str(stopped.value).startswith(f"agent 1 (b): {quantity} is not finite in update 11; ")


def test_who_may_do_nothing_while_it_is_there_is_named():
    mask = np.ones((2, 3, 4, 2), bool)  # [N, T, G, A]
    mask[1, 2, 3] = False
    alive = np.ones((2, 3, 4), bool)
    view = Observation(np.ones((2, 3, 4, 1)), mask)
    assert _possible(view)[MASK].tolist() == [True, False]
    assert _possible(view._replace(alive=alive))[MASK].tolist() == [True, False]
    alive[1, 2, 3] = False
    assert _possible(view._replace(alive=alive))[MASK].all()
    assert _possible(view._replace(action_mask=None)) == {}

    report = REPORT._replace(sound={MASK: np.array([[True, True], [True, False]])})
    with pytest.raises(
        EnvError, match=r"agent 1 \(b\): its action mask allows nothing in update 12"
    ):
        require_sound(report, NAMES, first=11)


def stopped(folder, env=None, settings=SETTINGS, **options):
    run = new_run(small("ippo", **options), env or Pond(), settings, folder)
    with pytest.raises(NonFiniteError) as error:
        loop.train(run)
    for checkpoint in checkpoints(run.checkpoints(0)):
        for file in checkpoint.iterdir():
            arrays = read_arrays(file)[0].values()
            assert all(np.isfinite(x).all() for x in arrays if x.dtype == np.float32)
    return str(error.value), run


def test_a_reward_that_turns_nan_stops_the_run(tmp_path):
    text, run = stopped(tmp_path / "run", Pond(broken=3))
    assert text.startswith(
        "agent 1 (agent-1): reward is not finite in update 1; run `coterie check`"
    )
    assert checkpoints(run.checkpoints(0)) == []


def test_parameters_that_explode_stop_the_run(tmp_path):
    settings = dataclasses.replace(
        SETTINGS, updates_per_block=1, steps=240, num_evals=1, num_checkpoints=10
    )
    text, _ = stopped(tmp_path / "run", settings=settings, entropy_coef=3e38, minibatches=1)
    assert text.startswith("agent 0 (agent-0): ")
    assert "not finite" in text
    assert "--actor-lr" in text


def test_no_column_is_missing_from_a_real_run():
    table = read_table(finished().metrics(0))
    for name in (
        "episode_return",
        "entropy",
        "kl",
        "policy_loss",
        "critic_loss",
        "gradient_norm",
        "bytes",
    ):
        each = [table[f"{name}/agent-{i}"] for i in (0, 1)]
        np.testing.assert_allclose(table[name], np.mean(each, axis=0), rtol=1e-6)
    assert table["steps"].tolist() == [48, 96, 144, 192, 240]
    assert read_table(finished().evaluations(0))["steps"].tolist() == [0, 144, 240]


BROKEN = {
    "empty": ("", None),
    "half a header": ("steps,ret", None),
    "half a row": ("steps,x\n10,1\n20,2\n3", "steps,x\n10,1\n20,2\n"),
    "beyond": ("steps,x\n10,1\n20,2\n30,3\n", "steps,x\n10,1\n20,2\n"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_table_is_cut_back(tmp_path, case):
    before, after = BROKEN[case]
    table = Table(tmp_path / "t.csv")
    table.path.write_text(before)
    table.cut(20)
    assert (table.path.read_text() if table.path.exists() else None) == after


def test_a_table_of_something_else_is_named(tmp_path):
    path = tmp_path / "t.csv"
    for content in (b"steps,x\n1,one\n", b"\xff\xfe\n"):
        path.write_bytes(content)
        with pytest.raises(RunError, match=str(path)):
            read_table(path)


def test_tensorboard_has_the_same_numbers(tmp_path):
    run = new_run(small("dpo"), Pond(), SETTINGS, tmp_path / "run", ("tensorboard",))
    stop = Stop(2)
    assert loop.train(run, [stop], stop) is False
    assert loop.resume(open_run(run.folder)) is True
    files = list((run.seed_folder(0) / "tensorboard").iterdir())
    files.sort(key=lambda file: file.stat().st_mtime)
    found = [scalar for file in files for event in events(file) for scalar in scalars(event)]
    begun = [event.step for file in files for event in events(file) if event.session_log.status]
    assert begun == [0, 97]  # what comes after the checkpoint is told anew
    for kind, path in (("training", run.metrics(0)), ("evaluation", run.evaluations(0))):
        table = read_table(path)
        for name in set(table) - {"steps"}:
            pairs = zip(table["steps"], table[name], strict=True)
            expected = [(step, value) for step, value in pairs if not np.isnan(value)]
            seen = [(step, value) for tag, step, value in found if tag == f"{kind}/{name}"]
            np.testing.assert_allclose(seen, expected, rtol=1e-6)


def events(file):
    """What an event file holds."""
    from tensorboardX.proto.event_pb2 import Event

    data, at = file.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += 16 + length


def scalars(event):
    """The numbers in an event: tag, step, value."""
    return [(value.tag, event.step, value.simple_value) for value in event.summary.value]


def test_tensorboard_needs_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run = new_run("dpo", Pond(), SETTINGS, tmp_path / "run", ("tensorboard",))
    with pytest.raises(ConfigError, match=re.escape(install("tensorboard"))):
        loop.train(run)
    assert not run.folder.exists()


WRONG = {
    "steps": (0, -5, 1.5, True, "8"),
    "num_envs": (0,),
    "seeds": (0,),
    "updates_per_block": (0,),
    "num_evals": (0,),
    "eval_episodes": (0,),
    "num_checkpoints": (0,),
    "seed": (-1, 2**31),
}


@pytest.mark.parametrize(("name", "value"), [(k, v) for k, many in WRONG.items() for v in many])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(Exception) as refused:
        Settings(**{name: value})
    assert name in str(refused.value)
    assert str(value) in str(refused.value)


@pytest.mark.parametrize("times", [1, 2, 3, 7])
@pytest.mark.parametrize("number", [1, 2, 5, 7, 100])
def test_what_is_due_is_evenly_spread_and_ends_with_the_run(times, number):
    blocks = Blocks(updates=3 * number, number=number, update_steps=1)
    due = [block for block in range(1, number + 1) if blocks.is_due(times, block)]
    assert len(due) == min(times, number)
    assert due[-1] == number
    gaps = np.diff([0, *due])
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("steps", [1, 199, 200, 201, 19_999, 20_000])
@pytest.mark.parametrize("most", [1, 7, 10, 10**9])
def test_blocks_are_cut_to_the_budget_and_its_events(steps, most):
    settings = Settings(steps=steps, num_envs=4, updates_per_block=most, num_evals=20)
    blocks = settings.blocks(rollout_length=50)
    assert 0 <= blocks.steps - steps < 200  # an update is the least that can be trained for
    assert blocks.number >= min(20, blocks.updates)  # as many evaluations as were asked for
    lengths = np.diff([blocks.updates_after(block) for block in range(blocks.number + 1)])
    assert sum(lengths) == blocks.updates
    assert max(lengths) == blocks.longest <= min(lengths) + 1
    assert blocks.longest <= most


def test_blocks_of_two_lengths_are_a_run_of_single_updates(tmp_path):
    """A block has room for the longest; what is beyond a shorter one tells nothing."""
    uneven = dataclasses.replace(SETTINGS, steps=168, updates_per_block=3, num_checkpoints=1)
    single = dataclasses.replace(uneven, updates_per_block=1)
    run, other = (trained(tmp_path / str(i), settings=s) for i, s in enumerate((uneven, single)))
    assert policies(run) == policies(other)
    assert read_table(run.metrics(0))["steps"].tolist() == [48, 96, 168]
    for column in ("bytes", "episodes"):
        totals = [read_table(each.metrics(0))[column].sum() for each in (run, other)]
        assert totals[0] == totals[1]
    assert read_table(run.metrics(0))["entropy"].min() > 0.9
