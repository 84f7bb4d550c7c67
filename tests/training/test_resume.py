"""A run that was stopped and continued ends with the same bits as one that was not."""

import dataclasses
import shutil
import signal
import subprocess
import sys
import time

import pytest

from coterie.algorithms import TrackingEstimate
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import CoterieWarning
from coterie.network import (
    AsyncIntervals,
    Communication,
    Delay,
    LinkDropout,
    NodeFailure,
    Noise,
    Quantization,
    RandomLinks,
)
from coterie.rl.models import GRU
from coterie.training import loop
from coterie.training.run import new_run, open_run
from tests.runs import (
    BLOCKS,
    SETTINGS,
    Pond,
    Stop,
    assert_same_run,
    copied,
    environment,
    finished,
    policies,
    python,
    resumed,
    small,
    tables,
    trained,
    trainer,
)

pytestmark = pytest.mark.bits

CASES = {
    "dpo": ("dpo", {}),
    "dpo-recurrent": ("dpo", {"actor": GRU((8,)), "critic": GRU((8,))}),
    "iql": ("iql", {}),
    "mappo": ("mappo", {}),
}

RESUME = "import sys; from coterie.cli import main; main(['resume', sys.argv[1]])"


@pytest.mark.parametrize("case", CASES)
def test_resumed_is_uninterrupted(tmp_path, case):
    name, options = CASES[case]
    run = trained(tmp_path / "run", name, stop=2, **options)
    assert not run.finished
    assert resumed(run).finished
    assert_same_run(finished(name, **options), run)


FAULTS = {
    "links come and go": (
        "networked-ac",
        Pond(agents=4),
        Communication(
            schedule=RandomLinks(0.5),
            channels=(LinkDropout(0.3, burst=3), Delay(4), Quantization(8)),
        ),
        {"rounds": 3},
    ),
    "listening at intervals": (
        "li-jia",
        Pond(agents=4, box=True),
        Communication(
            schedule=AsyncIntervals(3, 1), channels=(NodeFailure(1, 4, 9), Delay(2), Noise(0.01))
        ),
        {"weight_estimation": TrackingEstimate()},
    ),
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[pytest.mark.deep] * c.startswith("listening")) for c in FAULTS]
)
def test_a_network_with_faults_goes_on_where_it_was(tmp_path, case):
    name, env, talk, options = FAULTS[case]
    settings = dataclasses.replace(SETTINGS, communication=talk)
    whole = trained(tmp_path / "whole", name, env, settings, **options)
    run = trained(tmp_path / "run", name, env, settings, stop=2, **options)
    assert not run.finished
    resumed(run)
    assert_same_run(whole, run)
    rows = tables(whole)["traffic.csv"]
    messages, lost = (sum(int(row[i]) for row in rows[1:]) for i in (3, 5))
    assert len(rows) > 8 and 0 < lost < messages


def test_stopping_at_every_block_changes_nothing(tmp_path):
    run = trained(tmp_path / "run", stop=1)
    for _ in range(1, BLOCKS):
        assert not run.finished
        resumed(run, stop=1)
    assert_same_run(finished(), run)


@pytest.mark.deep
def test_resumed_in_a_new_process(tmp_path):
    run = trained(tmp_path / "run", stop=3)
    assert python(RESUME, str(run.folder)).startswith(f"{run.folder}: return ")
    assert_same_run(finished(), run)


def test_a_finished_run_stays_as_it_is(tmp_path):
    run = copied(finished(), tmp_path / "run")
    watcher = Stop()
    assert loop.resume(run, [watcher], watcher) is True
    assert watcher.rows == []
    assert_same_run(finished(), run)


def test_policies_that_were_not_written_any_more_are_written(tmp_path):
    run = copied(finished(), tmp_path / "run")
    run.policy_file(0, "agent-1").unlink()
    resumed(run)
    assert_same_run(finished(), run)


def test_resumed_before_the_first_checkpoint(tmp_path):
    run = copied(finished(), tmp_path / "run")
    shutil.rmtree(run.checkpoints(0))
    resumed(run)
    assert_same_run(finished(), run)


@pytest.mark.deep
def test_games_that_cannot_be_saved_restart_at_checkpoints_either_way(tmp_path, worlds):
    env = PettingZooEnv("worlds:Ladder", workers=1)
    settings = dataclasses.replace(SETTINGS, steps=192)  # four blocks, a checkpoint after each
    whole = trained(tmp_path / "whole", env=env, settings=settings)
    run = trained(tmp_path / "run", env=env, settings=settings, stop=2)
    trainer(
        run
    ).setup.vector.sessions._players = None  # as a new process would not know the environments
    resumed(run)
    assert_same_run(whole, run)


def test_games_that_cannot_be_saved_say_that_a_stop_between_checkpoints_shows(tmp_path, worlds):
    env = PettingZooEnv("worlds:Ladder", workers=1)
    settings = dataclasses.replace(SETTINGS, steps=96, num_checkpoints=1, num_evals=2)
    run = trained(tmp_path / "run", env=env, settings=settings, stop=1)
    own = trainer(run)
    with pytest.warns(CoterieWarning, match="seed 0 goes on between two of its --num-checkpoints"):
        own.restored(0)


def test_a_long_block_ends_with_a_checkpoint_and_changes_nothing(tmp_path, monkeypatch):
    seldom = dataclasses.replace(SETTINGS, num_checkpoints=1)
    often = dataclasses.replace(seldom, checkpoint_minutes=1e-9)
    for settings, blocks in ((seldom, [5]), (often, [1, 2, 3, 4, 5])):
        run = new_run(small("dpo"), Pond(), settings, tmp_path / f"{blocks}")
        run.create()
        own, kept = trainer(run), []
        monkeypatch.setattr(own, "_recorder", Noted(own._recorder, kept))
        own.train([own.fresh(0)])
        assert kept == blocks
        assert policies(run) == policies(finished())


class Noted:
    """A recorder that notes after which blocks it keeps a repetition."""

    def __init__(self, recorder, kept):
        self.recorder, self.kept = recorder, kept

    def keep(self, repetition):
        self.kept.append(repetition.blocks_done)
        self.recorder.keep(repetition)


def test_control_c_stops_cleanly_and_resume_goes_on(tmp_path):
    settings = dataclasses.replace(SETTINGS, steps=400 * 48)
    train = "import sys; from coterie.cli import main; main(sys.argv[1:])"
    words = (
        "train dpo tests.runs:Pond --actor.hidden-sizes 8 --critic.hidden-sizes 8 "
        "--rollout-length 6 --epochs 1 --minibatches 2"
    )
    more = "--num-envs 4 --updates-per-block 2 --num-evals 2 --eval-episodes 3 --num-checkpoints 5 "
    more += "--steps 19200 --folder"
    process = subprocess.Popen(
        [sys.executable, "-c", train, *words.split(), *more.split(), "run"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    run = tmp_path / "run"
    while not (run / "seed-0" / "metrics.csv").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT
    assert said.splitlines()[-1] == "Stopped. Continue with: coterie resume run"
    opened = open_run(run)
    assert not opened.finished
    assert loop.resume(opened) is True
    assert opened.settings == settings
    assert_same_run(finished(env=Pond(), settings=settings), opened)
