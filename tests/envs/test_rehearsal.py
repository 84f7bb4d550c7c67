"""An environment that ends the process that plays it is named before it ends one that is needed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coterie import check_env
from coterie.envs.gymnasium import GymnasiumEnv
from coterie.envs.host import rehearsal
from coterie.envs.host.rehearsal import rehearsed
from coterie.envs.pettingzoo import PettingZooEnv

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def fatal(monkeypatch, tmp_path):
    """Modules that end their process where they are made, or reset, or in a crash."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "making.py").write_text("import os\ndef make():\n    os._exit(0)\n")
    text = "import os\nfrom worlds import Faulty, Ladder\n"
    text += "class Crash(Ladder):\n    def reset(self, seed=None, options=None):\n"
    (tmp_path / "crash.py").write_text(f"{text}        os.abort()\n")


def test_a_step_that_ends_the_process_is_named():
    env = PettingZooEnv("worlds:Faulty", ("fault=dies",))
    (sentence,) = check_env(env)
    assert sentence.startswith(
        "worlds:Faulty: step 2 of the episode with seed 0 ends the process that plays it, with "
        "exit code 7: raise an exception instead"
    )


def test_a_step_that_hangs_is_named():
    env = PettingZooEnv("worlds:Faulty", ("fault=hangs",), step_timeout=1.0)
    (sentence,) = check_env(env)
    assert sentence.endswith("step 2 of the episode with seed 0 gives no answer for 1 s: it hangs.")


def test_making_it_may_end_the_process_and_so_may_its_reset():
    """The exit code 0 is no excuse."""
    assert "making it ends the process that plays it, with exit" in str(
        rehearsed("making:make", (), 9.0)
    )
    assert "the reset with seed 0 ends the process that plays it, by signal 6" in str(
        PettingZooEnv("crash:Crash").rehearse()
    )


def test_an_exception_is_left_to_whoever_plays_next():
    assert PettingZooEnv("worlds:Faulty", ("fault=raises",)).rehearse() is None
    assert PettingZooEnv("worlds:Ladder").rehearse() is None


def test_environments_of_gymnasium_are_rehearsed(monkeypatch):
    seen = []
    monkeypatch.setattr("coterie.envs.pettingzoo.rehearsed", lambda *told: seen.append(told))
    GymnasiumEnv("CartPole-v1").rehearse()
    GymnasiumEnv("CartPole-v1", vectorization="sync").rehearse()
    assert [told[1] for told in seen] == [("id='CartPole-v1'",)]


@pytest.mark.deep
def test_nothing_outlives_whoever_waits():
    """A rehearsal that hangs ends with the process that began it."""
    code = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from coterie.envs.host import rehearsal
begun = rehearsal.started
def begin(*told):
    process = begun(*told)
    print(process.pid, flush=True)
    return process
rehearsal.started = begin
rehearsal.rehearsed("worlds:Faulty", ("fault=hangs",), 60.0)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        process.kill()
    limit = time.monotonic() + 20
    while Path(f"/proc/{child}/cmdline").exists() and time.monotonic() < limit:
        if not Path(f"/proc/{child}/cmdline").read_bytes():  # a zombie
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()


def test_it_does_not_play_for_ever(monkeypatch, tmp_path):
    file = os.open(tmp_path / "mark", os.O_RDWR | os.O_CREAT)
    monkeypatch.syspath_prepend(str(HERE))
    env = PettingZooEnv("worlds:Ladder").build()
    rehearsal._play(env, 0, file, time.monotonic() - 1)
    assert rehearsal.MARK.unpack(os.pread(file, rehearsal.MARK.size, 0)) == (0, 0, 0)
    os.close(file)
