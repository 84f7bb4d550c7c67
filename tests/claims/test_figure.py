"""A figure is trained, drawn and judged by one call, and goes on where it was stopped."""

import dataclasses
import itertools
from typing import get_args

import numpy as np
import pytest

from coterie.api import compare
from coterie.claims.assertions import above, below_value, within
from coterie.claims.catalogue import FIGURES, figure_of
from coterie.claims.figure import Claim, Figure, Panel
from coterie.errors import ConfigError
from coterie.report.compare import Verdict
from coterie.report.curve import Curve
from coterie.training import loop
from coterie.training.progress import ProgressBar
from coterie.training.run import open_run
from tests.runs import BLOCKS, SETTINGS, Pond, assert_same_run, listing, small

VERDICTS = get_args(Verdict)
METHODS = {"slow": small("ippo", actor_lr=1e-6), "dpo": small("dpo")}


def test_a_figure_leaves_a_picture_and_verdicts(tmp_path):
    settings = dataclasses.replace(SETTINGS, seeds=3)
    claims = (
        Claim("T1", "nobody reaches 1", below_value("dpo", "one")),
        Claim("T2", "DPO ends far above", above("dpo", "slow")),
        Claim("T3", "an episode is short", within("dpo", 6.5), "episode_length"),
    )
    panels = {"pond": Panel(Pond(), METHODS, settings, claims, {"one": lambda: 1.0})}
    said = Figure(panels).make(tmp_path / "one.png")
    assert "- T1 (nobody reaches 1): holds (dpo -" in said
    assert "- T2 (DPO ends far above): " in said
    assert "- T3 (an episode is short): " in said
    assert "(dpo 6 [6, 6]; the limit is 6.5)" in said
    assert (tmp_path / "one.md").read_text() == said
    before = listing(tmp_path / "pond" / "dpo" / "seed-0")
    assert Figure(panels).make(tmp_path / "one.png") == said
    assert listing(tmp_path / "pond" / "dpo" / "seed-0") == before
    assert (tmp_path / "one.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.deep
def test_a_figure_that_was_stopped_goes_on(tmp_path, monkeypatch):
    """Stopped in the middle, it ends with the very runs and verdicts of one that was not."""
    claims = (Claim("T1", "DPO ends far above", above("dpo", "slow")),)
    panels = {"pond": Panel(Pond(), METHODS, SETTINGS, claims)}
    whole = Figure(panels).make(tmp_path / "whole" / "one.png")
    picture, asked = tmp_path / "parts" / "one.png", itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "stopping", lambda bar: next(asked) >= BLOCKS + 1)
        assert Figure(panels).make(picture) is None  # it was stopped
    assert not picture.exists() and (tmp_path / "parts" / "pond" / "slow").exists()
    assert Figure(panels).make(picture).splitlines()[-1] == whole.splitlines()[-1]  # the verdict
    for name in METHODS:
        folders = (tmp_path / part / "pond" / name for part in ("whole", "parts"))
        assert_same_run(*map(open_run, folders))


@pytest.mark.deep
def test_labels_that_no_folder_can_have_are_kept(tmp_path):
    methods = {"δ=1 ω=2": METHODS["dpo"], "δ=3 ω=2": METHODS["slow"]}
    settings = dataclasses.replace(SETTINGS, seeds=3)
    claims = (Claim("T1", "DPO ends far above", above(*methods)),)
    said = Figure({"pond": Panel(Pond(), methods, settings, claims)}).make(tmp_path / "one.png")
    assert all(f"| {label} |" in said for label in methods)
    assert "(δ=1 ω=2 -" in said.splitlines()[-1] and " against δ=3 ω=2 -" in said.splitlines()[-1]
    curves = compare(methods, Pond(), settings, tmp_path / "pond")
    assert [curve.label for curve in curves] == list(methods)


def test_what_is_trained_is_not_rehearsed_again(tmp_path, monkeypatch):
    figure = Figure({"pond": Panel(Pond(), {"dpo": METHODS["dpo"]}, SETTINGS)})
    said = figure.make(tmp_path / "one.png")
    for name in ("dry_run", "train", "resume"):
        monkeypatch.setattr(loop, name, lambda *_: pytest.fail("it is done"))
    assert figure.make(tmp_path / "one.png") == said


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_trained(name):
    names, figure = set(), figure_of(name)
    for panel in figure.panels.values() if isinstance(figure, Figure) else [figure.panel]:
        assert panel.settings.seeds >= 5
        assert set(panel.networks) <= set(panel.methods)
        for method in panel.methods.values():
            method.check(panel.settings.num_envs)
        for settings in (panel.settings, *panel.networks.values()):
            settings.communication.among(len(panel.env.names))
        curves = made_up(*panel.methods, *panel.references)
        assert all(claim.ask(curves).verdict in VERDICTS for claim in panel.claims)
        names |= {claim.name for claim in panel.claims}
    assert names


def made_up(*labels):
    """Curves with these labels, of five seeds that rise alike."""
    rise = np.arange(4.0) + np.arange(5.0)[:, None]
    return {label: Curve(label, np.arange(4.0), rise + len(label), sent=1.0) for label in labels}


def test_an_unknown_figure_is_named():
    with pytest.raises(ConfigError, match="unknown figure 'dpo-5': did you mean 'dpo-"):
        figure_of("dpo-5")
