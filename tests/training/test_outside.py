"""Runs in environments outside JAX hold what they play, leave nothing, and say what they cannot."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from coterie import plots
from coterie.envs.gymnasium_vector import GymnasiumVectorEnv
from coterie.envs.host.sessions import Sessions
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.results import score
from coterie.training import loop
from coterie.training.loggers.table import read_table
from coterie.training.run import new_run
from tests.runs import SETTINGS, Pond, small


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "envs"))


def test_there_are_as_many_environments_as_are_asked_for_and_none_afterwards(tmp_path, monkeypatch):
    """Three seeds, each with two evaluations, two checkpoints and room for two states."""
    monkeypatch.setattr("coterie.envs.host.sessions.ALIVE", 2)
    monkeypatch.setattr(Sessions.__init__, "__defaults__", (2,))
    taken, teams, take, start = [], [], Sessions._take_set, Sessions._start

    def noted(self):
        taken.append((id(self), take(self)))
        return taken[-1][1]

    def started(self, seeds):
        given = start(self, seeds)
        teams.append(self._players)
        return given

    monkeypatch.setattr(Sessions, "_take_set", noted)
    monkeypatch.setattr(Sessions, "_start", started)
    settings = dataclasses.replace(SETTINGS, steps=96, num_checkpoints=2, seeds=3)
    env = PettingZooEnv("odd:Odd", workers=1)
    run = new_run(small("ippo"), env, settings, tmp_path / "run")
    assert loop.train(run) is True
    vectors = {vector for vector, _ in taken}
    assert sorted(max(k for v, k in taken if v == vector) for vector in vectors) == [0, 2]
    assert all(team.gone for team in teams)
    taken.clear()
    scores = score(run, 0, 6)  # two batches of the four environments of training
    assert scores.returns.tolist() == [[4.0, 4.0]] * 6
    assert [k for _, k in taken] == [0, 0] and teams[-1].gone


def test_a_step_in_which_nobody_is_there_is_no_episode_and_earns_nothing(tmp_path):
    """Episodes of two steps, each followed by a step that begins the next one."""
    env = GymnasiumVectorEnv("gym_batches:PairBatch", ("mode=NEXT_STEP", "limit=2"))
    run = new_run(small("ippo"), env, dataclasses.replace(SETTINGS, steps=96), tmp_path / "run")
    assert loop.train(run) is True
    training, evaluation = read_table(run.metrics(0)), read_table(run.evaluations(0))
    assert training["episodes"].sum() == 4 * 8  # 24 steps in each of four environments
    assert (training["episode_length"] == 2).all() and (evaluation["episode_length"] == 2).all()
    assert (np.abs(training["episode_return"]) <= 2).all()


def test_a_run_whose_numbers_are_all_0_has_no_second_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "agents_in", lambda run, names: {})
    monkeypatch.setattr(plots, "of_payloads", lambda run, names: ())
    monkeypatch.setattr(plots, "plot_runs", lambda runs, path, formats: [])
    run = new_run(small("ippo"), Pond(), SETTINGS, tmp_path / "run")
    assert plots.plot_run(run) == [run.folder / "plots" / "return.png"]
