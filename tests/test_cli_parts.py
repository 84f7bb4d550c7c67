"""Parts of algorithms on the command line, in a configuration's file, and in run.json."""

import dataclasses
import json

import pytest

from coterie import Config, Settings, make_algorithm, make_env, open_run, read_config
from coterie.algorithms import Information
from coterie.cli import main
from coterie.cli.options import node_of
from coterie.cli.parse import parse
from coterie.cli.words import scan
from coterie.errors import ConfigError
from coterie.graph import Family, Unlinked
from coterie.internal.parts import describe, read
from coterie.internal.trust import trust_code
from coterie.training.run import MEMORY, new_run
from tests.cli_parts import Agreement, Averaging, Clock, Dual, Memory, Own, Parted, Silent
from tests.runs import python, refused
from tests.test_cli import FIVE, POND

NAME = "tests.cli_parts:Parted"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with trust_code():  # whichever test reads a file first
        yield tmp_path


def chosen(*words, value=None, prefix=""):
    """The algorithm that words make."""
    given = scan(words)
    node = node_of(value or Parted(), "parted", prefix, given)
    return parse("train", {"algorithm": node}, given)["algorithm"]


def helped(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_without_options_a_value_stays_the_same():
    value = Parted()
    assert chosen(value=value) is value


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--consensus.penalty 10", Dual(10.0)),
        ("--consensus test-dual --consensus.penalty 10", Dual(10.0)),
        ("--consensus test-dual", Dual(100.0)),  # which it is already
        ("--consensus none", Silent()),
        ("--consensus test-average --consensus.rounds 3", Averaging(3)),
        (
            "--consensus test-average --consensus.rounds 3 --consensus.inner.penalty 2 "
            "--consensus.every 4",
            Averaging(3, Dual(2.0), Clock(4)),
        ),
        (
            "--consensus test-average --consensus.rounds 3 --consensus.inner none",
            Averaging(3, Silent()),
        ),
        ("--consensus tests.cli_parts:Own --consensus.words bye", Own("bye")),
    ],
)
def test_a_kind_is_chosen_and_its_fields_have_its_name_before_them(words, part):
    assert chosen(*words.split()) == Parted(consensus=part)


def test_a_part_of_one_kind_has_its_fields_among_the_others():
    assert chosen("--slots", "9", "--epochs=2") == Parted(memory=Memory(slots=9), epochs=2)
    assert chosen("--oldest", "none").memory == Memory(slots=5, oldest=None)


def test_a_part_that_may_be_missing_can_be_added_and_taken_away():
    assert chosen("--spare", "test-dual").spare == Dual()
    value = Parted(spare=Own())
    assert chosen("--spare", "tests.cli_parts:Own", value=value) is value
    assert chosen("--spare.words", "bye", value=value).spare == Own("bye")
    assert chosen("--spare", "none", value=value).spare == Silent()


def test_prefixes_are_those_of_the_algorithms_that_are_compared():
    assert chosen("--x.consensus.penalty", "2", "--x.slots", "1", prefix="x.") == Parted(
        consensus=Dual(2.0), memory=Memory(slots=1)
    )


def test_help_groups_options_and_shows_the_fields_of_the_chosen_kind(capsys):
    out = helped(capsys, "train", NAME, POND)
    titles = [line for line in out.splitlines() if line and line[0] != " "]
    for title in (
        f"algorithm {NAME} - IPPO with parts",
        f"algorithm {NAME}, consensus: test-dual - By dual variables.",
        f"algorithm {NAME}, memory - What is remembered.",
        f"environment {POND} - Agents drift",
        "communication - ",
        "training - ",
        "output - ",
    ):
        assert any(line.startswith(title) for line in titles), title
    assert "--consensus test-dual|test-average|none|module:Class" in out
    assert "(default: test-dual)" in out and "(default: 100.0)" in out
    assert "--slots INT" in out and "(default: 5)" in out
    assert "--consensus.rounds" not in out
    assert "several" not in out and "--information" not in out
    out = helped(capsys, "train", NAME, POND, "--consensus", "test-average")
    assert "--consensus.rounds INT" in out and "(required)" in out
    assert "--consensus.inner.penalty" in out and "--consensus.every" in out
    assert "--consensus.penalty" not in out


BAD = {
    "kind": ("--consensus dual", "unknown consensus 'dual': did you mean 'test-dual'"),
    "field": ("--consensus.penalt 3", "unknown option --consensus.penalt (did you mean --consen"),
    "field of another": ("--consensus.rounds 3", "unknown option --consensus.rounds"),
    "missing": (
        "--consensus test-average",
        f"Missing from coterie train {NAME} {POND}: --consensu",
    ),
    "bound": ("--consensus.penalty 0", "penalty must be greater than 0, not 0.0"),
    "another class": (f"--consensus {POND}", f"'{POND}' is not a coterie Agreement"),
    "no value": ("--consensus", "--consensus needs a value: "),
    "information": ("--information.reward team", "unknown option --information.reward"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_with_a_part_gets_one_sentence(case):
    words, sentence = BAD[case]
    assert refused(["train", NAME, POND, *words.split()]).startswith(sentence)


def test_parts_are_in_run_json_and_come_back(here):
    words = ["--consensus", "test-average", "--consensus.rounds=3", "--slots=7", "--spare", "none"]
    main(["train", NAME, POND, *FIVE, *words, "--no-plots", "--folder", "run", "--quiet"])
    told = json.loads((here / "run" / "run.json").read_text())["algorithm"]
    assert told["consensus"]["kind"] == "test-average"
    assert told["memory"] == {"kind": "Memory", "slots": 7, "oldest": 3}
    found = open_run("run").algorithm
    assert isinstance(found, Parted)
    assert found.consensus == Averaging(3) and found.memory == Memory(slots=7)
    assert found.spare == Silent() and found.information == Information()


def test_a_name_of_two_kinds_is_of_the_part_in_whose_place_it_stands():
    assert read(describe(Silent()), Agreement) == Silent()
    assert read({"kind": "none"}, Family) == Unlinked()
    changed = make_algorithm(NAME, consensus={"kind": "none"})
    assert changed == Parted(consensus=Silent())


def test_a_file_of_a_configuration_has_the_parts(here):
    value = Parted(
        consensus=Averaging(3, Silent()),
        memory=Memory(oldest=None),
        spare=Own(),
        several=(Dual(2.0), Silent()),
    )
    config = Config(NAME, value, POND, make_env(POND), Settings(steps=5))
    (here / "a.toml").write_text(config.to_toml())
    assert read_config("a.toml") == config


def test_a_file_may_say_a_part_in_part(here):
    text = f'[algorithm]\nname = "{NAME}"\n[env]\nname = "{POND}"\n[algorithm.{{}}]\n{{}}\n'
    for table, value in {
        ("consensus", "penalty = 3"): Parted(consensus=Dual(3.0)),
        ("consensus", 'kind = "none"'): Parted(consensus=Silent()),
        ("memory", 'oldest = "none"'): Parted(memory=Memory(5, None)),
        ("memory", "slots = 9"): Parted(memory=Memory(slots=9)),
    }.items():
        (here / "a.toml").write_text(text.format(*table))
        found = read_config("a.toml").algorithm
        assert found == value
    assert json.dumps(new_run(found, POND, Settings(), MEMORY).describe())
    for table, sentence in {
        (
            "consensus",
            "penalt = 3",
        ): "a.toml: [algorithm] unknown option 'penalt': did you mean 'pena",
        ("memory", "slots = 0"): "a.toml: [algorithm] slots must be at least 1, not 0",
        ("consensus", 'kind = "dual"'): "a.toml: [algorithm] ",
    }.items():
        (here / "a.toml").write_text(text.format(*table))
        with pytest.raises(ConfigError) as error:
            read_config("a.toml")
        assert str(error.value).startswith(sentence)


def test_two_options_of_one_name_are_refused():
    @dataclasses.dataclass(frozen=True)
    class Doubled(Parted):
        slots: int = 1

    with pytest.raises(ConfigError, match="--slots is an option of parted and of parted, memory"):
        chosen(value=Doubled())


def test_completion_knows_the_options_of_every_kind():
    code = """
from coterie import catalogue
from tests.cli_parts import Parted
catalogue.ALGORITHMS["parted"] = Parted()
catalogue.ABOUT["parted"] = "Parts."
from coterie.cli import main
main(["completion", "bash"])
"""
    out = python(code)
    (line,) = [line for line in out.splitlines() if line.strip().startswith("parted)")]
    for option in ("--consensus", "--consensus.penalty", "--consensus.rounds", "--slots"):
        assert option in line.split()
