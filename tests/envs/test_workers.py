"""An environment that misbehaves in its worker gives one sentence; no process outlives its
parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.host import workers
from coterie.envs.host.episode import Copy
from coterie.envs.host.layout import measure, record
from coterie.envs.host.sessions import count_workers
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import EnvError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def worlds_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def faulty(fault, deadline=60.0):
    env = PettingZooEnv("worlds:Faulty", (f"fault={fault}",), workers=1, step_timeout=deadline)
    return env.vectorize(2)


def assert_fails(vector, sentence):
    """Step until JAX reports an error: the sentence is kept, and the workers are gone."""
    state, _ = vector.reset(jax.random.key(0))
    processes = [worker.process for worker in vector.sessions._players.workers]
    with pytest.raises(jax.errors.JaxRuntimeError):
        play(vector, state, 3)
    with pytest.raises(EnvError, match=f"^worlds:Faulty: {sentence}"):
        raise vector.failure
    assert all(process.poll() is not None for process in processes)


def play(vector, state, steps):
    @jax.jit
    def run(state):
        action = jnp.zeros((vector.copies, 3), jnp.int32)
        keys = jax.random.split(jax.random.key(1), steps)
        return jax.lax.scan(lambda s, key: vector.step(s, action, key)[:2], state, keys)

    return jax.block_until_ready(run(state))


PROCESS_FAULTS = {
    "raises": r"copy 0 failed at step 2 of its episode: RuntimeError: the rung broke \(.*worlds.py",
    "dies": "copy 0 at step 2 of its episode: its worker process ended with exit code 7.$",
    "inf_reward": "copy 0, agent 'cy' at step 2 of its episode: its reward holds .inf",
}


@pytest.mark.parametrize("fault", PROCESS_FAULTS)
def test_a_broken_game_gives_its_sentence_and_no_traceback(fault, caplog, capfd):
    assert_fails(faulty(fault), PROCESS_FAULTS[fault])
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_game_that_hangs_is_ended_at_its_deadline():
    begin = time.monotonic()
    assert_fails(faulty("hangs", 3.0), "copy 0 at step 2 of its episode: no answer for 3 s;")
    assert time.monotonic() - begin < 20.0


def test_a_worker_that_is_killed_is_reported():
    vector = faulty("raises")
    state, _ = vector.reset(jax.random.key(0))
    vector.sessions._players.workers[0].process.kill()
    with pytest.raises(jax.errors.JaxRuntimeError):
        play(vector, state, 1)
    assert "copies 0 to 1: its worker process ended by signal 9." in str(vector.failure)


def test_a_failed_vector_game_can_be_reset():
    vector = faulty("raises")
    assert_fails(vector, "copy 0 failed")
    state, _ = vector.reset(jax.random.key(0))
    _, timestep = play(vector, state, 1)
    assert timestep.reward.tolist() == [[[1, 1, 1]] * 2] and vector.failure is None


CHECKS = {
    "nan_observation": r"agent 'ann' at step 2 of its episode: its observation\[\d\] is nan",
    "no_reward": "agent 'bob' at step 2 of its episode: the environment gave no reward for it",
    "no_observation": "agent 'cy' at step 2 of its episode: the environment gave no observation "
    "for it",
    "wrong_shape": r"agent 'bob' at step 2 .* its observation has shape \(3,\), not \(2,\)",
    "revived": "agent 'ann' at step 2 of its episode: is in env.agents although it had left",
    "deserts": "agent 'cy' at step 2 .* left env.agents without being terminated or truncated",
}


@pytest.mark.parametrize("fault", CHECKS)
def test_what_is_checked_at_every_step(fault):
    env = PettingZooEnv("worlds:Faulty", (f"fault={fault}",)).build()
    layout = measure(env)
    copy = Copy(env, layout, np.zeros(1, record(layout)), 0)
    copy.start()
    copy.step()
    with pytest.raises(EnvError, match=CHECKS[fault]):
        copy.step()


SCRIPT = """
import sys, time
import jax
from coterie.envs.pettingzoo import PettingZooEnv

vector = PettingZooEnv("worlds:Ladder", workers=2).vectorize(2)
vector.reset(jax.random.key(0))
print(*[worker.process.pid for worker in vector.sessions._players.workers], flush=True)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("how", [None, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_script(how):
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "0" if how is None else "300"],
        env={**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as script:
        workers = [int(pid) for pid in script.stdout.readline().split()]
        assert len(workers) == 2
        if how is not None:
            wait_until(lambda: asleep(script.pid), 60.0)  # where nothing swallows an interrupt
            os.killpg(script.pid, how)
        try:
            _, errors = script.communicate(timeout=240)
        finally:
            script.kill()
    assert errors.count("Traceback") == (how is signal.SIGINT)
    wait_until(lambda: not any(map(alive, workers)))


def wait_until(condition, seconds=5.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def alive(pid):
    """Whether a process runs; one that has ended but that nobody has asked about does not."""
    return state(pid) not in ("Z", "gone")


def asleep(pid):
    """Whether a process waits and goes on waiting; on a busy machine it may only wait its turn."""
    return all(state(pid) == "S" and time.sleep(0.05) is None for _ in range(10))


def state(pid):
    """The letter that Linux has for what a process does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def test_games_play_on_for_the_next_state_and_are_closed_at_the_end(tmp_path):
    options = (f"path={tmp_path / 'closed'}",)
    vector = PettingZooEnv("worlds:Closing", options, workers=2).vectorize(2)
    states = [vector.reset(jax.random.key(k))[0] for k in range(2)]
    before = closed(tmp_path)
    vector.close(states[0])
    vector.reset(jax.random.key(2))  # in the copies of the state that was closed
    jax.effects_barrier()
    assert closed(tmp_path) == before
    processes = [worker.process for worker in vector.sessions._players.workers]
    vector.shutdown()
    assert closed(tmp_path) == before + 4
    assert all(process.poll() is not None for process in processes)
    state, _ = vector.reset(jax.random.key(0))
    assert int(state) > 3
    vector.shutdown()


def test_a_worker_imports_nothing_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signal.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nSIGINT = SIG_IGN = 0"
    )
    vector = PettingZooEnv("worlds:Closing", (f"path={tmp_path / 'closed'}",), workers=1).vectorize(
        1
    )
    vector.reset(jax.random.key(0))
    vector.sessions._players.close()
    assert not (tmp_path / "ran").exists()


def test_a_game_that_does_not_close_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "CLOSING", 0.1)
    options = (f"path={tmp_path / 'closed'}", "hangs=True")
    vector = PettingZooEnv("worlds:Closing", options, workers=1).vectorize(1)
    jax.block_until_ready(vector.reset(jax.random.key(0)))
    team = vector.sessions._players
    team.close()
    assert team.workers[0].process.returncode == -9


def closed(folder):
    return len((folder / "closed").read_text())


@pytest.mark.parametrize(("wanted", "copies", "number"), [(3, 16, 3), (8, 2, 2), (None, 1, 1)])
def test_there_are_no_more_workers_than_copies(wanted, copies, number):
    assert count_workers(wanted, copies) == number
