"""Graphs, families, schedules and channels of a user's own: trained, written down, read again."""

import ast
import inspect
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import coterie
import examples.own_channel as own_channel
import examples.own_graph as own_graph
from coterie import Channel, Commons, Communication, Family, Schedule, Settings, cli, train
from coterie.envs import JaxEnv
from coterie.errors import ConfigError, GraphError, RunError
from coterie.graph import Complete, Grid, Ring, from_adjacency, graph_of, lazy, metropolis
from coterie.internal.parse_spec import signatures
from coterie.network import (
    CHANNELS,
    SCHEDULES,
    ActiveLinks,
    Delay,
    EdgeGossip,
    LinkDropout,
    LinkPlan,
    NodeFailure,
    Noise,
    Partition,
    Periodic,
    Quantization,
    Static,
    networks,
    read_channel,
    read_schedule,
)
from coterie.rl.bodies import Layers
from coterie.rl.models import MLP, Model
from coterie.training.loggers.table import read_table
from coterie.training.loop import dry_run
from coterie.training.run import new_run, open_run
from examples.own_channel import Jam
from examples.own_environment import Meadow
from examples.own_graph import Resting, Wheel
from examples.own_network import Residual
from tests.network.test_channels import lost
from tests.runs import python

ROOT = Path(__file__).parents[1]
TINY = {"steps": 200, "num_envs": 2, "updates_per_block": 1, "num_evals": 1, "eval_episodes": 2}
WORDS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
PATH = from_adjacency(np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1), "lazy")


class Whispering(LinkPlan):
    """Neighbours that are linked when the clock shows their number."""

    real: jnp.ndarray
    number: jnp.ndarray

    @property
    def turns(self):
        return 4

    def turn(self, moment, hear):
        up = self.real & ((self.number == moment.clock % 4) | (moment.index == moment.clock % 4))
        return ActiveLinks(0.5 * up, up, up), self


@dataclass(frozen=True)
class Whisper(Schedule):
    """One agent after the other talks: a plan of one's own."""

    def graphs(self, graph):
        return (graph,)

    def plan(self, graph, seats):
        return Whispering(jnp.asarray(seats.taken), jnp.asarray(seats.neighbor))


@dataclass(frozen=True)
class Wrong(Schedule):
    """It plans for three agents, whoever comes."""

    def graphs(self, graph):
        return (from_adjacency(np.zeros((3, 3))),)


@dataclass(frozen=True)
class Beyond(Family):
    """A ring that forgets where it ends."""

    def links(self, size):
        return [(i, i + 1) for i in range(size)]


class Narrow(Layers):
    """Dense layers that declare too few features."""

    @property
    def width(self):
        return 3


@dataclass(frozen=True)
class Narrowing(Model):
    """A model whose bodies say a wrong width."""

    def build(self, key, inputs):
        return Narrow(MLP((8,)).build(key, inputs).layers, "relu")


@dataclass(frozen=True)
class Half(JaxEnv):
    """An environment without most of its methods."""

    def reset(self, key):
        raise NotImplementedError


class Plain(Meadow):
    """Its field is none of a dataclass."""

    size: int = 9


class Undressed(Channel):
    """No dataclass."""


def halves(adjacency):
    """Weights of a half, shared by the neighbours."""
    links = 0.5 * adjacency / np.maximum(adjacency.sum(axis=1).max(), 1)
    return links + np.diag(1.0 - links.sum(axis=1))


OWN = {
    "graph and channels": Communication(PATH, channels=(Jam(0.5, every=2), Delay(2))),
    "family, weights and schedule": Communication(Wheel(2), halves, Resting(1)),
    "plan": Communication(schedule=Whisper()),
    "graphs in turn": Communication(schedule=Periodic((PATH, Wheel(), Grid()))),
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[pytest.mark.deep] * (c != "plan")) for c in OWN]
)
def test_parts_of_ones_own_are_trained_written_and_read_again(tmp_path, case):
    settings = Settings(communication=OWN[case], **TINY)
    run = train("networked-ac", Commons(agents=4), settings, tmp_path / "run")
    assert run.finished
    again = open_run(tmp_path / "run")
    assert again == run and again.settings.communication == OWN[case]
    assert again.owner(0) == run.owner(0)
    sent = [float(row) for row in read_table(run.metrics(0))["bytes"]]
    assert sum(sent) > 0


def test_a_graph_is_written_as_its_matrices_and_a_class_by_its_path(tmp_path):
    settings = Settings(communication=Communication(PATH, channels=(Jam(0.5),)))
    new_run("ippo", Commons(agents=4), settings, tmp_path / "run").create()
    told = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["communication"]
    assert told["graph"] == {
        "adjacency": PATH.adjacency.astype(int).tolist(),
        "weights": PATH.weights.tolist(),
    }
    jam = {"kind": "examples.own_channel:Jam", "share": 0.5, "every": 10}
    assert told["channels"] == [jam]
    told["channels"][0]["kind"] = "collections:Counter"
    whole = json.loads((tmp_path / "run" / "run.json").read_text())
    whole["settings"]["communication"] = told
    (tmp_path / "run" / "run.json").write_text(json.dumps(whole))
    with (
        coterie.trust_code(),
        pytest.raises(RunError, match=r"'collections:Counter' is not a coterie Channel"),
    ):
        open_run(tmp_path / "run")


def test_a_graph_of_another_size_gets_a_sentence():
    settings = Settings(communication=Communication(PATH))
    with pytest.raises(GraphError, match=r"the graph has 4 agents and the team 5: give a graph of"):
        dry_run(new_run("networked-ac", Commons(agents=5), settings, "unused"))
    for schedule in (Periodic((PATH,)), Wrong()):
        settings = Settings(communication=Communication(schedule=schedule))
        with pytest.raises(GraphError, match=r"the graph has \d agents and the team 5"):
            dry_run(new_run("networked-ac", Commons(agents=5), settings, "unused"))


MISTAKES = {
    "no value": (lambda: Communication(channels=(Undressed(),)), "channel Undressed is not a froz"),
    "weights": (lambda: Communication(PATH, lazy), "weights are for a family, and this graph has"),
    "no fields": (
        lambda: read_channel("tests.test_own_parts:Undressed"),
        "channel 'tests.test_own_parts:Undressed' is not a frozen dataclass",
    ),
    "another class": (
        lambda: read_channel("examples.own_graph:Wheel"),
        "'examples.own_graph:Wheel' is not a coterie Channel",
    ),
    "no module": (lambda: read_channel("nowhere:Jam:1"), "cannot import 'nowhere:Jam' (No module"),
    "no share": (
        lambda: read_channel("examples.own_channel:Jam"),
        "channel 'examples.own_channel:Jam' needs share; write examples.own_channel:Jam:share=...",
    ),
    "share": (
        lambda: read_channel("examples.own_channel:Jam:2"),
        "channel 'examples.own_channel:Jam:2': share must be in [0, 1], not 2.0",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_get_one_sentence(case):
    make, sentence = MISTAKES[case]
    with pytest.raises(ConfigError) as refused:
        make()
    assert str(refused.value).startswith(sentence)
    assert str(refused.value).count(". ") == 0


OF_ANOTHER_KIND = {
    "Communication('ring')": "graph must be a coterie Family, not 'ring': names are for the comm",
    "Communication(schedule='links')": "schedule must be a coterie Schedule, not 'links'",
    "Communication(schedule=LinkDropout(0.1))": "schedule must be a coterie Schedule, not LinkDr",
    "Communication(channels=LinkDropout(0.1))": "channels must be a tuple, not LinkDropout(prob",
    "Communication(weights='lazy')": "weights must be a rule, not 'lazy'",
    "Periodic('star')": "the other graphs must be a tuple, not 'star'",
    "Settings(communication=Ring())": "communication must be a coterie Communication, not Ring()",
}
TRY = """
import sys
from coterie import CoterieError, Settings
from coterie.graph import Ring
from coterie.network import Communication, LinkDropout, Periodic
for text in sys.argv[1:]:
    try:
        eval(text)
    except CoterieError as error:
        print(error)
"""


def test_a_family_that_links_who_is_not_there_gets_a_sentence():
    sentence = "Beyond links agents 3 and 4, but 4 agents are numbered 0 to 3"
    with pytest.raises(GraphError, match=sentence):
        graph_of(Beyond(), 4)


def test_a_network_of_another_width_than_it_says_gets_a_sentence():
    sentence = "Narrowing: step gives 8 features, but width is 3"
    with pytest.raises(ConfigError, match=sentence):
        dry_run(new_run(coterie.IPPO(actor=Narrowing()), Commons(agents=4), Settings(), "unused"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Half", "'tests.test_own_parts:Half' has to define specs, step"),
        ("Plain", r"declares size and is not decorated: .* write @dataclass\(frozen=True\) above"),
    ],
)
def test_an_incomplete_class_gets_a_sentence(name, sentence):
    with pytest.raises(ConfigError, match=sentence):
        coterie.make_env(f"tests.test_own_parts:{name}")


class Named(Meadow):
    """Complete without a decoration: it has no field of its own."""

    color: ClassVar[str] = "green"


def test_a_class_without_fields_of_its_own_needs_no_decoration():
    assert coterie.make_env("tests.test_own_parts:Named", size=4).size == 4


def test_an_error_of_an_import_has_its_place_in_the_users_file(tmp_path, monkeypatch):
    (tmp_path / "broken_team.py").write_text("import json\n\njson.loads('{')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"cannot import .*broken_team\.py, line 3\)"):
        coterie.make_env("broken_team:Team")


def test_values_of_another_kind_get_one_sentence():
    """In a process without the tests' type checks, which would be faster to complain."""
    said = python(TRY, *OF_ANOTHER_KIND).splitlines()
    for sentence, start in zip(said, OF_ANOTHER_KIND.values(), strict=True):
        assert sentence.startswith(start)


def test_who_loses_messages_says_how_many():
    with pytest.raises(ConfigError, match="channel Forgetful defines one of `loses` and `lost`"):

        class Forgetful(Channel):
            def loses(self, moment, past):
                return moment.chances() < 0.5


LOSING = [
    LinkDropout(0.3),
    Delay(3),
    Partition(2, 9),
    NodeFailure(0, 4, 9),
    Quantization(8),
    Noise(0.1),
    Jam(0.4, every=3),
]


@pytest.mark.parametrize("channel", LOSING, ids=repr)
def test_as_many_messages_are_lost_as_a_channel_says(channel):
    """In the worst of the rounds, over the worst of an agent's links."""
    assert {type(one) for one in LOSING} >= set(CHANNELS.values())
    if isinstance(channel, Partition | NodeFailure):
        assert channel.lost == lost(channel, range(12)).max() == 1.0
    else:
        found = lost(channel, range(0, 3600, 12)).mean(axis=0)
        np.testing.assert_allclose(found, channel.lost, atol=0.1)


def test_what_is_cut_off_for_certain_is_not_said_again_for_that():
    def repeats(*channels):
        graph = Communication().among(4)
        return networks(graph, ("x",), channels=channels).rounds_to_deliver

    assert repeats(NodeFailure(0, 1, 9), Partition(1, 9), LinkDropout(1.0)) == repeats() == 1
    assert repeats(NodeFailure(0, 1, 9), LinkDropout(0.3)) == repeats(LinkDropout(0.3)) == 4


def test_the_waits_of_schedules_are_theirs_to_say():
    assert [kind.wait for kind in (Static(), EdgeGossip(), Resting())] == [1.0, 1.0, 1.0]
    assert Communication() == Communication(Ring(), metropolis, Static(), (), False)


def test_help_names_all_that_is_registered(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "networked-ac", "commons", "--help"])
    said = "".join(line.strip(" │") for line in capsys.readouterr().out.splitlines())
    plain = said.replace(" ", "")
    for text in (*signatures(SCHEDULES), *signatures(CHANNELS)):
        assert text in plain, text
    assert "links[:random|cyclic|matched]" in plain


def test_the_command_line_takes_classes_by_their_paths(tmp_path, monkeypatch):
    """From a file in the working folder, with the words of fields behind the class."""
    source = inspect.getsource(own_channel)
    (tmp_path / "jammer.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    words = ["--graph", "examples.own_graph:Wheel:2", "--weights", "tests.test_own_parts:halves"]
    words += ["--schedule", "examples.own_graph:Resting:rest=1", "--allow-disconnected"]
    words += ["--channels", "jammer:Jam:0.3,every=2", "loss:0.1", "--folder", "run"]
    cli.main(["train", "networked-ac", "commons", "--agents", "4", *WORDS, *words])
    found = open_run(tmp_path / "run")
    talk = found.settings.communication
    jam = talk.channels[0]
    assert (jam.share, jam.every, type(jam).__module__) == (0.3, 2, "jammer")
    assert talk == Communication(Wheel(2), halves, Resting(1), (jam, LinkDropout(0.1)), True)
    assert type(found.settings) is Settings and type(talk) is Communication


def test_the_command_line_and_python_mean_the_same(tmp_path):
    talk = Communication(Complete(), lazy, read_schedule("extra:0.2"), (Delay(2, "drop"),))
    words = ["--graph", "complete", "--weights", "lazy", "--schedule", "extra:0.2"]
    words += ["--channels", "delay:2,drop", "--folder", str(tmp_path / "run")]
    cli.main(["train", "networked-ac", "commons", "--agents", "3", *WORDS, *words])
    assert open_run(tmp_path / "run").settings == Settings(communication=talk, **TINY)


def test_the_examples_are_short():
    for path in (ROOT / "examples").glob("own_*.py"):
        assert len(path.read_text().splitlines()) < 60, path.name


@pytest.mark.deep
def test_the_examples_train_in_python(tmp_path):
    wheel, petersen = own_graph.main(tmp_path / "graphs", **TINY)
    assert wheel.finished and petersen.finished
    assert open_run(petersen.folder).settings.communication.graph.degrees.tolist() == [3] * 10
    jammed = own_channel.main(tmp_path / "channel", **TINY)
    assert jammed.finished
    shares = [float(share) for share in read_table(jammed.metrics(0))["critic/lost"]]
    assert 0 < sum(shares) / len(shares) < 0.3
    other = replace(jammed.settings.communication, channels=(Jam(0.8, every=6), Quantization(8)))
    assert other != jammed.settings.communication


def commands():
    """What the examples say to type, each in a line."""
    for path in sorted((ROOT / "examples").glob("own_*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())).replace("\\\n", " ")
        yield from (line.strip() for line in text.splitlines() if "coterie train" in line)


# One in `make test`, of an environment and a network at once; each has to be compiled.
COMMANDS = [
    pytest.param(c, marks=[] if "Residual" in c else [pytest.mark.deep]) for c in commands()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_examples_say_to_type_trains(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [word for word in command.split()[1:]]
    if "--steps" in words:
        del words[words.index("--steps") : words.index("--steps") + 2]
    short = [
        "--steps=40",
        "--num-envs=4",
        "--rollout-length=10",
        "--no-plots",
        "--quiet",
        "--folder=run",
    ]
    cli.main([*words, *WORDS, *short])
    run = open_run("run")
    assert run.finished
    name = next(word for word in command.split() if "examples." in word)
    assert name.split(":")[-1] in (tmp_path / "run" / "run.json").read_text()


def test_a_network_of_ones_own_is_in_the_policy_file(tmp_path):
    method = coterie.IPPO(actor=Residual(4, 1, 8), critic=coterie.CNN((2,), hidden_sizes=(8,)))
    run = train(
        method, Meadow(size=4), Settings(**{**TINY, "num_envs": 4}), tmp_path / "run", plots=False
    )
    assert open_run(run.folder).algorithm == method
    agent = coterie.load_policy(run.policy_file(0, "agent-0"))
    assert 0 <= agent(np.zeros((4, 4, 2))) < 5
    with pytest.raises(coterie.CoterieError, match=r"has shape \(32,\), not \(4, 4, 2\)"):
        agent(np.zeros(32))


def test_families_of_ones_own_are_abstract():
    for base in (Family, Schedule):
        with pytest.raises(TypeError, match="abstract"):
            base()


IN_A_SCRIPT = """
from dataclasses import dataclass
import coterie

@dataclass(frozen=True)
class Mine(coterie.Spread):
    pass

coterie.training.run.new_run("ippo", Mine(), folder="run", settings=coterie.Settings()).create()
"""


def test_a_class_of_a_script_says_that_no_other_program_finds_it(tmp_path, monkeypatch):
    said = python("import coterie.training.run" + IN_A_SCRIPT, cwd=tmp_path, errors=True)
    assert "CoterieWarning: __main__:Mine is defined in the program that runs now" in said
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="__main__:Mine was defined in the script of another"):
        open_run("run")
