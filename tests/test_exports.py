"""Policies as programs for other runtimes: ONNX graphs, StableHLO, and the files themselves."""

import importlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from coterie.encoding import Choice, Choices, Numbers
from coterie.errors import CoterieError
from coterie.exports import FORMATS, export_policies
from coterie.internal.trust import trust_code
from coterie.policies import load_policy
from coterie.policies.exporting import as_onnx, as_stablehlo
from coterie.policies.exporting.check import difference, ours, random_inputs
from coterie.policies.exporting.program import Program
from coterie.policies.saving import policy_metadata, save_policy
from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import Policy
from coterie.types import Box, Discrete, LearnerSpec, MultiDiscrete
from examples.own_network import Residual
from tests.runs import Pond, copied, finished, trained
from tests.test_policies import ACTS, MODELS, wild

pytest.importorskip("onnxruntime", reason="the extra export is not installed")
pytest.importorskip("onnx", reason="the extra export is not installed")
HERE = ["onnx", "stablehlo"]


def program_of(folder, spec, model, deviations=None, encodings=None):
    """The program of a policy with large weights, which was saved and loaded."""
    keys, inputs = jax.random.split(jax.random.key(1)), Inputs.of(spec)
    if deviations is None:
        policy = wild(Policy.init(keys, model, inputs, spec.action))
    else:
        policy = wild(Policy.squashed(keys, model, inputs, spec.action, deviations))
    about = policy_metadata(spec, policy, False, encodings, name="x", env="y")
    save_policy(folder / "x.safetensors", policy, about)
    return Program(load_policy(folder / "x.safetensors", greedy=True))


def off(program, name):
    """The largest difference of an exported program from its policy."""
    data = FORMATS[name].write(program, Path("x.safetensors"))
    return difference(program, FORMATS[name].caller(data))


@pytest.mark.parametrize("acts", ACTS)
@pytest.mark.parametrize("name", MODELS)
def test_every_network_is_an_onnx_graph(tmp_path, name, acts):
    (model, shape), (space, deviations) = MODELS[name], ACTS[acts]
    spec = LearnerSpec(int(np.prod(shape)), space, shape, normalized=name != "cnn")
    assert off(program_of(tmp_path, spec, model, deviations), "onnx") < 1e-6


FEW = [("mlp-selu", "discrete"), ("gru", "box"), ("cnn-even", "several"), ("gru-norm", "squashed")]


@pytest.mark.parametrize(("name", "acts"), FEW)
def test_every_kind_of_network_is_stablehlo(tmp_path, name, acts):
    (model, shape), (space, deviations) = MODELS[name], ACTS[acts]
    spec = LearnerSpec(int(np.prod(shape)), space, shape, normalized=True)
    assert off(program_of(tmp_path, spec, model, deviations), "stablehlo") < 1e-6


ENCODED = {
    "from one": (Discrete(3), Choice(3, start=1)),
    "combinations": (Discrete(6), Choices((1, 2), (3, 2), (1, 0), "int32")),
    "cut": (Box(2, (-3.0, 0.0), 4.0), Numbers((2, 1), "float64", (-3.0, 0.0), (4.0, 4.0))),
}


@pytest.mark.parametrize("format", HERE)
@pytest.mark.parametrize("case", ENCODED)
def test_actions_are_the_environments_own(tmp_path, case, format):
    space, acts = ENCODED[case]
    spec = LearnerSpec(2, space, (2,))
    program = program_of(tmp_path, spec, MLP((4,)), encodings=(Numbers((2,)), acts))
    data = FORMATS[format].write(program, Path("x.safetensors"))
    action = np.asarray(FORMATS[format].caller(data)(random_inputs(program, 5))["action"])
    assert action.shape == (5, *getattr(acts, "shape", ()))
    assert off(program, format) < 1e-6


@pytest.mark.parametrize("format", HERE)
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_numbered_observations_are_looked_up(tmp_path, format, hidden):
    spec = LearnerSpec(1, Discrete(3), states=4)
    assert off(program_of(tmp_path, spec, MLP(hidden)), format) < 1e-6


def test_the_check_compares_with_the_policy_as_it_is_deployed(tmp_path):
    """A program that is a little off in one number, or in one action, is refused."""
    program = program_of(tmp_path, LearnerSpec(2, MultiDiscrete((2, 3)), (2,)), MLP((4,)))

    def wrong(name, change):
        return lambda inputs: {**ours(program, inputs), name: change(ours(program, inputs)[name])}

    assert difference(program, lambda inputs: ours(program, inputs)) == 0.0
    with pytest.raises(CoterieError, match=r"the exported policy of x is off by .* nothing was w"):
        difference(program, wrong("logits", lambda x: x * np.float32(1 + 1e-5)))
    with pytest.raises(CoterieError, match="the exported policy of x is off by"):
        difference(program, wrong("action", lambda x: np.roll(x, 1, axis=0)))


def test_a_graph_says_whose_it_is_and_takes_any_number_of_observations(tmp_path):
    onnx = importlib.import_module("onnx")
    run = copied(finished(), tmp_path / "run")
    made = export_policies(run.folder)
    assert [m.path.name for m in made] == ["agent-0.onnx", "agent-1.onnx"]
    assert all(m.error is not None and m.error <= 1e-6 for m in made)
    model = onnx.load(made[1].path)
    told = {prop.key: prop.value for prop in model.metadata_props}
    about = load_policy(run.policy_file(0, "agent-1")).metadata
    assert (told["name"], told["run"], told["seed"], told["step"], told["method"]) == (
        "agent-1",
        about.run,
        "0",
        str(about.step),
        "dpo",
    )
    assert json.loads(told["inputs"])[0] == ["observation", "float32", ["batch", 2]]
    assert [i.name for i in model.graph.input] == ["observation", "action_mask"]
    assert [o.name for o in model.graph.output] == ["logits", "action"]
    call = as_onnx.onnx_caller(made[1].path.read_bytes())
    seen = {
        "observation": np.zeros((7, 2), np.float32),
        "action_mask": np.eye(3, dtype=bool)[[1] * 7],
    }
    assert call(seen)["action"].tolist() == [1] * 7


def test_stablehlo_is_loaded_by_jax_alone_and_says_whose_it_is(tmp_path):
    run = trained(tmp_path / "run", env=Pond(box=True))
    (first, _) = export_policies(run.folder, "stablehlo", out=tmp_path / "out")
    assert first.path == tmp_path / "out" / "agent-0.stablehlo"
    loaded = export.deserialize(bytearray(first.path.read_bytes()))
    told = json.loads(loaded.fun_name)
    assert (told["name"], told["method"], told["seed"]) == ("agent-0", "dpo", "0")
    assert json.loads(told["outputs"])[-1] == ["action", "float32", ["batch", 3]]
    policy = load_policy(run.policy_file(0, "agent-0"), greedy=True)
    seen = np.array([[0.3, 0.1], [-2.0, 0.5]], np.float32)
    found = loaded.call({"observation": jnp.asarray(seen)})
    np.testing.assert_allclose(found["action"], [policy(row) for row in seen], atol=1e-6)


def test_numpy_is_the_policy_file_itself(tmp_path):
    run = copied(finished(), tmp_path / "run")
    first, _ = export_policies(run.folder, "numpy")
    assert first.error is None
    assert first.path.read_bytes() == run.policy_file(0, "agent-0").read_bytes()
    assert load_policy(first.path)([0.1, 0.2]) in (0, 1, 2)


WRONG = {
    "format": (("run", "tflite"), "unknown format 'tflite': known are onnx, stablehlo, numpy"),
    "no run": (("nowhere", "numpy"), "nowhere is not a folder"),
    "seed": (("run", "numpy", 3), "run has seeds 0 to 0, not 3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_exported_gets_a_sentence(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    copied(finished(), tmp_path / "run")
    arguments, sentence = WRONG[case]
    with pytest.raises(CoterieError, match=sentence):
        export_policies(*arguments)
    assert not list(tmp_path.rglob("exports"))


def test_a_run_without_policies_gets_a_sentence(tmp_path):
    run = copied(finished(), tmp_path / "run")
    for agent in ("agent-0", "agent-1"):
        run.policy_file(0, agent).unlink()
    with pytest.raises(CoterieError, match="policies holds no policies: name the folder of a run"):
        export_policies(run.folder, "numpy")


def test_a_network_of_ones_own_is_stablehlo_and_no_onnx_graph(tmp_path):
    spec = LearnerSpec(32, Discrete(3), (4, 4, 2))
    with trust_code():
        program = program_of(tmp_path, spec, Residual())
    assert off(program, "stablehlo") < 1e-6
    with pytest.raises(
        CoterieError, match=r"x's network is .*:Residual, whose formula is its own code"
    ):
        as_onnx.to_onnx(program)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    program = program_of(tmp_path, LearnerSpec(2, Discrete(3), (2,)), MLP((4,)))
    monkeypatch.setattr(as_onnx.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(as_stablehlo, "find_spec", lambda name: None)
    for write, name in ((as_onnx.to_onnx, "onnx"), (as_stablehlo.to_stablehlo, "flatbuffers")):
        with pytest.raises(CoterieError, match=rf"needs the package {name}: pip install .*export"):
            write(program)
    assert as_onnx.onnx_caller(b"") is None
