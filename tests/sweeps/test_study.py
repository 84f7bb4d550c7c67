"""Optuna's search and pruning: from the trials so far, and nothing else."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import coterie
from coterie.algorithms import DPO
from coterie.errors import ConfigError
from coterie.sweeps import TPE, Median, Range, Trial
from coterie.sweeps.space import Choice
from coterie.sweeps.trial import History
from coterie.training.settings import Settings
from tests.runs import Pond
from tests.sweeps.desk import STEPS, Desk

SPACE = {"lr": Range(1e-5, 1e-1), "epochs": Range(1, 8, whole=True), "act": Choice(("a", "b"))}
SETTINGS = Settings(steps=240, num_envs=4, seeds=2)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tried(search, count):
    """A search of a known bowl, with its least point at 1e-3."""
    history = []
    for number in range(count):
        point = search.suggest(SPACE, number, history)
        value = -abs(math.log10(float(point["lr"])) + 3) + (point["act"] == "b")
        history.append(History(Trial(number, point, "finished"), {0: 0.0, 10: value}))
    return history


def test_tpe_goes_on_from_the_trials_so_far_and_comes_near_the_best():
    pytest.importorskip("optuna")
    history = tried(TPE(trials=40), 40)
    assert history == tried(TPE(trials=50), 40)  # nothing but the history and the seed
    assert history != tried(TPE(seed=1), 40)
    late = [abs(math.log10(float(each.trial.point["lr"])) + 3) for each in history[-15:]]
    first = [abs(math.log10(float(each.trial.point["lr"])) + 3) for each in history[:10]]
    assert np.median(late) < 0.5 * np.median(first)
    assert sum(each.trial.point["act"] == "b" for each in history[-15:]) > 10
    assert {each.trial.point["epochs"] for each in history} <= set("12345678")


def test_tpe_counts_failed_pruned_and_running_trials():
    pytest.importorskip("optuna")
    history = tried(TPE(startup=2), 8)

    def next_point(state):
        last = replace(history[-1], trial=replace(history[-1].trial, state=state))
        return tuple(TPE(startup=2).suggest(SPACE, 8, [*history[:-1], last]).values())

    known = [next_point(state) for state in ("finished", "failed", "pruned", "running")]
    assert known[2] != known[1] != known[3]  # a failed one says nothing; the others do


def curve(number, *values, state="finished"):
    return History(Trial(number, {}, state), dict(zip(STEPS, values, strict=False)))


def test_a_trial_below_the_median_of_the_finished_ones_ends():
    pytest.importorskip("optuna")
    others = [curve(i, 0.0, height, 2 * height) for i, height in enumerate((1.0, 2.0, 3.0))]
    rule = Median(startup=3)
    assert rule.stops(curve(3, 0.0, 1.9, state="running"), others)
    assert not rule.stops(curve(3, 0.0, 2.1, state="running"), others)
    assert not rule.stops(curve(3, -9.0, state="running"), others)  # nothing is learned yet,
    assert rule.stops(curve(3, 9.0, 1.9, state="running"), others)  # so it does not help either
    assert not rule.stops(curve(3, 0.0, 1.9, state="running"), others[:2])
    assert not rule.stops(curve(3, state="running"), others)


def test_a_pruned_trial_is_listed_and_not_taken_up_again(monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setattr("coterie.sweeps.runner.PAUSE", 0.0)
    axes = {"actor_lr": [3e-4, 1e-3, 1e-4, 1e-1]}
    asked = {"settings": SETTINGS, "folder": "s", "pruner": Median(startup=3)}
    desk = Desk(hangs=("0.1",), width=1)
    result = coterie.sweep(DPO(), Pond(), axes, launcher=desk, **asked)
    assert [trial.state for trial in result.trials] == ["finished"] * 3 + ["pruned"]
    assert result.finished and len(result.table) == 3
    Desk.commands.clear()
    again = coterie.sweep(DPO(), Pond(), axes, launcher=Desk(), **asked)
    assert again.trials == result.trials and not Desk.commands


def test_without_optuna_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    axes = {"actor_lr": Range(1e-4, 1e-2)}
    with pytest.raises(ConfigError, match=r"Optuna's, which is not installed: pip .*\[sweep\]"):
        coterie.sweep(DPO(), Pond(), axes, SETTINGS, "s", search=TPE(), launcher=Desk())
    with pytest.raises(ConfigError, match=r"\[sweep\]"):
        coterie.sweep(
            DPO(), Pond(), {"actor_lr": [1, 2]}, SETTINGS, "s", launcher=Desk(), pruner=Median()
        )
    assert not Path("s").exists()
