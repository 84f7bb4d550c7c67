"""The verbs in Python, where the command line's tests do not look."""

import pytest

from coterie import api, plots
from coterie.errors import ConfigError, CoterieWarning, EnvError
from coterie.internal import memory
from coterie.report import plot
from coterie.training.loggers.table import read_table
from coterie.training.loop import dry_run, held, train
from coterie.training.programs import Programs
from coterie.training.run import new_run
from coterie.training.settings import Settings
from coterie.training.setup import set_up
from coterie.training.state import resolve_specs
from tests.runs import SETTINGS, Pond, small


def test_a_memory_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    """Each number of each step is kept once: what is seen and may be done now and next, 4 bytes."""
    run = new_run(small("f2a2-ddpg", buffer_size=10_000), Pond(), SETTINGS, tmp_path / "run")
    programs = Programs(set_up(run))
    taken = held(run, programs)
    more = new_run(small("f2a2-ddpg", buffer_size=20_000), Pond(), SETTINGS, tmp_path / "run")
    spec = programs.setup.specs[0]
    # And a logarithm for each, the action, the pay, the weight of what follows.
    numbers = 2 * spec.observation + spec.action.size + 3
    flags = 1 + 2 * (spec.action.size * spec.masked + spec.leaves)
    per_step = len(run.played.specs) * len(run.seeds) * (4 * numbers + flags)
    assert held(more, Programs(set_up(more))) - taken == 10_000 * per_step
    monkeypatch.setattr(memory, "available", lambda: taken - 1)
    with pytest.raises(ConfigError, match=r"learn and remember would take .* lower --buf"):
        train(run)
    assert not run.folder.exists()
    monkeypatch.setattr(memory, "available", lambda: 10**9)
    dry_run(run)


def test_lines_that_would_hide_one_another_are_drawn_as_one(tmp_path, monkeypatch):
    run = new_run(small("mappo"), Pond(), SETTINGS, tmp_path / "run")
    train(run)
    drawn = {}

    def keep(panels, path, *_, **__):
        drawn.update(panels)
        return path

    monkeypatch.setattr(plot, "plot_panels", keep)
    plots.plot_run(run)
    labels = {name: [curve.label for curve in curves] for name, curves in drawn.items()}
    assert labels["Return"] == ["agent-0", "agent-1"]
    assert labels["Bytes sent by an agent"] == ["every agent"]


def test_curves_over_bytes_and_what_sends_nothing_is_a_dot(tmp_path, monkeypatch):
    talks, is_mute = small("networked-ac"), small("ippo")
    runs = [
        new_run(m, Pond(), SETTINGS, tmp_path / m_name)
        for m_name, m in (("talks", talks), ("mute", is_mute))
    ]
    for run in runs:
        train(run)
    drawn = []
    monkeypatch.setattr(plot, "plot_panels", lambda *told, **_: drawn.append(told))
    told = plots.plot_runs(runs, tmp_path / "x.png", x="bytes")
    (((over, mute),), *rest) = (drawn[0][0].values(), *drawn[0][1:])
    assert rest[-1] == "Bytes sent by an agent"
    assert over.steps.tolist() == read_table(runs[0].evaluations(0))["bytes"].tolist()
    assert over.steps[0] == 0 < over.steps[-1] == told[0].sent
    assert told[0].steps.tolist() == [0, 144, 240]
    assert mute.steps.tolist() == [0] and mute.band.point.tolist() == told[1].line[-1:].tolist()
    assert mute.note == "ippo sends nothing: the dot is its end" and told[1].sent == 0


class Bare(Pond):
    """Unequal agents that are not told which actions are theirs."""

    def view(self, state):
        return super().view(state)._replace(action_mask=None)


def test_unequal_actions_without_a_mask_are_refused():
    with pytest.raises(
        EnvError, match="there is no action_mask although agents have 2 to 3 actions"
    ):
        dry_run(new_run(small("ippo"), Bare(unequal=True), SETTINGS, "unused"))
    dry_run(new_run(small("ippo"), Pond(unequal=True), SETTINGS, "unused"))


def test_who_makes_specs_without_a_run_is_refused_too():
    env = Bare(unequal=True)
    with pytest.raises(EnvError, match="actions of different sizes, 2 to 3, and no mask"):
        resolve_specs(env, env.vectorize(2), small("ippo"))


def test_a_comparison_tells_of_unequal_budgets_by_its_labels(tmp_path, monkeypatch):
    """Two variants of one method are two."""
    monkeypatch.setattr(api, "_unfinished", lambda runs: [])
    monkeypatch.setattr(api, "plot_runs", lambda runs, *where, **how: [])
    long, short = small("ippo", rollout_length=50), small("ippo", rollout_length=20)
    settings = Settings(steps=250, num_envs=4)
    told = "long 400 steps, short 320 steps; with --steps 400 they are equal"
    with pytest.warns(CoterieWarning, match=told):
        api.compare({"long": long, "short": short}, Pond(), settings, tmp_path / "both")
