"""Folders that are no run's: the sentence says what they are, and what goes on with them."""

import pytest

from coterie.errors import RunError
from coterie.plots import read_runs
from coterie.training.run import new_run
from coterie.training.run_files import read_summary
from coterie.training.settings import Settings

SWEEP = "f is the folder of a sweep: the `coterie sweep` command that began it goes on with it; for"
SEVERAL = "f is the folder of several runs: the `coterie compare` or `coterie claims` command that"
OTHERS = {
    "nothing": ([], "f is no run folder, for it has no run.json: name one that `coterie train`"),
    "a sweep": (["f/sweep.json"], f"{SWEEP} one trial, it has no runs yet."),
    "trials": (
        ["f/sweep.json", "f/trial-000/run.json"],
        f"{SWEEP} one trial, name one of its 1 runs, as f/trial-000.",
    ),
    "a comparison": (
        ["f/iql/run.json", "f/dpo/run.json"],
        f"{SEVERAL} began it goes on with all; for one, name one of its 2 runs, as f/dpo.",
    ),
    "lost": (["f/seed-0/metrics.csv"], "f is a run folder that has lost its run.json: restore it"),
    "a part": (["run.json"], "f is no run folder, for it has no run.json: name ."),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_folder_that_is_no_run_is_named(case, tmp_path, monkeypatch):
    files, sentence = OTHERS[case]
    monkeypatch.chdir(tmp_path)
    for file in ("f/other", *files):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("{}")
    with pytest.raises(RunError) as refused:
        read_summary("f")
    assert str(refused.value).startswith(sentence)


def test_a_folder_without_runs_is_named_where_several_would_do(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        read_runs([tmp_path])


def test_only_a_run_is_offered_to_be_continued(tmp_path):
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(RunError, match=r"already exists: choose another folder\.$"):
        new_run("dpo", "spread", Settings(), tmp_path).require_new()
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match="or continue the run in it with `coterie resume"):
        new_run("dpo", "spread", Settings(), tmp_path).require_new()
