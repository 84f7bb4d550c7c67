"""Loggers: who is told, what exactly, and only once when a run goes on."""

import dataclasses
import json
import re
import struct

import numpy as np
import pytest

import coterie
from coterie.cli import main
from coterie.errors import ConfigError, RunError
from coterie.internal.extras import install
from coterie.training import loop
from coterie.training.loggers import Logger, made
from coterie.training.loggers.table import Table, read_table
from coterie.training.run import new_run, open_run
from examples.own_logger import JsonLines
from tests.runs import SETTINGS, Pond, Stop, finished, small, trained

EXTRAS = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}


class Failing(Stop):
    """A logger that fails at its first row."""

    def log(self, kind, seed, steps, row):
        raise RuntimeError("no network")


def stopped_and_resumed(folder, name):
    """A run that is told to a logger, stopped between two checkpoints, and resumed twice."""
    run = new_run(small("dpo"), Pond(), SETTINGS, folder, (name,))
    stop = Stop(2)
    assert loop.train(run, [stop], stop) is False
    run = open_run(folder)
    assert run.loggers == (name,)
    assert loop.resume(run) is True
    assert loop.resume(run) is True
    return run


def expected(run):
    """What the tables say: `(name, steps) -> number`."""
    tables = {"training": run.metrics(0), "evaluation": run.evaluations(0)}
    return {
        (f"{kind}/{name}", int(steps)): value
        for kind, path in tables.items()
        for name, column in read_table(path).items()
        if name != "steps"
        for steps, value in zip(read_table(path)["steps"], column, strict=True)
        if not np.isnan(value)
    }


def test_a_row_with_other_columns_is_an_error_and_not_shifted(tmp_path):
    Table(tmp_path / "t.csv").append({"steps": 1.0, "a": 2.0})
    table = Table(tmp_path / "t.csv")  # as another process opens it
    table.append({"a": 4.0, "steps": 3.0})
    for row, words in (
        ({"steps": 5.0, "b": 6.0}, "this row has b in addition and lacks a"),
        ({"steps": 5.0}, "this row has nothing in addition and lacks a"),
        ({"steps": 5.0, "a": 6.0, "b": 7.0}, "this row has b in addition and lacks nothing"),
    ):
        with pytest.raises(RunError, match=words):
            table.append(row)
    assert table.path.read_text() == "steps,a\n1,2\n3,4\n"


def test_an_own_logger_is_told_all_rows_in_order_and_the_end(tmp_path):
    own = Stop()
    run = coterie.train(
        small("dpo"), Pond(), SETTINGS, tmp_path / "run", loggers=[own], plots=False
    )
    assert own.over and own.run == run and isinstance(own, Logger)
    assert [steps for _, steps, _ in own.evaluations] == [0, 144, 240]
    told = [row["entropy"] for _, _, row in own.rows]
    assert told == pytest.approx(read_table(run.metrics(0))["entropy"], rel=1e-8)
    assert not (run.folder / "plots").exists()


def test_whoever_fails_the_others_finish(tmp_path):
    own, run = Stop(), new_run(small("dpo"), Pond(), SETTINGS, tmp_path / "run")
    with pytest.raises(RuntimeError, match="no network"):
        loop.train(run, [own, Failing()])
    assert own.over and len(own.evaluations) == 1 and own.rows == []


def test_a_class_in_place_of_a_logger_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is no logger: give a value with the methods start"):
        coterie.train("dpo", Pond(), SETTINGS, tmp_path / "run", loggers=[Stop])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_package_is_named_before_anything_is_written(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(ConfigError, match=f"{EXTRAS[name]}: {re.escape(install(name))}"):
        made(["csv", name])


def test_the_example_from_the_command_line_and_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "--actor.hidden-sizes 8 --critic.hidden-sizes 8 --rollout-length 6 --epochs 1"
    words += " --minibatches 2 --num-envs 4"
    words += " --updates-per-block 2 --steps 240"
    looks = "--num-evals 2 --eval-episodes 3 --no-plots --folder run --loggers csv"
    name = "examples.own_logger:JsonLines"
    main(["train", "dpo", "tests.runs:Pond", *words.split(), *looks.split(), name])
    run = open_run("run")
    table = read_table(run.evaluations(0))
    first, *rows = map(json.loads, (run.folder / "evaluation.jsonl").read_text().splitlines())
    assert first == json.loads(json.dumps(run.describe()))
    assert first["loggers"] == ["csv", name]
    assert [row["steps"] for row in rows] == table["steps"].tolist()
    assert [row["episode_return"] for row in rows] == pytest.approx(
        table["episode_return"].tolist(), rel=1e-6
    )


def test_the_example_repeats_nothing_when_it_goes_on(tmp_path):
    run = trained(tmp_path / "run", stop=4)
    own = JsonLines()
    own.path = run.folder / own.file
    for value in (
        {},
        *({"seed": 0, "steps": steps, "episode_return": 0.0} for steps in (0, 144, 240)),
    ):
        own._write(value)
    own.start(run)
    assert len(own.path.read_text().splitlines()) == 3


def test_a_run_in_memory_has_the_same_numbers_and_policies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, disk = coterie.train_in_memory(small("dpo"), Pond(), SETTINGS), finished()
    assert run.finished and list(tmp_path.iterdir()) == []
    for mine, path in (
        (run.metrics(0), disk.metrics(0)),
        (run.evaluations(0), disk.evaluations(0)),
    ):
        table = read_table(path)
        assert list(mine) == list(table)
        for name in set(table) - {"seconds"}:
            np.testing.assert_allclose(mine[name], table[name], rtol=1e-8)
    own, loaded = run.policy("agent-1"), coterie.load_policy(disk.policy_file(0, "agent-1"))
    assert own.metadata == dataclasses.replace(loaded.metadata, run="")
    for greedy in (True, False):
        own = run.policy("agent-1", greedy=greedy)
        again = run.policy("agent-1", greedy=greedy)
        assert [own([0.1, x]) for x in range(9)] == [again([0.1, x]) for x in range(9)]
    loaded = coterie.load_policy(disk.policy_file(0, "agent-1"), greedy=True)
    own = run.policy("agent-1", greedy=True)
    assert [own([0.1, x]) for x in range(9)] == [loaded([0.1, x]) for x in range(9)]
    with pytest.raises(RunError, match="no policy of 'bob' in seed 0: it has those of agent-0, a"):
        run.policy("bob")


def test_tensorboard_has_no_place_without_a_folder():
    with pytest.raises(ConfigError, match="writes into a run's folder, and this run has none"):
        coterie.train_in_memory(small("dpo"), Pond(), SETTINGS, loggers=["tensorboard"])


def test_an_own_loop_learns_what_a_run_learns():
    import jax

    start, update = coterie.make_update(small("dpo"), Pond(), SETTINGS)
    team = start(jax.random.key(0))
    rounds = []
    for _ in range(2 * 5):
        team, report = update(team)
        rounds.append(np.mean(report.metrics["entropy"]))
    told = read_table(finished().metrics(0))["entropy"]
    np.testing.assert_allclose(np.reshape(rounds, (5, 2)).mean(axis=1), told, rtol=1e-5)


def wandb_records(data):
    """What an offline run of W&B holds: pieces of records in blocks of 32 kB, as LevelDB's logs."""
    from wandb.proto.wandb_internal_pb2 import Record

    at, held = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # no room for another piece in this block
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        held += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield Record.FromString(held)
            held = b""


@pytest.mark.filterwarnings("default")
def test_wandb_has_the_same_numbers_once(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = stopped_and_resumed(tmp_path / "run", "wandb")
    found, names, configured = [], set(), {}
    for path in sorted((run.folder / "wandb").glob("offline-run-*/*.wandb")):
        for record in wandb_records(path.read_bytes()):
            if record.HasField("run"):
                names.add(record.run.run_id)
                configured |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
            items = {
                item.key or item.nested_key[0]: json.loads(item.value_json)
                for item in record.history.item
            }
            found += [((n, items["steps"]), v) for n, v in items.items() if "/" in n]
    assert len(names) == 1 and configured["algorithm.horizon"] == 6
    assert len(found) == len(dict(found))
    assert dict(found) == pytest.approx(expected(run), rel=1e-6)


@pytest.mark.filterwarnings("default")
def test_mlflow_has_the_same_numbers_once(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    run = stopped_and_resumed(tmp_path / "run", "mlflow")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("coterie")
    (told,) = client.search_runs([experiment.experiment_id])
    assert told.data.params["algorithm.horizon"] == "6" and told.info.status == "FINISHED"
    found = [
        ((name, metric.step), metric.value)
        for name in told.data.metrics
        for metric in client.get_metric_history(told.info.run_id, name)
    ]
    assert len(found) == len(dict(found))
    known = {(n.replace("/agent", ".agent"), steps): v for (n, steps), v in expected(run).items()}
    assert dict(found) == pytest.approx(known, rel=1e-6)
