"""Fleets: what is refused, and whole ones in processes of their own."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from coterie.fleet.plan import Plan, read_plan, require_fleet
from coterie.fleet.supervisor import free_addresses
from coterie.internal.reading import read_arrays
from coterie.training.run import new_run, open_run
from coterie.training.settings import Settings
from tests.runs import Pond, environment, refused

REFUSED = {
    "a centre": (["ctrpo", "spread"], "ctrpo acts at a centre, which no agent of a fleet can"),
    "learning at a centre": (["maddpg", "spread"], "maddpg learns at a centre, which no agent"),
    "seeds": (["dpo", "spread", "--seeds", "2"], "a fleet trains one seed: leave out --seeds"),
    "kinds": (["ippo", "commons", "--patience", "0"], "patience"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_fleet_can_do_gets_one_sentence(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, sentence = REFUSED[case]
    assert sentence in refused(["fleet", *arguments])


def test_agents_of_several_kinds_are_refused():
    run = new_run("ippo", Pond(unequal=True), Settings())
    with pytest.raises(Exception, match="here are 2 kinds: train this team with `coterie train`"):
        require_fleet(run)


def plan(tmp_path):
    run = new_run("networked-ac", "commons", Settings(steps=1000), tmp_path / "fleet")
    return Plan(run, free_addresses(len(run.env.names) + 1), 2.0)


def test_a_plan_is_read_as_it_was_written(tmp_path):
    made = plan(tmp_path)
    made.write()
    read = read_plan(made.run.folder)
    assert dataclasses.replace(read, run=made.run) == made
    assert (
        read.fingerprint
        == made.fingerprint
        != dataclasses.replace(
            made, run=dataclasses.replace(made.run, settings=Settings(steps=2000))
        ).fingerprint
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "needs an address for each of"),
        ('{"addresses": ["a"], "patience": 1}', "needs an address for each of"),
        ("[", "is damaged"),
        (None, "is no fleet's folder"),
    ],
)
def test_a_folder_that_is_no_fleet_gets_one_sentence(tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    made = plan(tmp_path)
    made.write()
    file = made.run.folder / "fleet.json"
    file.unlink() if text is None else file.write_text(text)
    assert sentence in refused(["agent", str(made.run.folder), "--world"])


def test_an_address_of_another_machine_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = plan(tmp_path)
    away = dataclasses.replace(made, addresses=("192.0.2.1:7447", *made.addresses[1:]))
    away.write()
    assert "192.0.2.1:7447 is not on this machine" in refused(
        ["agent", str(away.run.folder), "--world"]
    )


def started(folder, *options):
    command = [sys.executable, "-m", "coterie", "fleet", "networked-ac", "commons", *options]
    return subprocess.Popen(
        [*command, "--folder", str(folder)], env=environment(), start_new_session=True
    )


SMALL = ("--agents", "2", "--graph", "line", "--num-envs", "4", "--rollout-length", "8")


def policies(folder):
    run = open_run(folder)
    return [read_arrays(run.policy_file(0, name))[0] for name in run.env.names]


@pytest.mark.deep
def test_a_fleet_learns_what_the_team_learns_in_one_process(tmp_path):
    """To rounding, after 100 updates."""
    options = (*SMALL, "--steps", "3200")
    assert started(tmp_path / "fleet", *options).wait(300) == 0
    train = [sys.executable, "-m", "coterie", "train", "networked-ac", "commons", *options]
    train += ["--no-plots", "--folder", str(tmp_path / "one")]
    subprocess.run(train, env=environment(), check=True)
    pairs = zip(policies(tmp_path / "fleet"), policies(tmp_path / "one"), strict=True)
    for mine, usual in pairs:
        for name in usual:
            np.testing.assert_allclose(mine[name], usual[name], rtol=1e-4, atol=1e-4)


@pytest.mark.deep
def test_an_agent_that_is_killed_comes_back_from_its_checkpoint(tmp_path):
    fleet = started(tmp_path / "fleet", *SMALL, "--steps", "96000", "--num-checkpoints", "30")
    table = tmp_path / "fleet" / "agents" / "agent-1" / "seed-0" / "metrics.csv"
    waited(lambda: table.exists() and len(table.read_text().splitlines()) > 3)
    os.kill(process_of(tmp_path, "agent-1"), signal.SIGKILL)
    assert fleet.wait(400) == 0
    rows = table.read_text().splitlines()
    assert rows[-1].endswith(",1"), "it was not started again"
    assert int(rows[-1].split(",")[0]) == 96_000


def process_of(folder, name):
    found = subprocess.run(["pgrep", "-f", f"{folder}.*--agent={name} "], capture_output=True)
    return int(found.stdout.split()[0])


def waited(condition, seconds=200):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.2)
