"""A policy file alone plays as the trained agent would."""

import functools
import json
import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.errors import CoterieError, RunError
from coterie.internal.files import read_arrays, write_arrays
from coterie.network import unstack
from coterie.policies import load_policy, policy_metadata, read_policy, save_policy
from coterie.results import trained_team
from coterie.rl.models import GRU, MLP, Inputs
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


def as_trained(run, agent, greedy, seed):
    """What the trained state answers to `SEEN`, one after the other."""
    own = trainer(run)
    team = own.restored(0).team
    policy = unstack(run.algorithm.policy(team.agents), agent, own_shapes(run, own, agent))
    memory, key, answers = policy.body.start(), jax.random.key(seed), []
    spec, act = run.env.specs[agent], jax.jit(functools.partial(decide, greedy=greedy))
    for row, mask in zip(SEEN, masks(run, agent), strict=True):
        key, now = jax.random.split(key)
        view = Observation(jnp.asarray(row[: spec.size]), mask)
        action, memory = act(policy, memory, view, now)
        answers.append(np.asarray(action))
    if isinstance(spec.action, Discrete):
        return answers
    low, high = np.array(spec.action.low), np.array(spec.action.high)
    return [low + (np.clip(a, -1, 1) + 1) / 2 * (high - low) for a in answers]


def own_shapes(run, own, agent):
    init = run.algorithm.init
    return jax.eval_shape(
        lambda: run.algorithm.policy(init(jax.random.key(0), own.setup.specs[agent])[0])
    )


def masks(run, agent):
    size = run.env.specs[agent].action.size
    masked = isinstance(run.env.specs[agent].action, Discrete) and run.env.masked
    return [jnp.arange(size) != step % 2 if masked else None for step in range(len(SEEN))]


# Of the kinds of policies; who is masked or sees less is like the first.
LATER = {"unequal", "squashed", "deterministic"}
KINDS = [
    pytest.param(
        c, marks=[pytest.mark.xdist_group(f"file-{c}"), *[pytest.mark.deep] * (c in LATER)]
    )
    for c in CASES
]


@pytest.mark.parametrize("greedy", [True, False])
@pytest.mark.parametrize("case", KINDS)
def test_a_file_plays_as_the_trained_agent(case, greedy):
    run = run_of(case)
    for agent in (0, 1):
        spec = run.env.specs[agent]
        policy = load_policy(run.policy_file(0, f"agent-{agent}"), greedy=greedy, seed=5)
        pairs = list(zip(SEEN[:, : spec.size], masks(run, agent), strict=True))
        answers = [policy(row, mask) for row, mask in pairs]
        expected = as_trained(run, agent, greedy, seed=5)
        np.testing.assert_allclose(answers, expected, rtol=1e-6, atol=1e-6)
        policy.reset()
        again = load_policy(run.policy_file(0, f"agent-{agent}"), greedy=True)
        first = [again(*pair) for pair in pairs]
        again.reset()
        np.testing.assert_array_equal([again(*pair) for pair in pairs], first)


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
    space = policy.card.action
    assert space == Box(3, (-2.0, 0.0, -1.0), (2.0, 1.0, 3.0))
    actions = np.array([policy(row * 100) for row in np.repeat(SEEN, 5, axis=0)])
    assert (actions >= np.array(space.low) - 1e-6).all()
    assert (actions <= np.array(space.high) + 1e-6).all()
    masked = load_policy(run_of("masked").policy_file(0, "agent-0"), greedy=False)
    assert {masked(SEEN[0], np.array([False, True, False])) for _ in range(20)} == {1}


def test_unequal_agents_have_their_true_sizes():
    run = run_of("unequal")
    cards = [read_policy(run.policy_file(0, name))[1] for name in run.env.names]
    assert [(card.observation, card.action.size) for card in cards] == [(2, 3), (1, 2)]


def test_one_file_in_an_empty_folder_and_a_new_process_is_enough(tmp_path):
    run = run_of("unequal")
    shutil.copy(run.policy_file(0, "agent-1"), tmp_path / "mine.safetensors")
    code = """
import sys
from coterie.policies import load_policy
policy = load_policy("mine.safetensors", greedy=True)
print(policy.card.name, [policy([x]) for x in (-1.0, 0.0, 1.0)])
"""
    policy = load_policy(run.policy_file(0, "agent-1"), greedy=True)
    expected = [policy(np.array([x])) for x in (-1.0, 0.0, 1.0)]
    assert python(code, cwd=tmp_path) == f"agent-1 {expected}\n"


NUMBERED = LearnerSpec(1, Discrete(3), states=4)


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_numbered_observations_are_given_by_their_number(tmp_path, hidden):
    keys = jax.random.split(jax.random.key(1))
    policy = Policy.init(keys, MLP(hidden), Inputs.of(NUMBERED), Discrete(3), gain=9.0)
    save_policy(
        tmp_path / "x.safetensors", policy, policy_metadata("x", "y", NUMBERED, policy, True)
    )
    loaded = load_policy(tmp_path / "x.safetensors")
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
    save_policy(tmp_path / "x.safetensors", policy, policy_metadata("x", "y", team, policy, True))
    loaded = load_policy(tmp_path / "x.safetensors")
    assert loaded.card.action == team.action
    np.testing.assert_array_equal(loaded(np.zeros(2)), [1, 2])
    np.testing.assert_array_equal(loaded(np.zeros(2), np.array([1, 0, 0, 1, 1, 0])), [0, 1])


WRONG = {
    "too long": ((np.zeros(3),), r"agent-0 perceives 2 numbers, but .* \(3,\)"),
    "a batch": ((np.zeros((2, 2)),), r"perceives 2 numbers"),
    "a mask too short": ((np.zeros(2), np.ones(2)), r"agent-0 has 3 actions, but .* \(2,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_gets_a_sentence(case):
    arguments, sentence = WRONG[case]
    with pytest.raises(CoterieError, match=sentence):
        load_policy(finished().policy_file(0, "agent-0"))(*arguments)


def recarded(path, **changes):
    arrays, said = read_arrays(path)
    card = json.loads(said["policy"]) | changes
    write_arrays(path, arrays, {"policy": json.dumps(card)})


DENSE = {"kind": "mlp", "hidden_sizes": [8], "activation": "relu"}
SIZES = r"float32\[.*\] where float32\[.*\] is expected"
FORGED = {
    "another format": ({"format": "coterie policy 99"}, "not a policy file of this version"),
    "an unknown activation": (
        {"model": DENSE | {"activation": "exec"}},
        "activation",
    ),
    "an unknown model": ({"model": {"kind": "mpl"}}, "unknown Model 'mpl'"),
    "a class of somebody": ({"model": {"kind": "subprocess:Popen"}}, "which you have not trusted"),
    "no sizes": ({"model": DENSE | {"hidden_sizes": []}}, SIZES),
    "a memory of nothing": (
        {"model": {"kind": "gru", "hidden_sizes": []}},
        "a recurrent unit comes",
    ),
    "other sizes": (
        {"model": DENSE | {"hidden_sizes": [9]}},
        r"float32\[.*\] where float32\[.*\] is",
    ),
    "text for a size": ({"observation": "2"}, "does not describe a policy"),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_card_that_is_wrong_is_refused(tmp_path, case):
    changes, sentence = FORGED[case]
    path = shutil.copy(finished().policy_file(0, "agent-0"), tmp_path / "x.safetensors")
    recarded(path, **changes)
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
