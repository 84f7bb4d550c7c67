"""Names and what they stand for."""

import dataclasses
import json
import math
import re
from functools import partial

import pytest

from coterie.algorithms import F2A2DDPG, IPPO, MATRPO
from coterie.bounds import options_of
from coterie.catalogue import (
    ABOUT,
    ALGORITHMS,
    ENVS,
    algorithm_name,
    env_name,
    make_algorithm,
    make_env,
)
from coterie.envs import Spread
from coterie.errors import ConfigError, EnvError, RunError
from coterie.graph import Star
from coterie.internal.parts import Part
from coterie.network import Communication, Delay, LinkDropout
from coterie.rl.models import GRU, MLP
from coterie.training.run import new_run, open_run
from coterie.training.run_files import agent_file, file_name
from coterie.training.settings import Settings
from tests.options import with_options
from tests.runs import Pond

TALK = Communication(Star(), channels=(LinkDropout(0.3), Delay(2)))
OTHERS = (
    "gymnasium:rware:rware-tiny-2ag-v2",
    "gymnasium-vector:my.pond:make",
    "jaxmarl:SMAX",
    "jumanji:Snake-v1",
    "smax:2s3z",
)
ENV_NAMES = (*ENVS, "pettingzoo:mpe2.simple_spread_v3", *OTHERS, "tests.runs:Pond")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_is_found_by_its_name(name):
    assert make_algorithm(name) == ALGORITHMS[name]
    assert algorithm_name(make_algorithm(name)) == name
    horizon = dataclasses.replace(ALGORITHMS[name], rollout_length=7)
    assert make_algorithm(name, rollout_length=7) == horizon
    assert algorithm_name(horizon) == name


@pytest.mark.parametrize("name", ENV_NAMES)
def test_a_game_is_found_by_its_name(name):
    assert env_name(make_env(name)) == name


@dataclasses.dataclass(frozen=True)
class Works(Pond):
    """A pond beside a factory: its option has the name of one of PettingZoo's."""

    factory: str = "soap"


def test_an_option_called_factory_is_no_factory_of_pettingzoo(tmp_path):
    assert env_name(Works()) == f"{__name__}:Works"
    run = new_run("dpo", Works(factory="glass"), Settings(), tmp_path / "run")
    run.create()
    assert open_run(run.folder).env == Works(factory="glass")


def test_an_option_may_not_hide_a_method():
    @dataclasses.dataclass(frozen=True)
    class Loud(Spread):
        render: bool = False  # pyright: ignore

    with pytest.raises(EnvError, match="Loud has an option render, which hides a method"):
        Loud()


# Each algorithm once and each environment once: neither's options know of the other's.
PAIRS = [(name, "spread") for name in ALGORITHMS] + [("dpo", name) for name in ENV_NAMES]


@pytest.mark.parametrize(("algorithm", "env"), PAIRS)
def test_a_configuration_survives_being_written(tmp_path, algorithm, env):
    options = {"env_kwargs": ("N=2", "shape=(1, 'a')")} if env.startswith("pettingzoo") else {}
    changed = with_options(make_algorithm(algorithm), hidden_sizes=(3, 4), discount=0.1)
    run = new_run(changed, make_env(env, **options), Settings(communication=TALK), tmp_path / "run")
    run.create()
    assert open_run(tmp_path / "run") == run
    assert open_run(tmp_path / "run").owner(3) == run.owner(3)


UNKNOWN = {
    "algorithm": (lambda: make_algorithm("dppo"), "unknown algorithm 'dppo': did you mean 'dpo'"),
    "far off": (lambda: make_algorithm("zzz"), "unknown algorithm 'zzz': known: dpo, "),
    "env": (lambda: make_env("spred"), "unknown environment 'spred': did you mean 'spread'"),
    "option": (
        lambda: make_algorithm("dpo", rolout_length=1.0),
        "unknown option 'rolout_length': did you mean 'rollout_length'",
    ),
    "module": (lambda: make_env("nowhere:Game"), "cannot import 'nowhere:Game'"),
    "class": (lambda: make_env("tests.runs:Puddle"), "cannot import 'tests.runs:Puddle'"),
    "kind": (lambda: make_env("tests.runs:Stop"), "'tests.runs:Stop' is not a coterie Env"),
    "algorithm of an environment": (
        lambda: make_algorithm("tests.runs:Pond"),
        "'tests.runs:Pond' is not a coterie Algorithm",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_unknown_is_answered_with_the_nearest(case):
    call, sentence = UNKNOWN[case]
    with pytest.raises(ConfigError) as refused:
        call()
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1\ny = z\n", "NameError: name 'z' is not defined ("), ("x = (\n", "SyntaxError: ")],
)
def test_a_mistake_in_a_module_of_ones_own_is_told_with_its_place(
    tmp_path, monkeypatch, text, said
):
    (tmp_path / "ponds.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as refused:
        make_env("ponds:Game")
    assert str(refused.value).startswith(f"cannot import 'ponds:Game': {said}")
    assert f"ponds.py, line {text.count(chr(10))})" in str(refused.value)
    assert str(refused.value).count(", line ") == 1


BROKEN = {
    "no algorithm": lambda told: told.pop("algorithm"),
    "another format": lambda told: told.update(format=99),
    "an unknown environment": lambda told: told["env"].update(name="pont"),
    "an unknown option": lambda told: told["algorithm"].update(hoizon=3),
    "text for a number": lambda told: told["settings"].update(steps="many"),
    "too few": lambda told: told["settings"].update(num_envs=0),
    "a list": lambda told: told.update(algorithm=[1, 2]),
    "not a name": lambda told: told["env"].update(name=3),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_configuration_is_named(tmp_path, case):
    run = new_run("dpo", Pond(), Settings(), tmp_path / "run")
    told = run.describe()
    BROKEN[case](told)
    run.folder.mkdir()
    (run.folder / "run.json").write_text(json.dumps(told))
    with pytest.raises(RunError, match=str(run.folder)):
        open_run(run.folder)


def test_names_of_agents_cannot_leave_their_folder():
    run = new_run("dpo", Pond(), Settings(), "run")
    for name in ("../../x", "/etc/passwd", "a b", "..", "", "\0"):
        path = run.policy_file(0, name)
        assert path.parent == run.seed_folder(0) / "policies"
        assert path.name.endswith(".safetensors")
    assert file_name("agent-0") == "agent-0"


def test_every_agent_has_a_file_of_its_own():
    names = ["a b", "a-b", "ä", "ö", "..", ".", "a/b", "x" * 300, "x" * 299 + "y", "a\n"]
    files = [agent_file(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_~%-][A-Za-z0-9_.~%-]{0,99}", file) for file in files)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("actor_lr", -1.0, "actor_lr must be greater than 0, not -1.0."),
        ("discount", 1.5, "discount must lie between 0 and 1, not 1.5."),
        ("epochs", 0, "epochs must be at least 1, not 0."),
        ("clip_eps", math.nan, "clip_eps must be a number, not nan."),
    ],
)
def test_hyperparameters_out_of_range_are_refused_at_once(name, value, sentence):
    for make in (IPPO, partial(make_algorithm, "ippo"), partial(dataclasses.replace, IPPO())):
        with pytest.raises(ConfigError) as refused:
            make(**{name: value})
        assert str(refused.value).startswith(sentence)


def test_models_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match=r"hidden_sizes needs widths .* not \(64, 0\)"):
        MLP((64, 0))
    with pytest.raises(ConfigError, match="a recurrent unit comes after a dense layer"):
        GRU(())
    with pytest.raises(ConfigError, match="actor of MATRPO has no memory: use mlp or cnn for it"):
        MATRPO(actor=GRU())
    with pytest.raises(ConfigError, match="critic of F2A2DDPG has no memory"):
        F2A2DDPG(critic=GRU())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_number_of_an_algorithm_declares_where_it_makes_sense(name):
    """And refuses what it should: nothing new escapes."""
    for value in parts_of(ALGORITHMS[name]):
        numbers = [option for option in options_of(type(value)) if option.kind in WRONG]
        assert [option.name for option in numbers if not option.bounds] == []
        for option in numbers:
            with pytest.raises(ConfigError, match=f"^{option.name} "):
                dataclasses.replace(value, **{option.name: WRONG[option.kind]})


def parts_of(value):
    """A value, its parts, and theirs."""
    yield value
    for field in dataclasses.fields(value):
        if isinstance(getattr(value, field.name), Part):
            yield from parts_of(getattr(value, field.name))


WRONG = {int: -1, float: math.nan, tuple[int, ...]: (0,)}


def test_every_algorithm_has_a_line_of_its_own():
    assert ABOUT.keys() == ALGORITHMS.keys() and len(set(ABOUT.values())) == len(ABOUT)
