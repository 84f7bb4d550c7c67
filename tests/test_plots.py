"""Plots of run folders that are written by hand: of a run, names and numbers are enough."""

import csv
import json
import os

import numpy as np
import pytest
from matplotlib.text import Text

from coterie.cli import main
from coterie.cli.reports import lines_of
from coterie.errors import CoterieWarning, RunError
from coterie.plots import plot_profile, plot_run, plot_runs, read_runs, write_marl_eval
from coterie.report.curve import Curve
from coterie.report.line import Line
from coterie.training.run_files import FORMAT, read_summary
from tests.report.conftest import drawn as drawn
from tests.runs import refused

STEPS = (0, 100, 200)


def written(folder, method="dpo", env="spread", end=1.0, seeds=3, agents=2, talks=False, **options):
    """A run that ends at `end`, 0.1 higher with each seed, and 0.01 with each agent."""
    told = {"format": FORMAT, "algorithm": {"name": method}}
    told["settings"] = {"seed": 5, "seeds": seeds}
    told["env"] = {"name": env, "agents": agents} | options
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(told))
    for seed in range(seeds):
        way = np.linspace(0, 1, len(STEPS)) * (end + seed / 10)
        each = {f"episode_return/agent-{i}": way * (1 + i / 100) for i in range(agents)}
        sent = {"bytes": np.array(STEPS) * 8.0 * talks}
        shared = {"steps": np.array(STEPS), "episode_return": way, **each, **sent}
        error, lost = 1 / (1 + way), np.full(len(STEPS), 0.0 if seed else 0.25)
        talk = {"critic/consensus_error": error, "critic/lost": lost, "critic/bytes": sent["bytes"]}
        losses = {"critic_loss": 9 - way, "critic_loss/agent-0": 9 - way, "seconds": way}
        place = folder / f"seed-{5 + seed}"
        place.mkdir()
        table(place / "evaluation.csv", {**shared, "collisions": 9 - way})
        table(place / "metrics.csv", {**shared, **losses, **(talk if talks else {})})
    return folder


def table(path, columns):
    with path.open("w") as file:
        csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def both(tmp_path):
    written(tmp_path / "cmp" / "first", "dpo", end=1.0)
    written(tmp_path / "cmp" / "second", "ippo", end=2.0)
    return tmp_path / "cmp"


def test_a_folder_of_runs_stands_for_its_runs(both):
    (both / "pictures").mkdir()
    runs = read_runs([both, both / "first"])
    assert [run.folder.name for run in runs] == ["first", "second"]
    with pytest.raises(RunError, match=r"pictures is no run folder, for it has no run.json"):
        read_runs([both / "pictures"])


def test_the_table_beside_a_picture_is_what_it_shows(both, drawn):
    curves = plot_runs(read_runs([both]), both / "x.png")
    rows = rows_of(both / "x.csv")
    assert list(rows[0]) == ["env", "label", "steps", "iqm", "low", "high", "seeds"]
    for curve, line in zip(curves, drawn[0].axes[0].lines, strict=True):
        mine = [row for row in rows if row["label"] == curve.label]
        assert [float(row["iqm"]) for row in mine] == curve.line.tolist() == list(line.get_ydata())
        for edge in ("low", "high"):
            assert [float(row[edge]) for row in mine] == getattr(curve.band, edge).tolist()
        assert [row["steps"] for row in mine] == ["0", "100", "200"]
        assert {row["seeds"] for row in mine} == {"3"}
    assert [curve.label for curve in curves] == ["dpo", "ippo"]
    assert [row["label"] for row in rows_of(both / "x-summary.csv")] == ["ippo", "dpo"]
    axis = drawn[0].axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == (
        "Environment steps",
        "Return (mean of agents)",
    )


def test_environments_have_panels_of_their_own(both, drawn, tmp_path):
    written(tmp_path / "more" / "c", "dpo", "commons")
    curves = plot_runs(read_runs([both, tmp_path / "more"]), tmp_path / "x.png")
    first, second = drawn[0].axes
    assert [axis.get_title("left") for axis in (first, second)] == ["spread", "commons"]
    assert first.lines[0].get_color() == second.lines[0].get_color() != first.lines[1].get_color()
    assert drawn[0]._suptitle.get_text() == "2 environments"
    assert {row["env"] for row in rows_of(tmp_path / "x.csv")} == {"spread", "commons"}
    assert [curve.env for curve in curves] == ["spread", "spread", "commons"]


def test_options_make_an_environment_another_one(tmp_path, drawn):
    runs = [written(tmp_path / f"a{n}", agents=n, time_limit=25) for n in (2, 3)]
    curves = plot_runs(read_runs(runs), tmp_path / "x.png")
    assert [curve.env for curve in curves] == ["spread (agents 2)", "spread (agents 3)"]
    assert [curve.label for curve in curves] == ["dpo", "dpo"] and len(drawn[0].axes) == 2


def test_methods_that_coincide_are_told_apart_by_their_folders(tmp_path):
    names = (("a", "x"), ("b", "x"), ("b", "y"))
    runs = read_runs([written(tmp_path / one / two) for one, two in names])
    labels = [curve.label for curve in plot_runs(runs, tmp_path / "x.png")]
    assert labels == ["a/x", "b/x", "b/y"]
    labels = [curve.label for curve in plot_runs(runs[1:], tmp_path / "x.png")]
    assert labels == ["x", "y"]
    with pytest.raises(RunError, match="a run is there twice"):
        plot_runs([runs[0], runs[0]], tmp_path / "x.png")


def test_columns_of_the_training_are_drawn_and_said_to_be_such(both, drawn):
    runs = read_runs([both])
    curves = plot_runs(runs, both / "x.png", "critic_loss")
    label = drawn[0].axes[0].get_ylabel().replace("\n", " ")
    assert label == "Critic loss (mean of agents), per training block"
    assert curves[0].lower_is_better
    with pytest.raises(RunError, match=r"first/seed-5 has no column 'critic_los': did you mean"):
        plot_runs(runs, both / "x.png", "critic_los")
    with pytest.raises(RunError, match=r"no column 'zzz': it has steps, episode_return, by"):
        plot_runs(runs, both / "x.png", "zzz")


def test_runs_without_a_column_are_left_out_with_a_word(both):
    written(both / "third", "networked-ac", talks=True)
    with pytest.warns(CoterieWarning, match="first, .*second: left out, for there is no column"):
        curves = plot_runs(read_runs([both]), both / "x.png", "critic/consensus_error")
    assert [curve.label for curve in curves] == ["networked-ac"]


def test_lower_is_better_where_the_column_or_the_user_says_so(both):
    def ranked(column, lower=None):
        plot_runs(read_runs([both]), both / "x.png", column, lower_is_better=lower)
        return [row["label"] for row in rows_of(both / "x-summary.csv")]

    assert ranked("episode_return") == ranked("collisions") == ["ippo", "dpo"]
    assert ranked("episode_return", True) == ranked("collisions", False) == ["dpo", "ippo"]


def test_curves_of_the_training_lie_over_bytes_too(tmp_path, drawn):
    runs = read_runs([written(tmp_path / "a", talks=True)])
    plot_runs(runs, tmp_path / "x.png", "critic_loss", x="bytes")
    assert drawn[0].axes[0].lines[0].get_xdata().tolist() == [0, 800, 1600]
    assert drawn[0].axes[0].get_xlabel() == "Bytes sent by an agent"
    assert list(rows_of(tmp_path / "x.csv")[0])[2] == "bytes"


@pytest.mark.parametrize("name", ["evaluation.csv", "metrics.csv"])
def test_a_pipe_in_place_of_a_table_is_no_table(tmp_path, name):
    path = written(tmp_path / "run") / "seed-5" / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match=f"{name} is damaged: it is not a regular file"):
        plot_run(read_summary(tmp_path / "run"))


def test_pictures_come_in_several_formats(both):
    plot_runs(read_runs([both]), both / "x.png", formats=("pdf", "svg"))
    assert {path.name for path in both.glob("x*")} == {"x.pdf", "x.svg", "x.csv", "x-summary.csv"}
    files = plot_run(read_runs([both / "first"])[0], ("svg",))
    assert [file.name for file in files] == ["return.svg", "agents.svg"]
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize(("agents", "lines"), [(1, 1), (7, 7), (16, 1)])
def test_many_agents_are_a_mean_and_a_range(tmp_path, drawn, agents, lines):
    plot_run(read_runs([written(tmp_path / "run", agents=agents)])[0])
    axis = drawn[1].axes[0]
    assert axis.get_title("left") == "Return" and len(axis.lines) == lines
    words = " ".join(text.get_text() for text in drawn[1].findobj(Text))
    assert ("the mean of 16, from the lowest to the highest" in " ".join(words.split())) == (
        agents == 16
    )
    if agents == 16:
        edges = axis.collections[0].get_paths()[0].vertices[:, 1]
        assert edges.max() == pytest.approx(1.1 * 1.15)  # the last agent's mean over seeds
        assert axis.lines[0].get_ydata()[-1] == pytest.approx(1.1 * 1.075)


def test_those_who_talk_have_panels_of_their_payloads(tmp_path, drawn):
    plot_run(read_runs([written(tmp_path / "talks", talks=True)])[0])
    plot_run(read_runs([written(tmp_path / "mute")])[0])
    talks, mute = (
        [axis.get_title("left").replace("\n", " ") for axis in figure.axes]
        for figure in drawn[1::2]
    )
    assert set(talks) - set(mute) == {
        "Consensus error of the critic",
        "Lost messages of the critic (fraction)",
    }


def test_profiles_are_drawn_with_their_table(both, drawn):
    curves = plot_profile(read_runs([both]), both / "x.png")
    axis = drawn[0].axes[0]
    assert axis.get_ylabel() == "Share of seeds above it" and len(curves) == 2
    assert axis.get_xlabel() == "Return (mean of agents) at the end"
    rows = rows_of(both / "x.csv")
    assert list(rows[0])[2:4] == ["score", "share"] and rows[0]["share"] == "1.0"


def test_marl_eval_reads_environment_task_algorithm_seed_and_step(tmp_path):
    name = "pettingzoo:mpe2.simple_spread_v3"
    runs = [written(tmp_path / "a"), written(tmp_path / "b", "ippo", name)]
    path = write_marl_eval(read_runs(runs), tmp_path / "m.json")
    told = json.loads(path.read_text())
    seeds = told["coterie"]["spread"]["dpo"]
    assert list(seeds) == ["seed_5", "seed_6", "seed_7"]
    assert list(seeds["seed_5"]) == ["step_0", "step_1", "step_2", "absolute_metrics"]
    assert seeds["seed_6"]["step_1"] == {"step_count": 100, "episode_return": [0.55]}
    assert seeds["seed_6"]["absolute_metrics"] == {"episode_return": [1.1]}
    assert list(told["pettingzoo"]["mpe2.simple_spread_v3"]) == ["ippo"]
    more = [*runs, written(tmp_path / "c", "iql", seeds=2)]
    with pytest.warns(CoterieWarning, match="there are 2 x 3 and 3 x 3: train them with the same"):
        write_marl_eval(read_runs(more), tmp_path / "m.json")


def test_a_place_that_cannot_be_written_leaves_nothing(both, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert "file" in refused(["plot", str(both), "--out", "a.png", "--marl-eval", "file/x.json"])


def test_curves_and_lines_are_drawn_alike():
    curve = Curve("a", np.arange(3), np.arange(6.0).reshape(2, 3))
    assert isinstance(curve.as_line(), Line)
    assert curve.as_line(2).band.point.tolist() == curve.smoothed(2).line.tolist()


def test_the_verb_prints_its_table_whole_into_a_pipe(both, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    main(["plot", str(both), "--formats", "svg", "pdf", "--marl-eval", str(both / "m.json")])
    told = capsys.readouterr().out
    names = ("comparison.svg", "comparison.pdf", "comparison.csv", "comparison-summary.csv")
    assert told.split()[-5:] == [str(both / name) for name in (*names, "m.json")]
    assert all((both / name).is_file() for name in names)
    assert "P(beats best)" in told and "steps" in told and "left out" not in told
    main(["plot", str(both), "--profile", "--column", "collisions"])
    files = capsys.readouterr().out.split()[-2:]
    assert files == [str(both / f"collisions-profile.{suffix}") for suffix in ("png", "csv")]


def test_names_are_broken_beside_their_column():
    known = {"graphs": {"ring": "every agent has two neighbours", "a-long-name": "short"}}
    assert lines_of(known, 40) == [
        "graphs",
        "  ring         every agent has two",
        "               neighbours",
        "  a-long-name  short",
    ]
    assert lines_of(known, 20)[2] == "      agent has two"


def test_names_are_compared_only_for_a_column_that_is_missing(tmp_path, monkeypatch):
    """In a team of hundreds every comparison of one name with all takes seconds."""
    compared = []
    monkeypatch.setattr("coterie.results._likeness", lambda *pair: compared.append(pair) or 0.0)
    written(tmp_path / "run", agents=3)
    plot_run(read_runs([tmp_path / "run"])[0])
    assert compared == []
    with pytest.raises(RunError, match="no column"):
        plot_runs(read_runs([tmp_path / "run"]), tmp_path / "picture.png", column="retrun")
    assert compared
