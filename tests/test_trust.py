"""Somebody else's files: what they name is not run unasked, nor shown as it is."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

import coterie
from coterie import cli
from coterie.catalogue import make_env
from coterie.cli.answers import Answer, Printable, agrees
from coterie.envs.host.factory import resolve
from coterie.errors import ConfigError, EnvError, RunError
from coterie.internal import trust
from coterie.internal.imports import load, origin
from coterie.internal.terminal import stderr_console
from coterie.report.curve import Curve
from coterie.report.plot import plot_curves
from coterie.training.progress import ProgressBar
from coterie.training.run import Run
from tests.runs import copied, environment, finished, refused

WORLD = """
from pathlib import Path
from coterie import Spread
Path("ran").touch()
class Meadow(Spread):
    pass
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    finished()  # which other tests share: it is remembered where they look
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_REMEMBERED", set())
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def module(here, monkeypatch):
    """A module of a name of its own, which leaves a file behind when it is imported."""
    name = f"world_{abs(hash(here))}"
    (here / f"{name}.py").write_text(WORLD)
    yield name
    sys.modules.pop(name, None)


def forged(folder: Path, section: str = "env", **changes) -> Run:
    """A finished run whose `run.json` somebody has changed; the run as it was before."""
    trust.remember("tests.runs:Pond", "tests.runs")
    run = copied(finished(), folder)
    told = json.loads(run.configuration.read_text())
    (told[section] if section else told).update(changes)
    run.configuration.write_text(json.dumps(told))
    return run


CODE = {
    "env": ("env", lambda module: {"name": f"{module}:Meadow"}),
    "factory": ("env", lambda module: {"name": f"pettingzoo:{module}.Meadow"}),
    "module of an id": ("env", lambda module: {"name": f"gymnasium:{module}:Meadow-v0"}),
    "batch": ("env", lambda module: {"name": f"gymnasium-vector:{module}:Meadow"}),
    "algorithm": ("algorithm", lambda module: {"name": f"{module}:Rule"}),
    "model": ("algorithm", lambda module: {"actor": {"kind": f"{module}:Net"}}),
    "graph": ("settings", lambda module: {"communication": {"graph": {"kind": f"{module}:Wheel"}}}),
    "weights": ("settings", lambda module: {"communication": {"weights": f"{module}:rule"}}),
    "logger": ("", lambda module: {"loggers": [f"{module}:Log"]}),
}


@pytest.mark.parametrize("kind", CODE)
def test_code_that_a_folder_names_is_refused(kind, here, module):
    section, changes = CODE[kind]
    forged(here / "run", section, **changes(module))
    for verb in ("evaluate", "watch", "resume"):
        sentence = refused([verb, "run"])
        assert f"is code of {here}/{module}.py, which you have not trusted" in sentence
        assert "--trust" in sentence
    assert not (here / "ran").exists()


def test_plots_need_no_code(here, module):
    forged(here / "run", name=f"{module}:Meadow")
    cli.main(["plot", "run", "--quiet"])
    cli.main(["plot", "run", "--out", "there.png", "--column", "episode_length", "--quiet"])
    assert (here / "run" / "plots" / "agents.png").is_file() and (here / "there.csv").is_file()
    assert coterie.read_summary("run").title == f"dpo on {module}:Meadow"
    assert not (here / "ran").exists()


def test_trusted_code_is_remembered_until_its_file_changes(here, module):
    run = forged(here / "run", name=f"{module}:Meadow")
    told = json.loads(run.configuration.read_text())
    told["env"] = {"name": f"{module}:Meadow"}
    run.configuration.write_text(json.dumps(told))
    with pytest.raises(RunError, match="not trusted"):
        coterie.open_run("run")
    with coterie.trust_code():
        assert coterie.open_run("run").env_name == f"{module}:Meadow"
    assert (here / "ran").exists()
    trust._REMEMBERED.clear()  # as in another process
    coterie.open_run("run")
    (here / f"{module}.py").write_text(f"{WORLD}\n# and more")
    with pytest.raises(RunError, match="not trusted"):
        coterie.open_run("run")


def test_what_was_typed_and_trained_is_trusted(here, module):
    name = f"{module}:Meadow"
    coterie.training.run.new_run(
        "ippo", name, folder=here / "run", settings=coterie.Settings()
    ).create()
    trust._REMEMBERED.clear()
    coterie.open_run("run")
    (here / f"{module}.py").write_text(f"{WORLD}\n# its user goes on writing it")
    coterie.open_run("run")
    assert json.loads(trust.store().read_text())["file"] == str(here / f"{module}.py")


def test_a_configuration_and_a_policy_are_files_too(here, module):
    start = '[algorithm]\nname = "dpo"\n[env]\nname = '
    (here / "a.toml").write_text(f'{start}"{module}:Meadow"\n')
    assert refused(["train", "--config", "a.toml"]).startswith(f"a.toml: [env] {module}:Meadow is")
    (here / "b.toml").write_text(f'{start}"spread"\n[output]\nloggers = ["{module}:Log"]\n')
    assert f"[output] {module}:Log is code" in refused(["train", "--config", "b.toml"])
    assert not (here / "ran").exists()
    cli.main(["config", "dpo", f"{module}:Meadow", "--quiet"])  # typed, and written
    assert coterie.read_config("a.toml").env_name == f"{module}:Meadow"


def test_a_factory_is_a_name_and_no_option(here):
    forged(here / "run", factory="os.system")
    assert "unknown option 'factory'" in refused(["evaluate", "run"])
    with pytest.raises(ConfigError, match="unknown option 'factory'"):
        make_env("pettingzoo:mpe2.simple_spread_v3", factory="os.system")
    for name in ("os.system", "sys:exit", "subprocess.run"):
        with pytest.raises(EnvError, match="is a part of Python itself"):
            resolve(name)


ASK = "from coterie.cli.answers import agrees; print(agrees('team:World is code of a file.'))"


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", "True"), ("\n", "False")])
def test_a_yes_at_a_terminal_is_trust(answer, agreed):
    ours, theirs = pty.openpty()
    ends = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.PIPE}
    words = [sys.executable, "-c", ASK]
    with subprocess.Popen(words, **ends, env=environment(1), text=True) as process:
        os.write(ours, answer.encode())
        assert process.communicate(timeout=100)[0] == f"{agreed}\n"
    assert b"team:World is code of a file. Run it? [y/N]" in os.read(ours, 1000)


def test_nobody_is_asked_without_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert not agrees("team:World is code of a file.")


def test_nothing_of_the_working_directory_stands_in_for_a_package(here):
    for name in ("matplotlib", "plistlib"):
        (here / f"{name}.py").write_text("open('ran', 'w')")
    before = list(sys.path)
    cli.main(["list"])
    load("plistlib")  # as a typed name of an installed module
    assert sys.path == before and not (here / "ran").exists()


def test_a_module_of_the_working_directory_is_found_last(here, module):
    assert origin(module) == str(here / f"{module}.py")
    assert origin(f"{module}.missing") == str(here / f"{module}.py")  # which would run first
    assert origin("no_such_module_at_all") is None
    load(module)
    assert sys.path[-1] == str(here)


NASTY = "red\x1b[31m\x07 \u202eback\u200b \x9b2J"
SHOWN = r"red\x1b[31m\x07 \u202eback\u200b \x9b2J"


def test_names_cannot_command_a_terminal(here, capsys):
    table = Table("name")
    table.add_row(NASTY)
    Answer({}, [NASTY, table]).show(False)
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\u202e\u200b\x9b") and out.startswith(SHOWN)
    forged(here / "run", "algorithm", name=NASTY)
    sentence = refused(["evaluate", "run"])
    assert "\x1b" not in sentence


@pytest.mark.parametrize(
    ("name", "shown"), [("red\x1b[31m\u202e", r"red\x1b[31m\u202e"), ("\u8d64", "\u8d64")]
)
def test_names_are_drawn_as_they_are_printed(here, name, shown):
    """Of a letter that its font does not have matplotlib would warn, with the letter itself."""
    [picture] = plot_curves([Curve(name, np.arange(2), np.zeros((1, 2)))], here / "a.svg", name)
    drawn = picture.read_text()
    assert shown in drawn and not set(drawn) & set("\x1b\u202e")


def test_names_are_no_markup_and_no_emoji(here, capsys):
    """`game:Zero: ...` is a name and a colon, though `:Zero:` is a picture to rich."""
    name = "game:Zero: [red]"
    table = Table(name)
    table.add_row(name)
    Answer({}, [table]).show(as_json=False)
    stderr_console().print(name)
    ProgressBar(finished(), Console(file=sys.stderr)).say(name)
    said = capsys.readouterr()
    assert said.out.count(name) == 2 and said.err.count(name) == 2


def test_colors_of_a_table_stay():
    text = io.StringIO()
    table = Table("name", style="red")
    table.add_row(NASTY)
    Console(file=text, force_terminal=True, width=200).print(Printable(table))
    assert "\x1b[31m┏" in text.getvalue() and r"red\x1b[31m" in text.getvalue()
