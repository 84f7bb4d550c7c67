"""Progress of a run, as a user sees it."""

import dataclasses
import io
import signal

import pytest
from rich.console import Console

from coterie.training.progress import ProgressBar
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
    assert text() == (
        "dpo on tests.runs:Pond: 288 steps instead of 241, for blocks are whole: 4 environments x "
        "6 steps x 2 updates\n"
    )


def test_memory_is_told_where_it_is_much():
    console, text = shown(False)
    with ProgressBar(finished(), console) as bar:
        bar.begun(99_000_000)
        assert text() == ""
        bar.begun(1_234_000_000)
    assert text() == (
        "dpo on tests.runs:Pond: 1,234 MB of memory for what agents learn and remember\n"
    )


def test_the_first_control_c_asks_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with ProgressBar(finished(), shown(False)[0]) as bar:
        assert not bar.stopping()
        signal.raise_signal(signal.SIGINT)
        assert bar.stopping()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
