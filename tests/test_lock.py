"""Two commands on one folder, and a folder that moves away under a training."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

import coterie
from coterie.errors import RunError
from coterie.internal.files import write_folder, write_whole
from coterie.internal.lock import LOCK, hold
from coterie.training import loop
from coterie.training.run import new_run, reserved
from tests.runs import SETTINGS, Pond, Stop, copied, environment, finished, small, trainer

HOLD = """
import sys, time
from pathlib import Path
from coterie.internal.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path / "run"`."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment(1), text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_hears_who_holds_a_folder(tmp_path, holder):
    sentence = rf"run is in use by process {holder.pid} on \S+ since \d{{4}}-\d\d-\d\d \d\d:"
    with pytest.raises(RunError, match=sentence), hold(tmp_path / "run"):
        pass
    holder.kill()  # a crash leaves a file behind, and no lock
    holder.wait()
    assert (tmp_path / "run" / LOCK).is_file()
    with hold(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_a_lock_leaves_nothing_behind(tmp_path):
    with hold(tmp_path / "a" / "b"), pytest.raises(RunError), hold(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with hold(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_a_run_is_trained_and_resumed_by_one_process(tmp_path):
    run = copied(finished(), tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    with hold(run.folder):
        for work in (loop.resume, lambda run: coterie.resume(run.folder)):
            with pytest.raises(RunError, match=f"run is in use by process {os.getpid()} on"):
                work(run)
    fresh = new_run(small("dpo"), Pond(), SETTINGS, tmp_path / "fresh")
    with hold(fresh.folder), pytest.raises(RunError, match="fresh is in use by process"):
        loop.train(fresh)
    with hold(tmp_path / "both"), pytest.raises(RunError, match="both is in use by process"):
        coterie.compare(["dpo", "ippo"], Pond(), SETTINGS, tmp_path / "both")
    assert sorted(tmp_path.rglob("*")) == before


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    run = new_run("dpo", "spread", SETTINGS, tmp_path / "runs" / "dpo-now")
    with reserved(run) as one, reserved(run) as two, reserved(run) as three:
        names = [each.folder.name for each in (one, two, three)]
        assert names == ["dpo-now", "dpo-now-2", "dpo-now-3"]
        two.create()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["dpo-now-2"]


class Meddler(Stop):
    """A logger that does something to the folder after the second block."""

    def __init__(self, meddle):
        super().__init__()
        self.meddle = meddle

    def log(self, kind, seed, steps, row):
        super().log(kind, seed, steps, row)
        if kind == "training" and steps == 96:
            self.meddle()


MEDDLING = {
    "renamed": (lambda folder: folder.rename(folder.with_name("away")), r"run\.json is gone"),
    "deleted": (shutil.rmtree, r"run\.json is gone"),
    "run.json": (lambda folder: (folder / "run.json").unlink(), r"run\.json is gone"),
    "table": (lambda folder: (folder / "seed-0" / "metrics.csv").unlink(), r"csv is gone"),
}


@pytest.mark.parametrize("case", MEDDLING)
def test_a_folder_that_goes_ends_the_training(case, tmp_path):
    meddle, sentence = MEDDLING[case]
    run = new_run(small("dpo"), Pond(), SETTINGS, tmp_path / "run")
    run.create()
    one = trainer(run)
    one._loggers.append(Meddler(lambda: meddle(run.folder)))
    with pytest.raises(RunError, match=sentence):
        one.train([one.fresh(0)])


def test_lost_checkpoints_are_written_again(tmp_path):
    run = new_run(small("dpo"), Pond(), SETTINGS, tmp_path / "run")
    run.create()
    one = trainer(run)
    one._loggers.append(Meddler(lambda: shutil.rmtree(run.checkpoints(0))))
    assert one.train([one.fresh(0)]) and run.finished


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o077, 0o600, 0o700), (0o002, 0o664, 0o775)])
def test_files_are_as_the_umask_says(mask, file, folder, tmp_path):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "a" / "file", "x")
        write_folder(tmp_path / "b" / "folder", lambda part: (part / "file").touch())
        with hold(tmp_path / "c"):
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert {mode for path, mode in modes.items() if path.is_file()} == {file}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {folder}
