"""A policy file alone plays as the trained agent would."""

import functools
import json
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coterie
from coterie.algorithms import InitKeys
from coterie.errors import CoterieError, RunError
from coterie.internal.files import write_arrays
from coterie.internal.reading import read_arrays
from coterie.network import unstack
from coterie.policies import load_policy, load_team
from coterie.policies.saving import policy_metadata, save_policy
from coterie.results import trained_team
from coterie.rl.models import CNN, GRU, MLP, Inputs
from coterie.rl.networks import Policy
from coterie.training.action_scaling import action_scaling
from coterie.training.play import decide
from coterie.types import Box, Discrete, LearnerSpec, MultiDiscrete, Observation
from tests.runs import Pond, copied, finished, python, trainer

CASES = {
    "discrete": ("dpo", Pond(), {}),
    "box": ("dpo", Pond(box=True), {}),
    "recurrent": ("dpo", Pond(), {"actor": GRU((8,)), "critic": GRU((8,))}),
    "masked": ("dpo", Pond(masked=True), {}),
    "unequal": ("dpo", Pond(unequal=True), {}),
    "q": ("iql", Pond(), {}),
    "squashed": ("li-jia", Pond(box=True), {}),
    "deterministic": ("maddpg", Pond(box=True), {}),
}
SEEN = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32) * 2


def run_of(case):
    algorithm, env, options = CASES[case]
    return finished(algorithm, env, **options)


def as_trained(run, agent):
    """What the trained state answers to `SEEN`, one after the other, at its best."""
    own = trainer(run)
    team = own.restored(0).team
    policy = unstack(run.algorithm.policy(team.agents), agent, own_shapes(run, own, agent))
    memory, key, answers = policy.body.start(), jax.random.key(0), []
    spec, act = run.env.specs[agent], jax.jit(functools.partial(decide, greedy=True))
    for row, mask in zip(SEEN, masks(run, agent), strict=True):
        view = Observation(jnp.asarray(row[: spec.size]), mask)
        action, memory = act(policy, memory, view, key)
        answers.append(np.asarray(action))
    if isinstance(spec.action, Discrete):
        return answers
    low, high = np.array(spec.action.low), np.array(spec.action.high)
    return [low + (np.clip(a, -1, 1) + 1) / 2 * (high - low) for a in answers]


def own_shapes(run, own, agent):
    init = run.algorithm.init
    return jax.eval_shape(
        lambda: run.algorithm.policy(
            init(InitKeys.of(jax.random.key(0)), own.setup.specs[agent])[0]
        )
    )


def masks(run, agent):
    size = run.env.specs[agent].action.size
    masked = isinstance(run.env.specs[agent].action, Discrete) and run.env.masked
    return [jnp.arange(size) != step % 2 if masked else None for step in range(len(SEEN))]


# Of the kinds of policies; who is masked or sees less is like the first.
LATER = {"unequal", "squashed", "deterministic"}
KINDS = [pytest.param(c, marks=[pytest.mark.deep] * (c in LATER)) for c in CASES]


@pytest.mark.parametrize("case", KINDS)
def test_a_file_plays_as_the_trained_agent(case):
    run = run_of(case)
    for agent in (0, 1):
        spec = run.env.specs[agent]
        policy = load_policy(run.policy_file(0, f"agent-{agent}"), greedy=True)
        pairs = list(zip(SEEN[:, : spec.size], masks(run, agent), strict=True))
        answers = [policy(row, mask) for row, mask in pairs]
        np.testing.assert_allclose(answers, as_trained(run, agent), rtol=1e-5, atol=1e-5)
        policy.reset()
        np.testing.assert_array_equal([policy(*pair) for pair in pairs], answers)


def test_by_default_as_it_was_trained():
    assert not load_policy(finished().policy_file(0, "agent-0"))._greedy
    assert load_policy(finished("iql").policy_file(0, "agent-0"))._greedy


def test_a_recurrent_policy_remembers_until_reset():
    policy = load_policy(run_of("recurrent").policy_file(0, "agent-0"))
    fresh = jax.tree.map(np.asarray, policy._memory)
    policy(SEEN[0])
    assert not np.array_equal(policy._memory, fresh)
    policy.reset()
    np.testing.assert_array_equal(policy._memory, fresh)


def test_actions_stay_in_their_bounds_and_masks_are_kept():
    policy = load_policy(run_of("box").policy_file(0, "agent-0"), greedy=False)
    space = policy.metadata.action
    assert space == Box(3, (-2.0, 0.0, -1.0), (2.0, 1.0, 3.0))
    actions = np.array([policy(row * 100) for row in np.repeat(SEEN, 5, axis=0)])
    assert (actions >= np.array(space.low) - 1e-6).all()
    assert (actions <= np.array(space.high) + 1e-6).all()
    masked = load_policy(run_of("masked").policy_file(0, "agent-0"), greedy=False)
    assert {masked(SEEN[0], np.array([False, True, False])) for _ in range(20)} == {1}


def test_unequal_agents_have_their_true_sizes():
    run = run_of("unequal")
    cards = [load_policy(run.policy_file(0, name)).metadata for name in run.env.names]
    assert [(card.observation, card.action.size) for card in cards] == [(2, 3), (1, 2)]


def test_one_file_in_an_empty_folder_and_a_new_process_is_enough(tmp_path):
    run = run_of("unequal")
    shutil.copy(run.policy_file(0, "agent-1"), tmp_path / "mine.safetensors")
    code = """
import sys
from coterie.policies import load_policy, load_team
policy = load_policy("mine.safetensors", greedy=True)
print(policy.metadata.name, [policy([x]) for x in (-1.0, 0.0, 1.0)])
"""
    policy = load_policy(run.policy_file(0, "agent-1"), greedy=True)
    expected = [policy(np.array([x])) for x in (-1.0, 0.0, 1.0)]
    assert python(code, cwd=tmp_path) == f"agent-1 {expected}\n"


def saved(folder, spec, policy, greedy=True, **more):
    """A policy that was written to a file, and loaded from it."""
    about = policy_metadata(spec, policy, greedy, **{"name": "x", "env": "y", **more})
    save_policy(folder / "x.safetensors", policy, about)
    return load_policy(folder / "x.safetensors")


NUMBERED = LearnerSpec(1, Discrete(3), states=4)


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_numbered_observations_are_given_by_their_number(tmp_path, hidden):
    keys = jax.random.split(jax.random.key(1))
    policy = Policy.init(keys, MLP(hidden), Inputs.of(NUMBERED), Discrete(3), gain=9.0)
    loaded = saved(tmp_path, NUMBERED, policy)
    features, _ = policy.body.step(jnp.arange(4.0)[:, None], ())
    expected = jnp.argmax(policy.head(features), axis=-1).tolist()
    assert [loaded([number]) for number in range(4)] == expected
    assert len(set(expected)) > 1
    for number in (-1, 4, 0.5):
        with pytest.raises(CoterieError, match=f"x knows the observations 0 to 3, not {number}"):
            loaded([number])


def test_a_center_answers_for_everybody(tmp_path):
    """Of two and three actions; the last of each has by far the highest preference."""
    team = LearnerSpec(2, MultiDiscrete((2, 3)))
    keys = jax.random.split(jax.random.key(1))
    policy = Policy.init(keys, MLP(()), Inputs.of(team), team.action)
    policy = eqx.tree_at(lambda p: p.head.bias, policy, 9.0 * jnp.array([0.0, 1, 5, 0, 1, 2]))
    loaded = saved(tmp_path, team, policy)
    assert loaded.metadata.action == team.action
    np.testing.assert_array_equal(loaded(np.zeros(2)), [1, 2])
    np.testing.assert_array_equal(loaded(np.zeros(2), np.array([1, 0, 0, 1, 1, 0])), [0, 1])


WRONG = {
    "too long": ((np.zeros(3),), r"agent-0 cannot .*: observation has shape \(3,\), not \(2,\)"),
    "a batch": ((np.zeros((2, 2)),), r"has shape \(2, 2\), not \(2,\)"),
    "a mask too short": ((np.zeros(2), np.ones(2)), r"agent-0 has 3 actions, but .* \(2,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_gets_a_sentence(case):
    arguments, sentence = WRONG[case]
    with pytest.raises(CoterieError, match=sentence):
        load_policy(finished().policy_file(0, "agent-0"))(*arguments)


def forge(path, change=None, **metadata):
    """Change a policy file's arrays and metadata, and make its hashes anew."""
    arrays, said = read_arrays(path)
    arrays = {name: array.copy() for name, array in arrays.items()}
    if change is not None:
        change(arrays)
    write_arrays(path, arrays, {"policy": json.dumps(json.loads(said["policy"]) | metadata)})


def network(**changes):
    """The metadata of a network of one layer of 8, changed."""
    told = {"name": "mlp", "hidden_sizes": [8], "activation": "relu", "layer_norm": False}
    rest = {"kind": "Architecture", "channels": [], "kernel": 1, "own": ""}
    return {"model": told | rest | changes}


CHOICES = {"kind": "Choices", "counts": [3, 1], "starts": [0, 0], "dtype": "int64"}
SIZES = r"float32\[.*\] where float32\[.*\] is expected"
FORGED = {
    "another format": ({"format": "coterie policy 99"}, "not a policy file of this version"),
    "an unknown activation": (network(activation="exec"), "policy.model.activation is 'exec'"),
    "an unknown model": (network(name="mpl"), "unknown Model 'mpl': known are mlp, gru, cnn"),
    "code of somebody's own": (
        network(name="subprocess:Popen", own="{}"),
        "which you have not trusted",
    ),
    "no sizes": (network(hidden_sizes=[]), SIZES),
    "other sizes": (network(hidden_sizes=[9]), SIZES),
    "a memory of nothing": (network(name="gru", hidden_sizes=[]), "a recurrent unit comes"),
    "a memory": (network(name="gru"), "has no array .body.inner.inner.layers"),
    "a huge layer": (network(hidden_sizes=[2**40]), "sizes are from 0 to"),
    "a layer of nothing": (network(hidden_sizes=[0]), "are at least 1"),
    "text for a size": ({"observation": "2"}, "policy.observation is '2', not of type int"),
    "no truth value": ({"greedy": "no"}, "policy.greedy is 'no', not of type bool"),
    "no environment": ({"env": None}, "policy.env is None, not of type str"),
    "nothing": ({"model": None}, "policy.model is None, not a Architecture"),
    "deviations of nan": ({"deviations": [float("nan"), 1]}, r"policy.deviations\[0\] is nan"),
    "deviations of nothing": ({"deviations": [0, 1]}, "deviations lie between two bounds above 0"),
    "a long name": ({"name": "x" * 10**5}, "policy.name is 'x+.*, not a text of at most 1000"),
    "a field more": ({"recurrent": None}, "mind 'recurrent'"),
    "another place": ({"agent": 2}, "agent 2 is not one of 2"),
    "a code": (
        {"acts": {"kind": "Choice", "count": 4, "start": 0}},
        "the encoding of actions is not of",
    ),
    "a code of choices": (
        {"acts": CHOICES | {"shape": [-1, -2]}},
        "the encoding of actions is not of",
    ),
    "a code of no actions": (
        {"acts": {"kind": "Row", "parts": []}},
        "policy.acts is 'Row', not a Numbers or Choice or Choices",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_card_that_is_wrong_is_refused(tmp_path, case):
    changes, sentence = FORGED[case]
    path = shutil.copy(finished().policy_file(0, "agent-0"), tmp_path / "x.safetensors")
    forge(path, **changes)
    with pytest.raises(RunError, match=sentence):
        load_policy(path)


@pytest.mark.parametrize("path", ["seed-0/policies", "run.json", "seed-0/evaluation.csv"])
def test_what_is_no_policy_file_is_told_what_would_be(path):
    with pytest.raises(RunError, match=r"is not a policy file: name one agent's, RUN/seed-0/pol"):
        load_policy(finished().folder / path)


def test_a_checkpoint_is_not_a_policy():
    file = next(finished().checkpoints(0).rglob("agent-0.safetensors"))
    with pytest.raises(RunError, match="not a policy file"):
        load_policy(file)


def test_swapped_policies_are_noticed_where_the_team_plays(tmp_path):
    run = copied(finished(), tmp_path / "run")
    shutil.copy(run.policy_file(0, "agent-0"), run.policy_file(0, "agent-1"))
    with pytest.raises(RunError, match=r"agent-1.safetensors is of agent-0 .*swapped"):
        trained_team(run, 0)


def test_units_of_the_file_are_units_of_the_game():
    env = Pond(box=True)
    action = jnp.array([[[-1.0, 0.0, 3.0]]] * 2)
    joint = action_scaling(env.specs).to_env(action)[0, 0]
    np.testing.assert_allclose(env.specs[0].action.rescale(action[0, 0]), joint)


def test_a_deployed_policy_needs_neither_jax_nor_the_trainer(tmp_path):
    """Nor Gymnasium, nor anything else that is not NumPy's or Python's own."""
    run = run_of("unequal")
    code = """
import sys
before = set(sys.modules)
import coterie
policy = coterie.load_policy(sys.argv[1])
policy([0.1, 0.2])
coterie.load_team(sys.argv[2])({"agent-0": [0.1, 0.2], "agent-1": [0.1]})
new = {name.partition(".")[0] for name in set(sys.modules) - before}
from importlib.metadata import packages_distributions
print(sorted(new & packages_distributions().keys() | new & {"coterie"}))
print("coterie.training" in sys.modules)
"""
    told = python(code, str(run.policy_file(0, "agent-0")), str(run.folder), cwd=tmp_path)
    assert told == "['coterie', 'numpy']\nFalse\n"


def test_public_names_are_found_where_the_stub_says():
    for name in coterie.__all__:
        assert getattr(coterie, name).__name__ if callable(getattr(coterie, name)) else name
    assert set(coterie.__all__) <= set(dir(coterie))
    with pytest.raises(AttributeError, match="module 'coterie' has no attribute 'lod_policy'"):
        coterie.lod_policy  # noqa: B018


MODELS = {
    "mlp-relu": (MLP((6, 5)), (4,)),
    "mlp-tanh": (MLP((6,), "tanh"), (4,)),
    "mlp-selu": (MLP((6,), "selu", layer_norm=True), (4,)),
    "mlp-leaky": (MLP((6,), "leaky_relu"), (4,)),
    "linear": (MLP(()), (4,)),
    "gru": (GRU((6, 5), "tanh"), (4,)),
    "gru-norm": (GRU((6,), layer_norm=True), (4,)),
    "cnn": (CNN((3, 2), 3, (5,)), (4, 5, 2)),
    "cnn-even": (CNN((3,), 2, (5,), "tanh", layer_norm=True), (3, 4, 1)),
}
ACTS = {
    "discrete": (Discrete(3), None),
    "several": (MultiDiscrete((2, 3)), None),
    "box": (Box(2), None),
    "squashed": (Box(2, (-1.0, 0.0), (1.0, 3.0)), (0.05, 2.0)),
}


def wild(policy):
    """The policy with larger weights, biases included, so that nothing is near zero."""
    leaves, tree = jax.tree.flatten(policy)
    random = np.random.default_rng(3)
    noisy = [leaf + random.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    return jax.tree.unflatten(tree, noisy)


@pytest.mark.parametrize("acts", ACTS)
@pytest.mark.parametrize("name", MODELS)
def test_numpy_answers_as_jax_to_rounding(tmp_path, name, acts):
    """Every model with every kind of action, over three steps of an episode."""
    (model, shape), (space, deviations) = MODELS[name], ACTS[acts]
    spec = LearnerSpec(int(np.prod(shape)), space, shape)
    keys, inputs = jax.random.split(jax.random.key(1)), Inputs.of(spec)
    if deviations is None:
        policy = wild(Policy.init(keys, model, inputs, space))
    else:
        policy = wild(Policy.squashed(keys, model, inputs, space, deviations))
    network = saved(tmp_path, spec, policy).network
    memory, own = policy.body.start(), network.start()
    for seen in np.random.default_rng(0).normal(size=(3, spec.observation)).astype(np.float32):
        features, memory = policy.body.step(jnp.asarray(seen), memory)
        values, log_std = policy.outputs(features)
        told = network.step(seen, own)
        own = told.memory
        assert told.values.dtype == np.float32
        np.testing.assert_allclose(told.values, values, rtol=2e-5, atol=2e-5)
        assert (told.log_std is None) == (log_std is None)
        if log_std is not None:
            np.testing.assert_allclose(told.log_std, log_std, rtol=2e-5, atol=2e-5)


def test_draws_are_of_the_distribution(tmp_path):
    """Frequencies within five standard errors of the probabilities; a mask takes actions away."""
    spec = LearnerSpec(1, Discrete(3))
    policy = Policy.init(jax.random.split(jax.random.key(0)), MLP(()), Inputs.of(spec), Discrete(3))
    policy = eqx.tree_at(lambda p: p.head.bias, policy, jnp.log(jnp.array([0.9, 0.07, 0.03])))
    loaded = saved(tmp_path, spec, policy, greedy=False)
    for mask, chances in ((None, [0.9, 0.07, 0.03]), ([1, 0, 1], [30 / 31, 0, 1 / 31])):
        drawn = np.bincount([loaded([0.0], mask) for _ in range(4000)], minlength=3) / 4000
        np.testing.assert_allclose(drawn, chances, atol=5 * 0.3 / 4000**0.5)


@pytest.mark.parametrize(("acts", "square"), [("box", 0.04), ("squashed", 0.04)])
def test_draws_of_numbers_have_their_deviation(tmp_path, acts, square):
    space, deviations = Box(1), (0.2, 0.2)
    spec, keys = LearnerSpec(1, space), jax.random.split(jax.random.key(0))
    if acts == "box":
        policy = Policy.init(keys, MLP(()), Inputs.of(spec), space)
        policy = eqx.tree_at(lambda p: p.log_std, policy, jnp.log(jnp.array([0.2])))
    else:
        policy = Policy.squashed(keys, MLP(()), Inputs.of(spec), space, deviations)
    loaded = saved(tmp_path, spec, policy, greedy=False)
    drawn = np.concatenate([loaded([0.0]) for _ in range(2000)])
    inner = np.arctanh(drawn) if acts == "squashed" else drawn
    assert np.mean(inner**2) == pytest.approx(square, rel=0.15)


def test_agents_draw_from_streams_of_their_own():
    """Two of equal seeds agree as often as chance has it, and each repeats itself."""
    run = finished()
    team = [load_policy(run.policy_file(0, f"agent-{i}"), seed=3) for i in (0, 1)]
    again = load_policy(run.policy_file(0, "agent-0"), seed=3)
    drawn = [[policy([0.1, 0.2]) for _ in range(300)] for policy in (*team, again)]
    assert drawn[0] == drawn[2]
    assert np.mean(np.equal(*drawn[:2])) < 0.6
    with pytest.raises(CoterieError, match="seed must be at least 0, not -1"):
        load_policy(run.policy_file(0, "agent-0"), seed=-1)


CHANGES = {
    "one nan": lambda arrays: arrays[".head.bias"].__setitem__(0, np.nan),
    "infinite": lambda arrays: arrays[".head.weight"].fill(np.inf),
    "an array more": lambda arrays: arrays.update(more=np.ones(2)),
    "an array less": lambda arrays: arrays.pop(".head.bias"),
    "float64": lambda arrays: arrays.update({".head.bias": np.zeros(3)}),
}
SAID = {
    "one nan": r"array .head.bias holds nan",
    "infinite": r"array .head.weight holds inf",
    "an array more": r"has an array more that does not belong there",
    "an array less": r"has no array .head.bias",
    "float64": r"array .head.bias is float64\[3\] where float32\[3\] is expected",
}


@pytest.mark.parametrize("case", CHANGES)
def test_forged_arrays_are_named_by_whoever_loads_them(tmp_path, case):
    run = copied(finished(), tmp_path / "run")
    path = run.policy_file(0, "agent-1")
    forge(path, CHANGES[case])
    with pytest.raises(RunError, match=rf"agent-1.safetensors.*{SAID[case]}"):
        load_policy(path)
    with pytest.raises(RunError, match=rf"agent-1.safetensors.*{SAID[case]}"):
        trained_team(run, 0)


OTHERS = {
    "an older step": ({"step": 24}, r"after 24 steps of seed 0 .*, not of .* after 240 steps"),
    "another seed": ({"seed": 1}, "of seed 1 of dpo on"),
    "another run": ({"run": "0" * 16}, "run 0000000000000000, not of"),
    "another method": ({"method": "ippo"}, "of ippo on"),
    "another environment": ({"env": "spread"}, "of dpo on spread"),
    "other bounds": (
        {"action": {"kind": "Discrete", "size": 3}, "deviations": [0.1, 1]},
        r"has the deviations \(0.1, 1.0\), but the run's is None",
    ),
    "other control characters": ({"env": "\x1b[31m"}, r"of dpo on \\x1b\[31m, run"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_somebody_elses_policy_is_named_where_the_team_plays(tmp_path, case):
    changes, sentence = OTHERS[case]
    run = copied(finished(), tmp_path / "run")
    forge(run.policy_file(0, "agent-1"), **changes)
    with pytest.raises(RunError, match=sentence):
        trained_team(run, 0)


def test_a_policy_of_another_place_is_named(tmp_path):
    run = copied(finished(), tmp_path / "run")
    mine, other = run.policy_file(0, "agent-0"), run.policy_file(0, "agent-1")
    shutil.copy(mine, other)
    belongs = r"agent-1.safetensors is of agent-0 .* belongs to seed-0/policies/agent-0.safetensors"
    with pytest.raises(RunError, match=belongs):
        load_policy(other)
    shutil.copytree(run.seed_folder(0), run.seed_folder(7))
    with pytest.raises(RunError, match="belongs to seed-0/policies"):
        load_policy(run.policy_file(7, "agent-0"))
    about = load_policy(shutil.copy(mine, tmp_path / "mine.safetensors")).metadata
    assert (about.name, about.agent, about.agents) == ("agent-0", 0, 2)
    assert (about.method, about.seed, about.step) == ("dpo", 0, 240)
    assert about.run == run.owner(0)["run"]


def test_a_team_is_of_one_run_and_whole(tmp_path):
    run = copied(finished(), tmp_path / "run")
    team = load_team(run.folder, greedy=True)
    seen = {"agent-1": [0.1, 0.2], "agent-0": [0.3, 0.4]}
    actions = team(seen)
    assert list(actions) == list(seen) and list(team) == ["agent-0", "agent-1"]
    assert actions["agent-1"] == team["agent-1"]([0.1, 0.2])
    only = {name: {"action_mask": [0, 1, 0]} for name in seen}
    assert set(team(seen, only).values()) == {1}
    with pytest.raises(CoterieError, match="no policy of 'bob': the team has agent-0, agent-1"):
        team({"bob": [0.0, 0.0]})
    forge(run.policy_file(0, "agent-1"), step=24)
    with pytest.raises(RunError, match="they are not of one run and step"):
        load_team(run.folder)
    run.policy_file(0, "agent-1").unlink()
    with pytest.raises(RunError, match=r"of the agents \[0\], and the team has 2"):
        load_team(run.folder)
    with pytest.raises(RunError, match="holds no policies: name the folder of a run"):
        load_team(tmp_path)
