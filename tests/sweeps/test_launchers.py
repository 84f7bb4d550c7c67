"""Launchers: processes here, submitit's own in place of SLURM, and a Ray on this machine."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import coterie
from coterie.algorithms import DPO
from coterie.errors import ConfigError
from coterie.sweeps import Local, Ray, Slurm
from coterie.sweeps.attended import attended, clear, code_file
from coterie.sweeps.outcome import sentence_in
from coterie.training.settings import Settings
from tests.runs import ROOT, Pond, refused

WAIT = [sys.executable, "-m", "tests.sweeps.patient", "wait"]
FAIL = [sys.executable, "-m", "tests.sweeps.patient", "fail"]
END = [sys.executable, "-m", "tests.sweeps.patient"]
LOG = Path("logs/trial-000.txt")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def ended(job, seconds=120):
    """The exit code of a job, once it has one."""
    end = time.monotonic() + seconds
    while (code := job.poll()) is None:
        assert time.monotonic() < end
        time.sleep(0.1)
    return code


def begun(job, seconds=120):
    end = time.monotonic() + seconds
    while not (LOG.exists() and "begun" in LOG.read_text()):
        assert time.monotonic() < end and job.poll() is None
        time.sleep(0.1)


def test_this_machine_runs_as_many_trials_as_it_has_cores(monkeypatch):
    monkeypatch.setattr("coterie.sweeps.launcher.cores", lambda: 8)
    assert [Local().slots(seeds) for seeds in (1, 3, 5, 20)] == [8, 2, 1, 1]
    assert Local(workers=3).slots(5) == 3


def test_a_process_here_has_a_session_of_its_own():
    job = Local().submit(WAIT, LOG, 1)
    begun(job)
    assert os.getsid(job.process.pid) == job.process.pid != os.getsid(0)
    job.stop()
    assert ended(job) == 143
    job = Local().submit(FAIL, LOG, 1)
    assert ended(job) == 2 and sentence_in(LOG, 2) == "no such luck."
    assert ended(Local().submit(END, LOG, 1)) == 0


def test_what_a_process_said_last_is_why_it_failed():
    LOG.parent.mkdir()
    assert "SIGKILL" in sentence_in(LOG, -signal.SIGKILL)
    LOG.write_text("Traceback\n  line\nMemoryError: too much\n\n")
    assert sentence_in(LOG, 1) == "its process ended with code 1: MemoryError: too much"
    LOG.write_text("coterie: first.\ncoterie: last.\ncoterie: warning: mind this\nend\n")
    assert sentence_in(LOG, 2) == "last."


def test_a_job_of_a_cluster_saves_before_its_time_is_over():
    """0.002 minutes: the attendant asks it to end at once, although nobody else does."""
    log = LOG.absolute()
    clear(log)
    job = Local().submit(attended(WAIT, log, minutes=0.002), Path("outer.txt"), 1)
    assert ended(job) == 143
    assert code_file(log).read_text() == "143\n"


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of its processes
def test_jobs_of_submitit(monkeypatch):
    pytest.importorskip("submitit")
    launcher = Slurm(cluster="local")
    launcher.check()
    serve(launcher)


@pytest.mark.deep
def test_tasks_of_ray():
    ray = pytest.importorskip("ray")
    launcher = Ray()
    launcher.check()
    try:
        serve(launcher)
        many = [launcher.submit(WAIT, Path(f"logs/{i}.txt"), seeds=10_000) for i in range(2)]
        assert many[0].poll() is None
        for job in many:  # there is no room for them, ever
            job.stop()
        assert [ended(job) for job in many] == [130, 130]
    finally:
        ray.shutdown()


def serve(launcher):
    job = launcher.submit(WAIT, LOG, 1)
    begun(job)
    job.stop()
    assert ended(job) == 143
    job = launcher.submit(FAIL, LOG, 1)
    assert ended(job) == 2 and sentence_in(LOG, 2) == "no such luck."
    assert ended(launcher.submit(END, LOG, 1)) == 0


@pytest.mark.parametrize(
    ("module", "launcher", "extra"),
    [("submitit", Slurm(), r"\[slurm\]"), ("ray", Ray(), r"\[ray\]")],
)
def test_a_launcher_that_is_not_installed_names_its_extra(module, launcher, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    axes, settings = {"actor_lr": [1e-4, 1e-3]}, Settings(steps=240, num_envs=4)
    with pytest.raises(ConfigError, match=f"which is not installed: pip .*{extra}"):
        coterie.sweep(DPO(), Pond(), axes, settings, "s", launcher=launcher)
    words = ["sweep", "dpo", "tests.runs:Pond", "--actor-lr", "1e-4,1e-3", "--folder", "s"]
    assert "which is not installed" in refused([*words, "--launcher", launcher_name(launcher)])


def launcher_name(launcher):
    return type(launcher).__name__.lower()


def test_slurm_has_to_be_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", sys)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match="finds no sbatch here"):
        Slurm().check()


def test_what_a_job_asks_for_is_in_the_words_of_submitit():
    told = Slurm(minutes=30, gpus=1, partition="short")._asked("trial-007", 3)
    assert told == {
        "name": "trial-007",
        "timeout_min": 30,
        "cpus_per_task": 3,
        "gpus_per_node": 1,
        "slurm_partition": "short",
    }
