"""A sweep of real processes that is stopped, killed, and called again until it is done."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coterie.internal.lock import is_held
from coterie.training.run import open_run
from tests.runs import environment

WORDS = [
    *("sweep", "dpo", "tests.runs:Pond", "--actor-lr", "1e-4,1e-3,1e-2,1e-1"),
    *("--minibatches", "1,2,4", "--seeds", "1", "--steps", "4800", "--num-envs", "4"),
    *("--rollout-length", "6", "--epochs", "1", "--actor.hidden-sizes", "8"),
    *("--critic.hidden-sizes", "8", "--updates-per-block", "1", "--num-evals", "4"),
    *("--eval-episodes", "2", "--folder", "s", "--json"),
]


def begin(here):
    words = [sys.executable, "-m", "coterie", *WORDS]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, cwd=here, env=environment(1), text=True, **pipes)


def states(here):
    file = here / "s" / "sweep.json"
    return [t["state"] for t in json.loads(file.read_text())["trials"]] if file.exists() else []


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def training(here):
    """The runs in the sweep's folder that somebody trains."""
    return [path for path in (here / "s").glob("trial-*") if is_held(path)]


def compiling(here):
    """Those of them that have just begun."""
    return [path for path in training(here) if not (path / "run.json").exists()]


@pytest.mark.deep
def test_a_sweep_of_twelve_trials_finishes_after_being_interrupted(tmp_path):
    with begin(tmp_path) as process:
        wait_for(lambda: states(tmp_path).count("finished") >= 3 and compiling(tmp_path))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert "The same command goes on with the sweep." in said
    assert not training(tmp_path)
    assert "stopped" in states(tmp_path) and "running" not in states(tmp_path)
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").glob("*/run.json")}

    with begin(tmp_path) as process:
        wait_for(lambda: states(tmp_path).count("finished") >= 7 and compiling(tmp_path))
        process.kill()
        process.communicate(timeout=120)
    orphans = training(tmp_path)
    assert orphans and "running" in states(tmp_path)

    with begin(tmp_path) as process:
        out, said = process.communicate(timeout=500)
    assert process.returncode == 0, said
    told = json.loads(out)
    assert told["finished"] and [t["state"] for t in told["trials"]] == ["finished"] * 12
    assert len(told["table"]) == 12 and told["best"]["command"].startswith("coterie train dpo")
    assert {path: path.stat().st_mtime_ns for path in done} == done  # none began anew
    assert all(open_run(path).finished for path in (tmp_path / "s").glob("trial-*"))
    assert {Path(file).name for file in told["files"]} == set(os.listdir(tmp_path / "s")) & {
        "sweep.csv",
        "parallel.png",
        "importance.png",
    }
