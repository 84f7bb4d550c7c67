"""Odd commands, made by a generator: refused in one sentence, soon, with nothing left on disk."""

import contextlib
import io
import resource
import signal
import warnings

import pytest

from coterie.cli import main
from coterie.sweeps.runner import Runner
from coterie.training.loop import Trainer
from tests.fuzz import command
from tests.runs import copied, finished, listing

NUMBER = 400
SECONDS = 15
LONGEST = 2_000
ROOM = 1_500_000_000
"""Bytes that all these commands together may add to the process."""


class Accepted(BaseException):
    """A training that would begin now."""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a run and a file, where no training begins and whoever hangs is stopped."""
    monkeypatch.chdir(tmp_path)
    copied(finished(), tmp_path / "run")
    (tmp_path / "file").write_text("")

    def begin(*_):
        raise Accepted

    def late(*_):
        raise TimeoutError(f"after {SECONDS} s")

    monkeypatch.setattr(Trainer, "fresh", begin)
    monkeypatch.setattr(Trainer, "restored", begin)
    monkeypatch.setattr(Runner, "work", begin)
    before = signal.signal(signal.SIGALRM, late)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def ended(words):
    """The end of a command, and what it said: on standard output, on standard error."""
    out, err = io.StringIO(), io.StringIO()
    signal.alarm(SECONDS)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("default")
            main(words)
            code = 0
    except SystemExit as end:
        code = end.code or 0
    except Accepted:
        code = "accepted"
    except BaseException as error:
        code = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    return code, out.getvalue(), err.getvalue()


def faults(words, folder):
    """Every promise that a command breaks."""
    before, held = listing(folder), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, out, err = ended(words)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) * 1024
    if code not in (0, 2, "accepted"):
        yield f"ended with {code}"[:500]
    if code == 2 and listing(folder) != before:
        yield "left something on disk"
    if code == 2 and words[0] != "check" and not err.splitlines()[-1].startswith("coterie: "):
        yield f"said {err!r}"
    if "Traceback" in err:
        yield "printed a traceback"
    if max(map(len, (out + err).splitlines() or [""])) >= LONGEST:
        yield "printed a long line"
    if grown > ROOM:
        yield f"took {grown / 1e6:.0f} MB"


def shown(words):
    return " ".join(word if len(word) < 100 else f"{word[:40]}..." for word in words)


@pytest.mark.deep
@pytest.mark.parametrize("part", range(8))
def test_odd_commands_keep_all_promises(part, place):
    broken = {
        f"{number}: {shown(command(number))}": found
        for number in range(part, NUMBER, 8)
        if (found := list(faults(command(number), place)))
    }
    assert broken == {}


def test_the_generator_repeats_itself():
    """A number is a command for good, and most of the commands are odd in a way of their own."""
    commands = [tuple(command(number)) for number in range(60)]
    assert commands == [tuple(command(number)) for number in range(60)]
    assert len(set(commands)) == 60


@pytest.mark.parametrize(
    ("number", "broken"), [(0, ["ended with ValueError: no"]), (1, ["left something on disk"])]
)
def test_a_broken_promise_is_noticed(number, broken, place, monkeypatch):
    def fail(words):
        if number == 0:
            raise ValueError("no")
        (place / "left").write_text("")
        print("coterie: no", file=__import__("sys").stderr)
        raise SystemExit(2)

    monkeypatch.setattr("tests.test_fuzz.main", fail)
    assert list(faults(["list"], place)) == broken
