"""The verbs in Python, where the command line's tests do not look."""

from coterie import api
from coterie.report import plot
from coterie.train.loop import train
from coterie.train.run import new_run
from tests.runs import SETTINGS, Pond, small


def test_lines_that_would_hide_one_another_are_drawn_as_one(tmp_path, monkeypatch):
    run = new_run(small("mappo"), Pond(), SETTINGS, tmp_path / "run")
    train(run)
    drawn = {}

    def keep(panels, path, *_, **__):
        drawn.update(panels)
        return path

    monkeypatch.setattr(plot, "plot_panels", keep)
    api.plot_run(run)
    labels = {name: [curve.label for curve in curves] for name, curves in drawn.items()}
    assert labels["return"] == ["agent-0", "agent-1"]
    assert labels["bytes"] == ["every agent"]
