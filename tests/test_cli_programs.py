"""The command line for programs: configurations as files, answers as JSON, silence, completion."""

import dataclasses
import functools
import json
import shutil
import subprocess
import tomllib

import numpy as np
import pytest

import coterie
from coterie import Communication, Config, Settings, read_config
from coterie.api import check_env, config, draw_graph
from coterie.catalogue import ALGORITHMS, make_algorithm, make_env
from coterie.cli import VERBS, main
from coterie.cli.answers import Answer
from coterie.cli.completion import RECORDS, completion
from coterie.cli.words import scan, value_of
from coterie.errors import ConfigError, advise
from coterie.graph import Ring, family, from_adjacency, lazy
from coterie.network import Delay, LinkDropout, Periodic
from coterie.training.loggers.table import read_table
from coterie.training.run import new_run
from tests.runs import copied, finished, listing, python, refused
from tests.test_cli import FIVE, POND, TINY, pictures, says


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(capsys, *arguments):
    """What a verb answers to programs, which is all that stands on standard output."""
    return json.loads(says(capsys, *arguments, "--json"))


def described(folder):
    told = json.loads((folder / "run.json").read_text())
    del told["versions"]
    return told


def test_a_configuration_repeats_the_run(here, capsys):
    words = ["dpo", POND, *FIVE, "--value-clip", "0.2", "--unequal", "--graph", "none"]
    words += ["--loggers", "csv", "--kl-coef=1e-3", "--no-plots"]
    text = says(capsys, "config", *words)
    (here / "run.toml").write_text(text)
    assert tomllib.loads(text)["settings"]["communication"]["graph"]["kind"] == "none"
    assert "folder" not in text
    main(["train", *words, "--folder", "one"])
    main(["train", "--config", "run.toml", "--folder", "two"])
    main(["train", "dpo", POND, "--config", "run.toml", "--folder", "three", "--seed", "3"])
    assert described(here / "one") == described(here / "two")
    policy = "seed-0/policies/agent-1.safetensors"
    assert (here / "one" / policy).read_bytes() == (here / "two" / policy).read_bytes()
    assert not (here / "two" / "plots").exists()
    one, three = described(here / "one"), described(here / "three")
    assert three["settings"].pop("seed") == 3 and one["settings"].pop("seed") == 0
    assert three == one


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_comes_back_from_its_file(name, here):
    talk = Communication(
        graph=from_adjacency(np.array([[0, 1], [1, 0]])) if name == "dpo" else Ring(),
        schedule=Periodic((family("star", 2), Ring())),
        channels=(Delay(2, "drop"), LinkDropout(0.2)),
        allow_disconnected=True,
    )
    settings = Settings(communication=talk, steps=7)
    env = make_env("spread", vision=0.5)
    told = Config(name, make_algorithm(name), "spread", env, settings, ("csv", "x"), False)
    (here / "a.toml").write_text(told.to_toml())
    found = read_config("a.toml")
    assert dataclasses.replace(found, settings=settings) == told
    assert found.settings.communication.describe() == talk.describe()


@pytest.mark.parametrize("name", ["ippo", "mappo", "central-q"])
def test_what_a_method_may_know_is_no_option(name, here):
    text = config(make_algorithm(name), "random-mdp")
    assert "information" not in text
    table = "[algorithm.information]\nstate = true\n"
    (here / "a.toml").write_text(text.replace("[env]", f"{table}[env]"))
    with pytest.raises(ConfigError, match=f"information is no option: what {name} may know is"):
        read_config("a.toml")


def test_what_is_none_is_written_as_a_word(here):
    assert Settings() and make_algorithm("itrpo").line_search_steps is not None
    value = make_algorithm("itrpo", line_search_steps=None)
    text = config(value, "spread")
    assert 'line_search_steps = "none"' in text
    (here / "a.toml").write_text(text)
    assert read_config("a.toml").algorithm == value


def test_what_a_file_leaves_out_is_as_by_default(here):
    text = '[algorithm]\nname = "dpo-no-kl"\nkl_target = 1\n[env]\nname = "spread"\n'
    text += '[output]\nfolder = "there"\n[settings.communication]\nweights = "lazy"\n'
    (here / "a.toml").write_text(text)
    told = read_config("a.toml")
    assert told.algorithm == make_algorithm("dpo-no-kl", kl_target=1.0)
    assert type(told.algorithm.kl_target) is float  # as run.json has it
    assert told.settings == Settings(communication=Communication(weights=lazy))
    assert (str(told.folder), told.plots, told.loggers) == ("there", True, ("csv",))


START = '[algorithm]\nname = "dpo"\n[env]\nname = "spread"\n'
BAD = {
    "missing": (None, "a.toml is missing: name a file that `coterie config` wrote"),
    "no TOML": ("= 3", "a.toml is not a TOML file: "),
    "no names": ("[env]", 'a.toml: [algorithm] has no name: write name = "...".'),
    "no table": ("algorithm = 3", "a.toml: algorithm is not a table: [algorithm]."),
    "section": (
        START + "[algoritm]",
        "a.toml: the file unknown key 'algoritm': did you mean 'algo",
    ),
    "algorithm": (
        '[algorithm]\nname = "dppo"',
        "a.toml: [algorithm] unknown algorithm 'dppo': did",
    ),
    "key": (START + "agnets = 3", "a.toml: [env] unknown option 'agnets': did you mean 'agents'"),
    "value": (START + "agents = 0", "a.toml: [env] agents must be at least 1, not 0"),
    "setting": (START + "[settings]\nstep = 3", "a.toml: [settings] unknown option 'step': did"),
    "kind": (START + '[settings]\nsteps = "3"', "a.toml: [settings] steps must be a whole number"),
    "flag": (
        '[algorithm]\nname = "dpo"\nscale_by_num_agents = "yes"\n[env]\nname = "spread"',
        "a.toml: [algorithm] scale_by_num_agents must be true or false, not 'yes'",
    ),
    "widths": (
        '[algorithm]\nname = "dpo"\nactor.hidden_sizes = 64\n[env]\nname = "spread"',
        "a.toml: [algorithm] hidden_sizes must be a tuple of values of its kind, not 64: try 64 64",
    ),
    "graph": (
        START + '[settings.communication.graph]\nkind = "rign"',
        "a.toml: [settings] ",
    ),
    "communication": (
        START + "[settings.communication]\ngrpah = 3",
        "a.toml: [settings] communication: ",
    ),
    "output": (
        START + "[output]\nplot = true",
        "a.toml: [output] unknown key 'plot': did you mean",
    ),
    "plots": (START + "[output]\nplots = 1", "a.toml: [output] plots must be true or false, not 1"),
    "loggers": (START + '[output]\nloggers = "csv"', "a.toml: [output] loggers must be a list of"),
    "folder": (START + "[output]\nfolder = 1", "a.toml: [output] folder must be a path, not 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_in_a_file_names_the_file_and_the_key(case, here):
    text, sentence = BAD[case]
    if text is not None:
        (here / "a.toml").write_text(text)
    assert refused(["train", "--config", "a.toml"]).startswith(sentence)


def test_the_names_may_only_repeat_those_of_the_file(here):
    (here / "a.toml").write_text(START)
    sentence = refused(["train", "ippo", "spread", "--config", "a.toml"])
    assert sentence.startswith("a.toml is of dpo spread, not of ippo spread: leave out the names")
    assert refused(["train", "--config"]).startswith("--config must be one file")
    sentence = refused(["train", "--config", "a.toml", "--stepss", "3"])
    assert sentence.startswith("unknown option --stepss (did you mean --steps?)")


def test_every_verb_answers_in_json(here, capsys):
    run = copied(finished(), here / "run")
    told = answer(capsys, "evaluate", "run", "--episodes", "3")
    assert (told["folder"], told["episodes"], told["key"]) == ("run", 3, 0)
    scores = told["seeds"]["0"]
    assert scores.keys() == {"return", "agents", "length", "info"} and scores["length"] == 6
    assert scores["agents"].keys() == {"agent-0", "agent-1"}
    assert sum(scores["agents"].values()) / 2 == pytest.approx(scores["return"], rel=1e-5)
    files = answer(capsys, "plot", "run")["files"]
    assert files == ["run/plots/return.png", "run/plots/agents.png"]
    told = answer(capsys, "plot", "run", "--out", "x.png")
    assert (
        told["files"] == ["x.png", "x.csv", "x-summary.csv"] and told["table"][0]["label"] == "dpo"
    )
    told = answer(capsys, "watch", "run", "--episodes", "1")
    assert told == {"files": ["run/plots/team.gif", "run/plots/team.png"]}
    told = answer(capsys, "resume", "run")
    assert told.keys() == {"folder", "finished", "return"} and told["finished"]
    assert told["return"]["after"] == read_table(run.evaluations(0))["episode_return"][-1]
    told = answer(capsys, "check", POND)
    assert told == {"environment": POND, "fit": True, "found": []}
    told = answer(capsys, "graph", "geometric:0.2,seed=1", "--agents", "9")
    assert told["facts"]["rounds"] is None and told["file"].endswith(".png")
    told = answer(capsys, "list")
    assert told == coterie.names()
    assert answer(capsys, "config", "dpo", POND)["env"]["name"] == POND
    assert run.finished


def test_training_answers_in_json_and_is_quiet(here, capsys):
    words = [POND, *FIVE[5:], "--json", "--quiet"]
    main(["train", "dpo", *words, *FIVE[:5], "--folder", "run"])
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["folder"], told["finished"]) == ("run", True) and said.err == ""
    options = [word.replace("--", f"--{n}.") for n in ("dpo", "ippo") for word in FIVE[:5]]
    main(["compare", "dpo", "ippo", *words, *options, "--seeds=1"])
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert {row["label"] for row in told["table"]} == {"dpo", "ippo"} and said.err == ""
    assert told["files"][0].endswith("comparison.png") and pictures(told["files"][0]) == 1
    main(["train", "dpo", *words[:-1], *FIVE[:5], "--folder", "loud"])
    assert "return" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_quiet_is_not_silent_about_mistakes(capsys, monkeypatch):
    monkeypatch.setitem(VERBS, "list", lambda _: advise(False, "step 2 is large: try 1."))
    main(["list", "--quiet"])
    assert capsys.readouterr().err == ""
    assert refused(["evaluate", "nowhere", "--quiet", "--json"]).startswith("nowhere is not")


def test_what_others_print_is_no_part_of_an_answer(capsys, monkeypatch):
    def verb(_):
        print("hello from elsewhere")
        return Answer({"a": 1})

    monkeypatch.setitem(VERBS, "list", verb)
    assert answer(capsys, "list") == {"a": 1}
    main(["list"])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello from elsewhere\n")


def test_a_number_that_is_none_is_null_in_json(capsys, monkeypatch):
    data = {"a": float("inf"), "b": (float("nan"), 1.5), "c": {2: Ring()}}
    monkeypatch.setitem(VERBS, "list", lambda _: Answer(data, code=0))
    assert answer(capsys, "list") == {"a": None, "b": [None, 1.5], "c": {"2": {}}}


def test_python_has_what_the_command_line_has(here):
    assert check_env("spread", episodes=1) == check_env(make_env("spread"), episodes=1) == []
    assert pictures(draw_graph("torus", "a.png", agents=9)) == 1
    assert pictures(draw_graph(family("star", 4), "b.png", title="A star")) == 1
    with pytest.raises(ConfigError, match="a family needs the number of agents"):
        draw_graph("torus", "a.png")
    (here / "a.toml").write_text(config("ippo-kl", POND, Settings(steps=9), plots=False))
    told = read_config("a.toml")
    run = new_run(told.algorithm, told.env, told.settings)
    assert (run.method, run.env_name, told.plots) == ("ippo-kl", POND, False)
    for name in ("claim", "graph_facts", "names", "check_env", "config", "read_config"):
        assert getattr(coterie, name).__doc__


def test_what_is_asked_often_does_not_load_what_draws():
    code = """
import sys
from coterie.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("matplotlib" in sys.modules)
"""
    for words in (["--help"], ["list"], ["train", "dpo", "spread", "--help"]):
        assert python(code, *words).splitlines()[-1] == "False"


def test_words_are_read_as_people_write_them():
    assert scan(["--a_b=1", "-x", "-5", "--a-b", "2", "3"])["a-b"].words == ("2", "3")
    assert scan(["--x", "-5", "-inf"])["x"].words == ("-5", "-inf")
    assert value_of("x", float | None, ["none"]) is None
    assert value_of("x", int, ["2.5e3"]) == 2500
    assert value_of("x", tuple[int, ...], []) == ()
    assert value_of("x", str, ["--y"]) == "--y"


SCRIPT = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _coterie
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "coterie.bash"
    path.write_text(completion("bash"))
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("tra", "train"),
        ("train f2a2-d", "f2a2-ddpg"),
        ("train dpo spread-f", "spread-farama"),
        ("train dpo spread --sqrt-kl-c", "--sqrt-kl-coef"),
        ("train dpo spread --no-scale", "--no-scale-by-num-agents"),
        ("train dpo spread --steps 5 --time", "--time-limit"),
        ("train dpo spread --actor.activation ta", "tanh"),
        ("train dpo spread --graph expo", "exponential"),
        ("train dpo spread --num-env", "--num-envs"),
        ("train dpo spread --config r", "run"),
        ("compare dpo ippo spr", "spread spread-farama spread-li-jia spread-matrpo"),
        ("compare dpo ippo spread --ippo.clip", "--ippo.clip-eps"),
        ("compare dpo ippo spread --ippo.actor.activation ta", "tanh"),
        ("compare dpo ippo spread --clip", ""),
        ("evaluate r", "run"),
        ("evaluate run --epi", "--episodes"),
        ("graph tor", "torus"),
        ("claims dpo-1", "dpo-1a dpo-1b"),
        ("check comm", "commons"),
        ("completion z", "zsh"),
        ("list --j", "--json"),
    ],
)
def test_bash_completes(typed, proposed, script, here):
    (here / "run").mkdir()
    words = ["coterie", *typed.split(" ")]
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "-", script, *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and done.stdout.split() == proposed.split()


def test_every_verb_can_be_completed_in_every_shell(capsys):
    assert set(RECORDS) == set(VERBS)
    assert says(capsys, "completion", "zsh").startswith("autoload -Uz compinit bashcompinit")
    fish = says(capsys, "completion", "fish")
    assert "complete -c coterie -f -a '(__coterie)'" in fish and "--sqrt-kl-coef" in fish
    assert refused(["completion", "tcsh"]).startswith("unknown shell 'tcsh'")


@functools.cache
def bash():
    return completion("bash")


@pytest.mark.parametrize("verb", sorted(RECORDS))
def test_completion_knows_the_options_of_a_verb(verb, capsys):
    names = {"train": "dpo spread", "compare": "dpo ippo spread"}
    names |= dict.fromkeys(("config", "sweep", "fleet"), "dpo spread")
    named = {"graph": "ring", "claims": "dpo-1a", "check": "spread", "completion": "bash"}
    words = ({**names, **named}.get(verb) or ("" if verb == "list" else "run")).split()
    with pytest.raises(SystemExit):
        main([verb, *words, "--help"])
    helped = capsys.readouterr().out
    shown = {word.rstrip(",") for word in helped.split() if word.startswith("--")}
    rows = [line.strip().partition(") echo ") for line in bash().splitlines()]
    known = {w for name, _, row in rows if name in (verb, *words) for w in row.split()}
    labels = tuple(f"--{word}." for word in words)
    plain = {f"--{o.partition('.')[2]}" if o.startswith(labels) else o for o in shown}
    assert shown and plain <= known


def test_nothing_is_written_by_printing(here, capsys):
    for words in (["config", "dpo", POND], ["completion", "bash"], ["list"], TINY and ["--help"]):
        try:
            main(words)
        except SystemExit as ended:
            assert ended.code == 0
    assert listing(here) == {}
