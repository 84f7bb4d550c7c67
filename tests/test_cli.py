"""The command line: every verb once, and every mistake answered with one sentence."""

import csv
import dataclasses
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import pytest
from PIL import Image

from coterie.algorithms import DPO, NetworkedAC
from coterie.cli import VERBS, main
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.errors import ConfigError, CoterieWarning, advise
from coterie.graph import Star, Unlinked
from coterie.internal import memory
from coterie.internal.reading import read_json
from coterie.network import Communication
from coterie.policies import load_policy
from coterie.training.checkpoint import checkpoints
from coterie.training.fit import require_used
from coterie.training.loggers.table import read_table
from coterie.training.programs import Programs
from coterie.training.recording import OnDisk
from coterie.training.run import new_run, open_run
from coterie.training.setup import set_up
from tests.runs import (
    SETTINGS,
    Pond,
    assert_same_run,
    copied,
    environment,
    finished,
    listing,
    python,
    refused,
    small,
    trained,
)

PROXIMAL = (
    "--actor.hidden-sizes=8",
    "--critic.hidden-sizes=8",
    "--rollout-length=6",
    "--epochs=1",
    "--minibatches=2",
)
Q = (
    "--critic.hidden-sizes=8",
    "--rollout-length=6",
    "--updates-per-rollout=1",
    "--batch-size=4",
    "--buffer-size=12",
    "--learning-starts=4",
)
BUDGET = (
    "--steps=240",
    "--num-envs=4",
    "--updates-per-block=2",
    "--num-evals=2",
    "--eval-episodes=3",
)
TINY = ("--steps=48", "--num-envs=4", "--updates-per-block=1", "--num-evals=1", "--eval-episodes=2")
POND = "tests.runs:Pond"
FIVE = [*PROXIMAL, *BUDGET]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here):
    return copied(finished(), here / "run")


def says(capsys, *arguments):
    """What a command prints."""
    capsys.readouterr()
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def pictures(path):
    """How many pictures a file holds."""
    with Image.open(path) as image:
        image.load()
        return getattr(image, "n_frames", 1)


def test_train_leaves_a_run_that_can_be_repeated(here, capsys):
    out = says(capsys, "train", "dpo", POND, *FIVE, "--folder", "here")
    result, advice = out.splitlines()
    before, *_, after = read_table(finished().evaluations(0))["episode_return"]
    assert result == f"here: return {after:.2f} at the end, {before:.2f} before training"
    assert advice.startswith("coterie watch here shows the team at play")
    opened = open_run("here")
    assert opened.finished
    assert opened.env == Pond()
    assert opened.owner(0) == finished().owner(0)
    assert (
        opened.policy_file(0, "agent-1").read_bytes()
        == finished().policy_file(0, "agent-1").read_bytes()
    )
    assert {path.name for path in (here / "here" / "plots").iterdir()} >= {
        "return.png",
        "return.csv",
        "return-summary.csv",
        "agents.png",
    }


def test_resume_goes_on(here, capsys):
    run = trained(here / "run", stop=2)
    assert says(capsys, "resume", "run").startswith("run: return ")
    assert open_run(run.folder).finished


def test_compare_trains_with_the_same_seeds_and_budget(here, capsys):
    options = [word.replace("--", f"--{name}.") for name in ("dpo", "ippo") for word in PROXIMAL]
    words = ["compare", "dpo", "ippo", POND, *options, *BUDGET, "--seeds", "2"]
    settings = dataclasses.replace(SETTINGS, seeds=2)
    trained(here / "both" / "dpo", settings=settings, stop=2)  # as Ctrl-C would leave it
    out = says(capsys, *words, "--folder", "both")
    assert "dpo" in out
    assert "ippo" in out
    assert pictures("both/comparison.png") == 1
    with open("both/comparison-summary.csv") as file:
        assert len(list(csv.reader(file))) == 3
    with open("both/comparison.csv") as file:
        assert len(list(csv.reader(file))) == 1 + 2 * 3  # a point for each evaluation
    runs = [open_run(here / "both" / name) for name in ("dpo", "ippo")]
    assert runs[0].settings == runs[1].settings
    assert runs[0].settings.seeds == 2
    steps = [read_table(run.evaluations(seed))["steps"].tolist() for run in runs for seed in (0, 1)]
    assert steps == [[0, 144, 240]] * 4
    for seed in (0, 1):
        assert_same_run(finished(settings=settings), runs[0], seed)
    before = listing(here / "both" / "dpo" / "seed-0")
    says(capsys, *words, "--folder", "both")  # nothing is left to train
    assert listing(here / "both" / "dpo" / "seed-0") == before
    sentence = refused([*words, "--folder", "both", "--steps", "480"])
    assert sentence.startswith("both/dpo already exists and is not a part of this comparison")


def test_evaluate_plays_games_of_its_own(run, capsys):
    before = listing(run.folder)
    outs = [says(capsys, "evaluate", "run", "--episodes", "5", "--key", k) for k in "001"]
    assert outs[0] == outs[1] != outs[2]
    assert "over 5 episodes of 6.0 steps; far " in outs[0]
    assert listing(run.folder) == before


def test_plot_draws_one_run_and_several(run, capsys):
    assert says(capsys, "plot", "run").split() == ["run/plots/return.png", "run/plots/agents.png"]
    says(capsys, "plot", "run", "run", "--out", "two.png", "--column", "episode_length")
    for path in ("run/plots/return.png", "run/plots/agents.png", "two.png"):
        assert pictures(path) == 1
    assert "final" in Path("two-summary.csv").read_text()


def test_watch_draws_a_moving_and_a_still_picture(run, capsys):
    out = says(capsys, "watch", "run", "--episodes", "2").split()
    assert out == ["run/plots/team.gif", "run/plots/team.png"]
    assert [pictures(path) for path in out] == [14, 1]


def test_graph_says_what_a_graph_means_and_draws_it(here, capsys):
    out = says(capsys, "graph", "torus", "--agents", "9", "--payload", "100")
    for words in ("torus, 9 agents", "links            18", "3,600 in all, at most 400 from one"):
        assert words in out
    assert out.splitlines()[-1] == "runs/graph-torus.png"
    assert pictures("runs/graph-torus.png") == 1
    words = ["graph", "geometric:0.2,seed=1", "--agents", "9", "--weights", "lazy"]
    apart = says(capsys, *words, "--out", "x.svg")
    assert "never" in apart and "parts: [0" in apart
    assert "geometric:0.2,seed=1, 9 agents" in Path("x.svg").read_text()
    assert says(capsys, *words).splitlines()[-1] == "runs/graph-geometric-0-2-seed-1.png"


def test_list_has_every_name(capsys):
    out = says(capsys, "list")
    for name in (
        "dpo",
        "ippo-kl",
        "iql",
        "mappo",
        "environments",
        "spread",
        "circle",
        "pettingzoo:",
        "gymnasium:...",
        "gymnasium-vector:...",
        "jaxmarl:...",
        "jumanji:...",
        "smax:...",
    ):
        assert name in out
    with pytest.raises(SystemExit):
        main(["graph", "--help"])
    shown = capsys.readouterr().out.split()
    for name in (
        "torus",
        "exponential",
        "`erdos-renyi:0.4,seed=1`.",
        "`edges:0-1+1-2+1-3`.",
        "lazy",
    ):
        assert name in out.split() and name in shown
    assert {"extra", "intervals", "loss", "quantise"} <= set(out.split())


def test_check_says_what_is_wrong(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", POND, "--broken", "3"])
    assert ended.value.code == 2
    assert "nan" in capsys.readouterr().out.lower()
    assert says(capsys, "check", POND) == f"{POND}: nothing wrong found\n"


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_teaches(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"] if verb else ["--help"])
    assert ended.value.code == 0
    assert "usage: coterie" in capsys.readouterr().out


def test_help_of_training_shows_every_option(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "dpo", "spread", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for option in ("--sqrt-kl-coef", "--agents", "--steps", "--folder", "--loggers", "--no-plots"):
        assert option in out


def test_a_network_with_faults_counts_what_it_carries_and_loses(here):
    """Four wells on a ring: every update is 5 rounds of a critic of 242 numbers in 8 arrays.

    With each array goes its scale; what is rounded to 8 bits says its range, in 4 bytes.
    """
    words = [
        "--agents=4",
        "--actor.hidden-sizes=8",
        "--critic.hidden-sizes=8",
        "--rollout-length=6",
        "--consensus.rounds=5",
        *TINY,
    ]
    faults = ["--graph", "ring", "--channels", "loss:0.3", "quantise:8"]
    main(["train", "networked-ac", "commons", *words, *faults, "--folder", "run"])
    opened, message = open_run("run"), 242 + 8 * 4 + 8 * (1 + 4)
    with opened.traffic(0).open() as file:
        links = {(row["from"], row["to"]): row for row in csv.DictReader(file)}
    assert len(links) == 8
    assert {row["payload"] for row in links.values()} == {"critic"}
    for (here, there), row in links.items():
        assert (int(row["messages"]), int(row["bytes"])) == (2 * 5, 2 * 5 * message)
        assert row["lost"] == links[there, here]["lost"]
    lost = sum(int(row["lost"]) for row in links.values()) / 80
    assert 0.15 < lost < 0.45
    metrics = read_table(opened.metrics(0))
    assert metrics["critic/lost"].mean() == pytest.approx(lost)
    for column in ("bytes", "bytes/agent-3", "critic/bytes"):
        assert metrics[column].tolist() == [2 * 5 * message] * 2
    assert metrics["critic/rounds"].tolist() == [5, 5]
    assert read_table(opened.evaluations(0))["bytes"].tolist() == [0, 2 * 2 * 5 * message]


@pytest.mark.deep
def test_speaker_and_listener_train_with_dpo_and_iql():
    """Unequal agents of PettingZoo, through the command line, from factory options to policies."""
    world = ["pettingzoo:mpe2.simple_speaker_listener_v4", "--env-kwargs", "max_cycles=6"]
    for name, options in (("dpo", PROXIMAL), ("iql", Q)):
        main(["train", name, *world, "--workers", "1", *options, *TINY, "--folder", name])
        opened = open_run(name)
        assert opened.env.arguments == (("max_cycles", 6),)
        cards = [load_policy(opened.policy_file(0, agent)).metadata for agent in opened.env.names]
        assert [(c.name, c.observation, c.action.size) for c in cards] == [
            ("speaker_0", 3, 3),
            ("listener_0", 11, 5),
        ]
        assert read_table(opened.evaluations(0))["episode_length"].tolist() == [6, 6]
    main(["watch", "dpo", "--episodes", "1"])
    assert pictures("dpo/plots/team.gif") == 7
    assert pictures("dpo/plots/team.png") == 1


TRAIN = ["train", "dpo", POND]
TALK = ["train", "networked-ac", "commons", *TINY]
BAD = {
    "verb": (["trian"], "unknown verb 'trian': did you mean 'train'"),
    "algorithm": (["train", "dppo", POND], "unknown algorithm 'dppo': did you mean 'dpo'"),
    "env": (["train", "dpo", "spred"], "unknown environment 'spred': did you mean 'spread'"),
    "order": (["train", "spread", "dpo"], "'spread' is an environment: algorithms come first"),
    "order of three": (
        ["compare", "spread", "dpo", "ippo"],
        "'spread' is an environment: algorithms come",
    ),
    "not an environment": (["check", "dpo"], "'dpo' is an algorithm: the environment comes last"),
    "no environment": (["train", "dpo"], "usage: coterie train ALGORITHM ENV"),
    "option": ([*TRAIN, "--stepss", "5"], "unknown option --stepss (did you mean --steps"),
    "value": (
        [*TRAIN, "--steps", "many"],
        "--steps must be a whole number, not 'many'; see coterie train dpo",
    ),
    "choice": (
        [*TRAIN, "--actor.activation", "tan"],
        "--actor.activation must be tanh or relu or selu or leaky_relu, not",
    ),
    "no agents": ([*TRAIN, "--agents", "0"], "agents must be at least 1, not 0"),
    "agents": (["train", "dpo", "spread", "--agents", "-1"], "agents must be at least 1, not -1"),
    "steps": ([*TRAIN, "--steps", "-5"], "steps must be at least 1, not -5"),
    "num_envs": ([*TRAIN, "--num-envs", "0"], "num_envs must be at least 1, not 0"),
    "logger": ([*TRAIN, "--loggers", "tensorbord"], "unknown logger 'tensorbord': did you mean"),
    "own logger": (
        [*TRAIN, "--loggers", "tests.runs:Pond"],
        "'tests.runs:Pond' is not a coterie Logger: give it the methods start, log and finish",
    ),
    "seeds": ([*TRAIN, "--seeds", "0"], "seeds must be at least 1, not 0"),
    "initials": (
        [*TRAIN, "--lr", "5"],
        "unknown option --lr (did you mean --actor-lr or --critic-lr?); see coterie train",
    ),
    "the field's other words": (
        [*TRAIN, "--gamma", "0.9"],
        "unknown option --gamma (did you mean --discount?)",
    ),
    "no near word": (
        [*TRAIN, "--n-steps", "128"],
        "unknown option --n-steps (did you mean --rollout-length?)",
    ),
    "graph": ([*TRAIN, "--graph", "rign"], "unknown graph 'rign': did you mean 'ring'"),
    "no such family": (["graph", "toros"], "unknown graph 'toros': did you mean 'torus'"),
    "no family": (["graph", "--agents", "3"], "usage: coterie graph FAMILY --agents N"),
    "no team": (["graph", "ring"], "Missing from coterie graph ring: --agents"),
    "no one": (["graph", "ring", "--agents", "0"], "agents must be at least 1, not 0"),
    "probability": (
        ["graph", "erdos-renyi:2", "--agents", "3"],
        "graph 'erdos-renyi:2': probability must",
    ),
    "weights": (["graph", "ring", "--agents", "3", "--weights", "lasy"], "unknown weights 'lasy'"),
    "no weights": (
        ["graph", "ring", "--agents", "3", "--weights", "json:JSONDecoder"],
        "the rule 'json.decoder:JSONDecoder' makes no weights [N, N] of an adjacency",
    ),
    "a huge graph": (
        ["graph", "complete", "--agents", "60000"],
        "a graph of 60,000 agents, a number for each pair of them, would take 230 GB",
    ),
    "more agents than counted": (["graph", "ring", "--agents", "9" * 20], "agents must be at most"),
    "surplus of the version": (["--version", "extra"], "'extra' cannot stand behind --version"),
    "surplus of the help": (["--help", "--bogus"], "'--bogus' cannot stand behind --help"),
    "surplus of a verb's help": (["train", "--help", "--bogus"], "'--bogus' cannot stand beside"),
    "unknown beside help": ([*TRAIN, "--bogus", "--help"], "unknown option --bogus"),
    "too many steps": (
        [*TRAIN, "--steps", "9" * 26],
        "steps must be at most 1,000,000,000,00",
    ),
    "too many updates": (
        [*TRAIN, "--steps", "1e15", "--num-envs", "4"],
        "1,000,000,000,000,000 steps are 5,000,000,000,000 updates, more than the 2,147,483,647",
    ),
    "a long block": (
        [*TRAIN, "--steps", "6e12", "--updates-per-block", "1e9"],
        "a block of 93,750,000 updates of 50 steps is longer than the 2,147,483,647 steps that",
    ),
    "a wide block": (
        [*TRAIN, "--steps", "2e12", "--updates-per-block", "1e9"],
        "the random keys of a block of 31,250,000 updates would take 76 GB",
    ),
    "updates_per_block": (
        [*TRAIN, "--updates-per-block", "1e30"],
        "updates_per_block must be at most 2,147,483,647 in size, not 1000000000000000019884624838",
    ),
    "eval_episodes": ([*TRAIN, "--eval-episodes", "1e12"], "eval_episodes must be at most 2,147"),
    "a wide evaluation": (
        ["train", "dpo", "spread", "--eval-episodes", "2e9"],
        "an evaluation in 2,000,000,000 environments would take 1,168 GB",
    ),
    "a long rollout": (
        ["train", "dpo", "spread", "--rollout-length", "2e7", "--updates-per-block", "1"],
        "a rollout of 20,000,000 steps of 3 agents in 64 environments would take",
    ),
    "a large team": (
        ["train", "dpo", "spread", "--agents", "1000"],
        "a rollout of 50 steps of 1,000 agents in 64 environments would take 307 GB",
    ),
    "a larger team": (
        ["train", "dpo", "spread", "--agents", "100000"],
        "a graph of 100,000 agents, a number for each pair of them, would take 640 GB",
    ),
    "the largest team": (
        ["train", "dpo", "spread", "--agents", "1e9"],
        "agents must be at most 100,000, not 1000000000: try 3",
    ),
    "wide layers": (
        ["train", "dpo", "spread", "--actor.hidden-sizes", "1000000", "1000000"],
        "what 3 agents learn and remember would take",
    ),
    "states": (["check", "random-mdp", "--states", "1e9"], "states must be at most 1,000,000, not"),
    "a large bandit": (
        ["check", "continuous-bandit", "--agents", "3000"],
        "3,000 agents that choose 1 numbers each would have a curvature of 3,000 x 3,000",
    ),
    "an infinite rate": ([*TRAIN, "--actor-lr", "1e400"], "actor_lr must be a finite number, not"),
    "a mad rate": ([*TRAIN, "--actor-lr", "1e30"], "actor_lr must be at most 1000, not 1e+30"),
    "an infinite price": (
        ["train", "dpo", "spread", "--collision-penalty", "inf"],
        "collision_penalty must be a finite number, not inf",
    ),
    "digits that only look like some": (
        [*TRAIN, "--steps", "\uff11\uff10\uff10"],
        "--steps must be a whole number, not '\uff11\uff10\uff10'",
    ),
    "no folder": ([*TRAIN, "--folder", ""], "--folder must be a path or none, not ''"),
    "a bare dash": ([*TRAIN, "--folder", "new", "--"], "--folder must be a path or none, not 'ne"),
    "a long word": (
        [*TALK, "--graph", "ring:" + "9" * 10_000],
        "graph 'ring:9999999999999999999999999999999999... (10,007 characters): '9999",
    ),
    "a colon and nothing": ([*TALK, "--graph", "ring:"], "graph 'ring:': '' is no part of 'ring'"),
    "a channel of a silent method": (
        ["train", "dpo", "spread", "--channels", "silence:99,0,10"],
        "dpo sends nothing to neighbors, so that --channels would do nothing: leave it out",
    ),
    "a network of silent methods": (
        ["compare", "dpo", "ippo", "spread", "--graph", "star", "--schedule", "extra:0.2"],
        "dpo and ippo sends nothing to neighbors, so that --graph and --schedule would do nothing",
    ),
    "episodes without end": (
        ["watch", "run", "--episodes", "1e6"],
        "episodes must be at most 1,0",
    ),
    "episodes side by side": (
        ["evaluate", "run", "--episodes", "2e9"],
        "2,000,000,000 episodes side by side would take",
    ),
    "a factory that leaves": (
        ["train", "dpo", "pettingzoo:sys.exit"],
        "sys.exit is a part of Python itself and makes no environment",
    ),
    "a factory's arguments": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spread_v3", "--env-kwargs", "N=__import__('os')"],
        "mpe2.simple_spread_v3(N=\"__import__('os')\") failed: TypeError",
    ),
    "workers": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spread_v3", "--workers", "1e9"],
        "workers must be at most 1,024, not 1000000000",
    ),
    "an endless step": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spread_v3", "--step-timeout", "inf"],
        "step_timeout must be a finite number, not inf",
    ),
    "many copies": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spread_v3", "--num-envs", "2e9"],
        "2,000,000,000 copies of mpe2.simple_spread_v3 in ",
    ),
    "payload": (["graph", "ring", "--agents", "3", "--payload", "-1"], "payload must be at least"),
    "drawing": (["graph", "ring", "--agents", "3", "--out", "x.gif"], "cannot write 'x.gif'"),
    "loss": ([*TALK, "--channels", "loss:1.5"], "channel 'loss:1.5': probability must lie"),
    "second channel": ([*TALK, "--channels", "loss:0.1", "los:0"], "unknown channel 'los': did"),
    "silence": ([*TALK, "--channels", "silence:8,0,9"], "there is no agent 8 to fall silent"),
    "partition": ([*TALK, "--channels", "partition:0,9,9"], "8 agents cannot fall into 9 parts"),
    "allow_disconnected": (
        [*TALK, "--graph", "edges:0-1+2-3+3-4+4-5+5-6+6-7"],
        "the graph of 8 agents is not connected: it falls into 2 parts [[0, 1], [2, 3, 4, 5, 6, 7]",
    ),
    "never together": (
        [*TALK, "--graph", "none", "--schedule", "periodic:none"],
        "the schedule Periodic(others=(Unlinked(),)) never connects the team: the graph of 8 agent",
    ),
    "schedule": ([*TALK, "--schedule", "perodic:star"], "unknown schedule 'perodic': did you mean"),
    "others": ([*TALK, "--schedule", "periodic:star|junk"], "unknown graph 'junk'"),
    "no others": ([*TALK, "--schedule", "periodic"], "schedule 'periodic' needs others; write"),
    "others' edges": ([*TALK, "--schedule", "periodic:edges:0-9"], "link 0-9 needs an agent 9"),
    "interval": (
        [*TALK, "--schedule", "intervals:0"],
        "schedule 'intervals:0': mean must lie between 1 and 10,000, not 0.0",
    ),
    "lonely": ([*TALK, "--agents", "1"], "a method that talks to neighbours needs at least 2"),
    "minibatches": (
        [*TRAIN, "--num-envs", "5"],
        "5 environments cannot be dealt into 4 minibatches",
    ),
    "buffer_size": (
        ["train", "iql", POND, "--buffer-size", "3"],
        "64 environments bring 64 segments",
    ),
    "space": (["train", "iql", POND, "--box"], "IQL chooses among discrete actions"),
    "space of one of two": (
        ["compare", "dpo", "iql", POND, "--box", "--folder", "both", *TINY],
        "IQL chooses among discrete actions",
    ),
    "twice": (["compare", "dpo", "dpo", POND], "dpo dpo: name each algorithm once"),
    "folder": ([*TRAIN, "--folder", "run"], "run already exists"),
    "a file": ([*TRAIN, "--folder", "file"], "file already exists"),
    "below a file": ([*TRAIN, "--folder", "file/run"], "file/run: Not a directory"),
    "no run": (["evaluate", "nowhere"], "nowhere is not a folder"),
    "not a run": (["resume", "empty"], "empty is no run folder, for it has no run.json: name"),
    "pickled": (["evaluate", "pickled"], "pickled/run.json is damaged"),
    "damaged": (["watch", "damaged"], "damaged/run.json is damaged"),
    "not trained": (["evaluate", "untrained"], "untrained/seed-0/policies/agent-0.safetensors is"),
    "no numbers": (["plot", "untrained"], "untrained/seed-0/evaluation.csv is missing"),
    "another environment": (
        ["evaluate", "edited"],
        "edited/seed-0/policies/agent-0.safetensors is of",
    ),
    "another environment, resumed": (
        ["resume", "edited"],
        "edited/seed-0/checkpoints/000000011/agent-0",
    ),
    "half": (["resume", "half"], "half/seed-0/checkpoints/000000011/agent-1.safetensors is damag"),
    "column": (
        ["plot", "run", "--column", "retrun"],
        "run/seed-0 has no column 'retrun': did you mean 'episode_return'",
    ),
    "picture": (["plot", "run", "--out", "x.txt"], "cannot write 'x.txt'"),
    "seed": (["watch", "run", "--seed", "5"], "run has seeds 0 to 0, not 5"),
    "episodes": (["evaluate", "run", "--episodes", "0"], "episodes must be at least 1, not 0"),
    "no episodes": (["watch", "run", "--episodes", "0"], "episodes must be at least 1, not 0"),
    "surplus": (["list", "all"], "usage: coterie list [options]; got 1 name(s): all"),
    "factory": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spred_v3"],
        "no module named mpe2.simple_spred_v3: did you mean mpe2.simple_spread_v3",
    ),
    "factory options": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spread_v3", "--env-kwargs", "N"],
        "options are name=value, each name once, not 'N'",
    ),
    "factory refuses": (
        ["train", "dpo", "pettingzoo:mpe2.simple_spread_v3", "--env-kwargs", "M=3"],
        "mpe2.simple_spread_v3(M=3) failed: TypeError",
    ),
}


@pytest.fixture
def mess(here, run, monkeypatch):
    """Folders that are not runs, or not any more, on a machine of 24 GB."""
    monkeypatch.setattr(memory, "available", lambda: 24 * 10**9)
    (here / "empty").mkdir()
    (here / "file").write_text("")
    for name, content in (("pickled", pickle.dumps({"format": 1})), ("damaged", b'{"format": 1')):
        (here / name).mkdir()
        (here / name / "run.json").write_bytes(content)
    (here / "untrained").mkdir()
    shutil.copy("run/run.json", "untrained")
    for name in ("edited", "half"):
        shutil.copytree("run", name)
    told = read_json(here / "edited" / "run.json")
    told["env"]["unequal"] = True
    (here / "edited" / "run.json").write_text(json.dumps(told))
    file = checkpoints(here / "half" / "seed-0" / "checkpoints")[-1] / "agent-1.safetensors"
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_and_changes_nothing(mess, case):
    arguments, sentence = BAD[case]
    assert refused(arguments).startswith(sentence)


def test_a_quantity_that_turns_nan_ends_with_its_sentence(here, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*TRAIN, *FIVE, "--broken", "3", "--folder", "broken"])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("coterie: agent 1 (agent-1): reward is not finite in update 1; run `co")


def test_a_game_outside_that_fails_in_training_says_why():
    words = ["train", "dpo", "pettingzoo:worlds:Faulty", "--env-kwargs", "fault=no_reward", *FIVE]
    code = """
import sys
from coterie.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print("code", end.code)
"""
    out = python(code, *words, "--workers", "1", "--folder", "run", errors=True)
    *_, sentence, end = out.splitlines()
    assert end == "code 2"
    assert "agent 'bob' at step 2 of its episode: the environment gave no reward for it" in sentence
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("number", "place", "sentence"),
    [
        ((28,), "run/a.csv", "run/a.csv: No space left on device."),
        ((28,), None, "No space left on device."),
        ((), None, "No space left on device."),
    ],
)
def test_an_error_of_the_system_says_what_and_where(monkeypatch, capsys, number, place, sentence):
    """As far as it is known: some libraries leave out the place, and some the number, too."""

    def verb(_):
        error = OSError(*number, "No space left on device")
        if place:  # which hides the words of an error without a number
            error.filename = place
        raise error

    monkeypatch.setitem(VERBS, "list", verb)
    with pytest.raises(SystemExit) as ended:
        main(["list"])
    assert ended.value.code == 2 and capsys.readouterr().err == f"coterie: {sentence}\n"


def test_who_has_read_enough_hears_of_no_error(tmp_path):
    words = "import sys; from coterie.cli import main; main(['list'])"
    ends, stays = os.pipe()
    os.close(ends)
    with open(stays, "w") as closed:
        done = subprocess.run([sys.executable, "-c", words], stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_who_closes_the_output_hears_of_no_error(tmp_path):
    """Files that are opened later must not take the place of a stream that was closed."""
    words = [sys.executable, "-c", "from coterie.cli import main; main()"]
    for rest in ("train dpo spread --help >&-", "list >&- 2>&-"):
        line = f'"$@" {rest}'
        done = subprocess.run(
            ["bash", "-c", line, "bash", *words], cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_graph_is_of_use_if_one_method_talks():
    silent, talks = {"dpo": DPO()}, {"dpo": DPO(), "networked-ac": NetworkedAC()}
    require_used(Communication(), silent)
    require_used(Communication(Unlinked()), silent)
    require_used(Communication(Star()), talks)
    with pytest.raises(ConfigError, match="dpo sends nothing to neighbors, so that --graph would"):
        require_used(Communication(Star()), silent)


def test_warnings_that_are_not_ours_stay_as_they_are(monkeypatch, capsys):
    def verb(_):
        warnings.warn("from elsewhere", UserWarning, stacklevel=1)
        warnings.warn("from here", CoterieWarning, stacklevel=1)

    monkeypatch.setitem(VERBS, "list", verb)
    with pytest.warns(UserWarning) as caught:
        main(["list"])
    assert [str(warning.message) for warning in caught] == ["from elsewhere"]
    assert capsys.readouterr().err == "coterie: warning: from here\n"


def test_a_game_outside_that_fails_in_evaluation_says_why(here, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "envs"))
    env = PettingZooEnv("worlds:Faulty", ("fault=nan_observation",), 1)
    run = new_run(small("dpo"), env, SETTINGS, here / "run")
    run.create()
    programs = Programs(set_up(run))
    OnDisk(run, programs).export(0, programs.start(jax.random.key(0)))
    sentence = refused(["evaluate", "run", "--episodes", "2"])
    assert "agent 'ann' at step 2 of its episode: its observation[0] is nan" in sentence


@pytest.mark.filterwarnings("default")
def test_a_warning_is_its_sentence_alone(capsys, monkeypatch):
    monkeypatch.setitem(VERBS, "list", lambda _: advise(False, "step 2 is large: try 1."))
    main(["list"])
    assert capsys.readouterr().err == "coterie: warning: step 2 is large: try 1.\n"


INTERRUPTED = """
import os, signal, sys, types
slow = types.ModuleType("coterie.cli")
slow.__getattr__ = lambda name: os.kill(os.getpid(), signal.SIGINT)
sys.modules["coterie.cli"] = slow
from coterie.__main__ import main
main()
"""


def test_control_c_while_modules_are_imported_is_silent():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], stderr=subprocess.PIPE, env=environment(), timeout=60
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
