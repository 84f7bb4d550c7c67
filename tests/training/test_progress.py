"""Progress of a run, as a user sees it."""

import contextlib
import dataclasses
import io
import signal

import pytest
from rich.console import Console

from coterie.centralized import MADDPG
from coterie.internal.signals import exit_code
from coterie.training.progress import ProgressBar, Speed
from coterie.training.run import MEMORY
from coterie.training.settings import Settings
from tests.runs import finished

ROW = {"episode_return": -3.25}


def shown(terminal, width=120):
    console = Console(force_terminal=terminal, file=io.StringIO(), width=width)
    return console, lambda: console.file.getvalue()


def test_a_terminal_has_a_bar_with_return_speed_and_time_left():
    console, text = shown(True)
    with ProgressBar(finished(), console) as bar:
        for block in (1, 2, 3):
            bar.log("training", 0, 48 * block, ROW)
        bar.log("evaluation", 0, 144, ROW)
        bar._bar.refresh()
        for part in ("dpo on tests.runs:Pond", "60%", "return -3.25", "steps/s", "0:0"):
            assert part in text(), part


def test_no_episode_no_return():
    console, text = shown(True)
    with ProgressBar(finished(), console) as bar:
        bar.log("training", 0, 48, {"episode_return": float("nan")})
        bar._bar.refresh()
    assert "no episode over yet" in text()


def test_without_a_terminal_there_is_a_line_for_each_evaluation():
    console, text = shown(False, width=20)
    with ProgressBar(finished(), console) as bar:
        bar.log("training", 0, 48, ROW)
        bar.log("evaluation", 0, 48, ROW)
        bar.say("a path/that/is/longer/than/the/terminal [red]is wide")
    assert text().splitlines() == [
        "dpo on tests.runs:Pond, seed 0: 48 steps, return -3.25",
        "a path/that/is/longer/than/the/terminal [red]is wide",
    ]


def test_steps_that_are_rounded_up_are_told():
    console, text = shown(False)
    run = finished()
    more = dataclasses.replace(run, settings=dataclasses.replace(run.settings, steps=241))
    for each in (run, more):
        with ProgressBar(each, console) as bar:
            bar.start(each)
    assert text().replace(str(run.folder), "RUN") == (
        "dpo on tests.runs:Pond: 240 steps, of which 240 are done, in RUN\n"
        "dpo on tests.runs:Pond: 264 steps, of which 240 are done, in RUN\n"
        "dpo on tests.runs:Pond: 264 steps instead of 241, for an update takes 24: 4 environments "
        "x 6 steps\n"
    )


def test_evaluations_that_are_too_many_for_the_updates_are_told():
    console, text = shown(False)
    run = finished()
    few = dataclasses.replace(run, folder=MEMORY, settings=Settings(steps=40, num_envs=4, seeds=2))
    with ProgressBar(few, console, "method 2 of 3") as bar:
        bar.start(few)
    start = "method 2 of 3: dpo on tests.runs:Pond"
    assert text().splitlines() == [
        f"{start}: 48 steps with each of 2 seeds",
        f"{start}: 48 steps instead of 40, for an update takes 24: 4 environments x 6 steps",
        f"{start}: 2 evaluations instead of 20, for the run has 2 updates",
    ]


def test_how_often_a_stored_step_is_used_is_told():
    console, text = shown(False)
    run = dataclasses.replace(finished(), folder=MEMORY, algorithm=MADDPG())
    with ProgressBar(run, console) as bar:
        bar.start(run)
    # 128 updates of 256 steps, of the 4 environments x 25 steps of a rollout
    assert "each stored step is learned from 328 times" in text().splitlines()[-1]


def test_speed_leaves_out_what_was_done_before_and_what_compiles(monkeypatch):
    now = iter([100.0, 100.0, 102.0])
    monkeypatch.setattr("coterie.training.progress.time.perf_counter", lambda: next(now))
    speed = Speed({0: 1_000_000, 1: 2_000_000})
    speed.add(0, 1_000_100)
    assert speed.per_second() is None
    speed.add(1, 2_000_100)
    assert speed.per_second() is None
    speed.add(0, 1_000_300)
    assert speed.per_second() == 100.0


def test_standard_error_that_takes_nothing_stops_no_run(monkeypatch):
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        with ProgressBar(finished()) as bar:
            bar.start(finished())
            bar.log("evaluation", 0, 48, ROW)
        with contextlib.suppress(OSError):
            full.close()


def test_memory_is_told_where_it_is_much():
    console, text = shown(False)
    with ProgressBar(finished(), console) as bar:
        bar.begun(99_000_000)
        assert text() == ""
        bar.begun(1_234_000_000)
    assert text() == (
        "dpo on tests.runs:Pond: 1,234 MB of memory for what agents learn and remember\n"
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_asks_and_the_second_acts_as_it_would_outside(name):
    number, outside = getattr(signal, name), []
    before = signal.signal(number, lambda *_: outside.append(name))
    try:
        with ProgressBar(finished(), shown(False)[0]) as bar:
            assert not bar.stopping()
            signal.raise_signal(number)
            assert bar.stopping() and not outside
            assert exit_code() == 128 + number
            signal.raise_signal(number)
            assert outside == [name]
        signal.raise_signal(number)
        assert outside == [name, name]
    finally:
        signal.signal(number, before)
