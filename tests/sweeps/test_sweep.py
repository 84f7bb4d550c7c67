"""Sweeps whose trials are done by a formula: what is tried, resumed, failed, ranked and refused."""

import csv
import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import coterie
from coterie.algorithms import DPO
from coterie.cli import main
from coterie.errors import ConfigError, RunError, require
from coterie.graph import Ring, Star
from coterie.internal.lock import hold
from coterie.rl.models import MLP
from coterie.sweeps import Random, Range
from coterie.sweeps import result as sweep_result
from coterie.sweeps.pictures import draw
from coterie.training import loop
from coterie.training.config import read_config
from coterie.training.loop import dry_run
from coterie.training.settings import Settings
from tests.runs import Pond, refused
from tests.sweeps.desk import Desk

POND = "tests.runs:Pond"
DESK = "tests.sweeps.desk:Desk"
WORDS = ["sweep", "dpo", POND, "--actor-lr", "1e-4,1e-3,1e-2", "--minibatches", "2,4"]
HERE = ["--launcher", DESK, "--folder", "s"]
SETTINGS = Settings(steps=240, num_envs=4, seeds=2)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep_result, "draw", lambda *_: [])  # which takes longer than the trials,
    monkeypatch.setattr(loop, "dry_run", lambda _: None)  # and so does this
    Desk.commands.clear()
    return tmp_path


def answer(capsys, *words):
    capsys.readouterr()
    main([*words, "--json", "--quiet"])
    return json.loads(capsys.readouterr().out)


DESKS = Desk()


def swept(axes, launcher=DESKS, folder="s", **options):
    return coterie.sweep(DPO(), Pond(), axes, SETTINGS, folder, launcher=launcher, **options)


def states(folder="s"):
    return [each["state"] for each in json.loads(Path(folder, "sweep.json").read_text())["trials"]]


def test_a_grid_tries_every_combination_and_ranks_them(capsys):
    told = answer(capsys, *WORDS, *HERE, "--seeds", "2", "--num-envs", "4", "--steps", "240")
    assert told["finished"] and len(told["trials"]) == len(Desk.commands) == 6
    values = [tuple(each["values"].values()) for each in told["trials"]]
    assert values == [(a, b) for a in ("1e-4", "1e-3", "1e-2") for b in ("2", "4")]
    assert [row["label"] for row in told["table"][:2]] == [
        "trial-000: actor-lr 1e-4, minibatches 2",
        "trial-001: actor-lr 1e-4, minibatches 4",
    ]
    assert told["table"][0]["final"] == pytest.approx(9.5 + 0.005)
    assert told["table"][-1]["final"] == pytest.approx(8.5 + 0.005)
    with open("s/sweep.csv") as file:
        rows = list(csv.DictReader(file))
    assert rows[2]["actor-lr"] == "1e-3" and rows[2]["state"] == "finished"
    assert float(rows[2]["final"]) == pytest.approx(9.505) and rows[2]["seeds"] == "2"


def test_pictures_show_the_trials_and_what_mattered(monkeypatch):
    monkeypatch.setattr(sweep_result, "draw", draw)
    result = swept({"actor_lr": [1e-4, 1e-3]})
    assert [file.name for file in result.files] == ["sweep.csv", "parallel.png", "importance.png"]
    assert all(file.stat().st_size > 100 for file in result.files)


def test_the_best_command_repeats_the_trial_with_other_seeds(capsys):
    words = ["--seeds", "2", "--seed", "5", "--num-envs", "4", "--discount", "0.9"]
    told = answer(capsys, *WORDS, *HERE, *words)
    command = told["best"]["command"].split()
    assert command[:4] == ["coterie", "train", "dpo", POND]
    main(["config", *command[2:], "--quiet"])
    Path("best.toml").write_text(capsys.readouterr().out)
    best, trial = read_config("best.toml"), read_config("s/configurations/trial-000.toml")
    assert (best.algorithm, best.env) == (trial.algorithm, trial.env)
    assert best.settings == replace(trial.settings, seed=7) and trial.settings.seed == 5


def test_a_failed_trial_does_not_stop_the_others_and_is_retried(capsys):
    result = swept({"actor_lr": [1e-4, 1e-3, 1e-2]}, Desk(fails=("0.001",)))
    (failed,) = result.having("failed")
    assert (failed.name, failed.sentence) == ("trial-001", "no such luck.")
    assert len(result.table) == 2 and result.finished
    with open("s/sweep.csv") as file:
        assert [row["sentence"] for row in csv.DictReader(file)] == ["", "no such luck.", ""]
    Desk.commands.clear()
    assert len(swept({"actor_lr": [1e-4, 1e-3, 1e-2]}).table) == 3
    (command,) = Desk.commands  # of the one that had failed, which has a folder by now
    assert command[3:6] == ["resume", "s/trial-001", "--no-plots"]
    Desk.commands.clear()
    assert len(swept({"actor_lr": [1e-4, 1e-3, 1e-2]}).table) == 3 and not Desk.commands


def test_only_failures_are_an_error(capsys):
    words = ["sweep", "dpo", POND, "--actor-lr", "1e-4,1e-3", *HERE]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--launcher.fails", "0.0001", "0.001"])
    assert ended.value.code == 2
    out = capsys.readouterr().out
    assert "trial-001: actor-lr 1e-3: failed, no such luck." in out


def test_what_a_launcher_refuses_is_a_failed_trial():
    class Full(Desk):
        def submit(self, command, log, seeds):
            require("trial-001" not in str(log), "there is no room.", RunError)
            return super().submit(command, log, seeds)

    result = swept({"actor_lr": [1e-4, 1e-3, 1e-2]}, Full())
    assert [trial.state for trial in result.trials] == ["finished", "failed", "finished"]
    assert result.trials[1].sentence == "there is no room."


def test_a_method_that_does_not_fit_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(loop, "dry_run", dry_run)
    said = refused(["sweep", "iql", POND, "--box", "--lr", "1e-4,1e-3", *HERE])
    assert "discrete" in said


def test_a_combination_that_cannot_be_is_refused_before_anything_is_tried():
    said = refused([*WORDS[:3], "--num-envs", "4", "--minibatches", "2,3,4", *HERE])
    assert "minibatches" in said and not Desk.commands


def test_what_was_asked_to_stop_goes_on(monkeypatch, capsys):
    axes, launcher = {"actor_lr": [1e-4, 1e-3, 1e-2]}, Desk(hangs=("0.001",))
    monkeypatch.setattr("coterie.sweeps.runner.PAUSE", 0.01)

    class Asked(Desk):
        def submit(self, command, log, seeds):
            job = super().submit(command, log, seeds)
            if len(self.commands) == 2:
                signal.raise_signal(signal.SIGTERM)
            return job

    result = swept(axes, Asked(hangs=("0.001",)))
    assert not result.finished and states() == ["finished", "stopped"]
    assert launcher.commands[1][3] == "train"
    result = swept(axes)
    assert result.finished and states() == ["finished"] * 3
    assert [command[3] for command in launcher.commands] == ["train", "train", "resume", "train"]


def test_a_trial_that_runs_already_is_waited_for(monkeypatch):
    """A sweep that was killed leaves processes, which its next call does not start again."""
    axes = {"actor_lr": [1e-4, 1e-3]}
    held = hold(Path("s/trial-001"))

    class Left(Desk):
        def submit(self, command, log, seeds):
            if len(self.commands) == 0:
                held.__enter__()
            return super().submit(command, log, seeds)

    naps = iter(range(100))

    def nap(seconds):
        if next(naps) == 3:
            held.__exit__(None, None, None)

    monkeypatch.setattr("coterie.sweeps.runner.time.sleep", nap)
    result = swept(axes, Left())
    assert [trial.state for trial in result.trials] == ["finished"] * 2
    assert [command[-4] for command in Desk.commands] == ["--folder"] * 2
    assert next(naps) > 3


def test_a_random_search_does_not_depend_on_where_it_stopped():
    axes = {"actor_lr": Range(1e-4, 1e-2), "epochs": Range(1, 4), "minibatches": [2, 4]}
    axes["epochs"] = Range(1, 4, whole=True)
    short = swept(axes, search=Random(trials=3)).trials
    longer = swept(axes, search=Random(trials=6)).trials
    assert longer[:3] == short and len(longer) == 6
    assert swept(axes, folder="t", search=Random(trials=6)).trials == longer
    rates = [float(trial.point["actor_lr"]) for trial in longer]
    assert len(set(rates)) == 6 and all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert {trial.point["epochs"] for trial in longer} <= {"1", "2", "3", "4"}
    assert len(Desk.commands) == 6 + 6


def test_values_in_python_may_be_anything():
    axes = {"actor": [MLP((8,)), MLP((16,))], "graph": [Ring(), Star()]}
    with pytest.raises(ConfigError, match="graph"):  # dpo sends nothing
        swept(axes)
    result = coterie.sweep("networked-ac", Pond(), axes, SETTINGS, "s", launcher=DESKS)
    assert len(result.trials) == 4
    told = [read_config(f"s/configurations/trial-00{i}.toml") for i in range(4)]
    assert [each.algorithm.actor.hidden_sizes for each in told] == [(8,), (8,), (16,), (16,)]
    assert [each.settings.communication.graph for each in told] == [Ring(), Star()] * 2
    with pytest.raises(ConfigError, match="unknown option 'actor_rl': did you mean 'actor_lr'"):
        swept({"actor_rl": [1e-4, 1e-3]})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--actor-lrr", "1e-4,1e-3"], "unknown option --actor-lrr (did you mean --actor-lr"),
        (["--actor-lr", "1e-4,-1"], "actor_lr must be greater than 0, not -1.0."),
        (["--actor-lr", "1e-4,small"], "--actor-lr must be a number, not 'small'"),
        (["--actor-lr", ","], "--actor-lr has an empty value"),
        (["--actor-lr", "1e-4,1e-4"], "--actor-lr has the value '1e-4' twice."),
        (["--actor-lr", "1e-4"], "a sweep needs an option with several values"),
        ([], "a sweep needs an option with several values"),
        (["--actor-lr", "1e-4..1e-2"], "--actor-lr is a range, which a grid cannot try"),
        (["--actor-lr", "1e-2..1e-4", "--search", "random"], "not from 0.01 to 0.0001"),
        (["--actor-lr", "-1..1", "--search", "random"], "actor_lr must be"),
        (["--minibatches", "1..3.5", "--search", "random"], "--minibatches is a whole number"),
        (["--gae-lambda", "0.9..1.1", "--search", "random"], "gae_lambda must lie between"),
        (["--seed", "1,2"], "--seed cannot be swept"),
        (["--actor-lr", "1e-4,1e-3", "--trials", "5"], "--trials is for --search random or tpe"),
        (["--actor-lr", "1e-4,1e-3", "--search", "best"], "--search must be grid or random or tpe"),
        (["--actor-lr", "1e-4,1e-3", "--launcher", "pbs"], "pbs"),
    ],
)
def test_a_mistake_gets_one_sentence(words, said):
    assert said in refused(["sweep", "dpo", POND, *HERE, *words])


def test_a_million_trials_are_too_many():
    many = ",".join(str(i + 1) for i in range(1000))
    said = refused(["sweep", "dpo", POND, *HERE, "--epochs", many, "--steps", many])
    assert said.startswith("1,000,000 trials are too many, at most 1,000")


def test_a_folder_of_another_sweep_is_left_alone(here):
    swept({"actor_lr": [1e-4, 1e-3]})
    before = Path("s/sweep.json").read_bytes()
    with pytest.raises(RunError, match="another space: choose another --folder"):
        swept({"actor_lr": [1e-4, 1e-3, 1e-2]})
    with pytest.raises(RunError, match="another search"):
        swept({"actor_lr": [1e-4, 1e-3]}, search=Random(2))
    with pytest.raises(RunError, match="another configuration"):
        coterie.sweep(DPO(), Pond(3), {"actor_lr": [1e-4, 1e-3]}, SETTINGS, "s", launcher=Desk())
    assert Path("s/sweep.json").read_bytes() == before
    Path("t").mkdir()
    Path("t/file").touch()
    with pytest.raises(RunError, match="t already exists and is no sweep"):
        coterie.sweep(DPO(), Pond(), {"actor_lr": [1e-4, 1e-3]}, SETTINGS, "t", launcher=Desk())


def test_a_file_is_where_a_sweep_may_begin(capsys):
    main(["config", "dpo", POND, "--epochs", "3", "--seeds", "2"])
    Path("a.toml").write_text(capsys.readouterr().out)
    told = answer(capsys, "sweep", "--config", "a.toml", "--actor-lr", "1e-4,1e-3", *HERE)
    assert len(told["table"]) == 2 and told["table"][0]["seeds"] == 2
    assert read_config("s/configurations/trial-001.toml").algorithm.epochs == 3
    assert told["best"]["command"].startswith("coterie train --config a.toml --actor-lr 1e-4")
