"""A study trains its teams, draws what is left of the return, and judges."""

import dataclasses

import numpy as np
import pytest

from coterie.claims.assertions import costs
from coterie.claims.figure import Claim, Panel
from coterie.claims.study import Study
from coterie.graph import Unlinked
from coterie.network import Communication
from coterie.training.loggers.table import read_table
from coterie.training.run import open_run
from tests.runs import SETTINGS, Pond, small

TEAMS = {"ring": small("networked-ac"), "nobody": small("networked-ac")}
ALONE = dataclasses.replace(
    SETTINGS, communication=Communication(Unlinked(), allow_disconnected=True)
)
STUDY = Study(
    Panel(
        Pond(agents=3),
        {**TEAMS, "central": small("central-ac")},
        SETTINGS,
        (Claim("T1", "a word is worth a half", costs("nobody", "ring", 0.5)),),
        networks={"nobody": ALONE},
    ),
    {"words": {"many": "ring", "none": "nobody"}},
    levels=("ring", "central"),
    traced=("ring", "nobody"),
)


@pytest.mark.deep
def test_a_study_leaves_pictures_a_table_and_verdicts(tmp_path):
    said = STUDY.make(tmp_path / "x.png")
    assert (tmp_path / "x.md").read_text() == said
    assert "- T1 (a word is worth a half): " in said
    pictures = (tmp_path / "x.png", tmp_path / "x-bytes.png")
    assert all(path.read_bytes()[1:4] == b"PNG" for path in pictures)
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith("| ")]
    cells = {row[0]: row[1:] for row in rows[2:]}
    assert set(cells) == {"ring", "nobody", "central"}
    talking, alone = (open_run(tmp_path / "x" / label) for label in TEAMS)
    assert (talking.settings, alone.settings) == (SETTINGS, ALONE)
    sent = read_table(talking.evaluations(0))["bytes"][-1]
    assert (cells["ring"][2], cells["nobody"][2]) == (f"{sent / 1000:.4g} kB", "0 B")
    apart = [read_table(run.metrics(0))["critic/consensus_error"][-1] for run in (talking, alone)]
    assert [float(cells[label][1].split()[0]) for label in TEAMS] == [
        float(f"{one:.4g}") for one in apart
    ]
    assert apart[0] < apart[1] and np.all(np.array(apart) > 0)
    assert len(cells["central"]) == 3 and cells["central"][1] == ""
    assert STUDY.make(tmp_path / "x.png") == said
