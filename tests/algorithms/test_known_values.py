"""Critics of everybody's observations and actions in finite games, where their values are known."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import F2A2COMA, IPPO, CommunicatedActions, FixedTemperature
from coterie.algorithms.f2a2.f2a2 import JOINT
from coterie.algorithms.f2a2.joint_batch import JointBatch
from coterie.algorithms.f2a2.on_policy import Critics, PolicyBatch
from coterie.algorithms.f2a2.policy_batch import JointActions
from coterie.algorithms.f2a2.stored_steps import SampledSequence, Transition
from coterie.catalogue import ALGORITHMS, make_env
from coterie.errors import EnvError
from coterie.exact import evaluate, uniform
from coterie.graph import Complete, family
from coterie.network import Communication, lift, networks
from coterie.rl.distributions import Categorical
from coterie.training.loop import dry_run
from coterie.training.play import own_views
from coterie.training.rollout import _shown
from coterie.training.run import new_run
from coterie.training.settings import Settings
from coterie.training.state import init_state, iteration, resolve_specs
from coterie.types import Observation, ObservationEncoder
from tests.options import with_options
from tests.support import Babble

DISCOUNT = 0.9
METHODS = ("coma", "f2a2-ddpg", "f2a2-sac", "maac")
OPTIONS = {
    "discount": DISCOUNT,
    "rollout_length": 4,
    "hidden_sizes": (32, 32),
    "attention_dim": 32,
    "num_heads": 2,
    "actor_lr": 1e-9,
    "critic_lr": 5e-3,
    "penalty": 30.0,
    "updates_per_rollout": 4,
    "batch_size": 128,
    "buffer_size": 4096,
    "learning_starts": 256,
    "tau": 0.05,
    "temperature": FixedTemperature(0.0),
    "td_weight_in_actor": 0.0,
    "actor_weight_in_critic": 0.0,
    "max_grad_norm": 100.0,
    "normalize_rewards": False,
}


def places(env):
    """Views of every state that is no end, and every joint action in each, `[B, ...]`."""
    agents, states = len(env.sizes), np.flatnonzero(~env.final)
    moves = np.stack(np.unravel_index(np.arange(env.joint), env.sizes), axis=-1)
    number = jnp.asarray(np.repeat(states, len(moves))[:, None], jnp.float32)
    seen = jnp.tile(ObservationEncoder(env.states)(number), agents)
    actions = jax.nn.one_hot(np.tile(moves, (len(states), 1)), max(env.sizes))
    return Observation(number, state=seen), actions


def exact(env):
    return evaluate(env.table, uniform(env.table), DISCOUNT)


def known(env):
    """Known values of uniform play, `[B]`."""
    return exact(env).joint_critic[~env.final].reshape(-1)


def learned(name, env, updates):
    """Values that each agent's critics learn from uniform play, `[N, K, B]`."""
    algorithm = with_options(ALGORITHMS[name], opponents=CommunicatedActions(), **OPTIONS)
    vector, talk = env.vectorize(64), Communication(family("complete", 2))
    team = init_state(algorithm, env, vector, talk, jax.random.key(0))

    def even(path, leaf):
        return leaf * 0.0 if ".policy.head" in jax.tree_util.keystr(path) else leaf

    team = team._replace(agents=jax.tree_util.tree_map_with_path(even, team.agents))
    view, actions = places(env)

    def values(agents):
        critics = jax.vmap(algorithm.learned)(agents).critic
        acted = actions if name == "coma" else JointActions(actions)
        if name == "maac":  # its critics read what everybody's encoders tell
            seen = view.state.reshape(*actions.shape[:2], -1)
            told = jax.vmap(lambda c, v, a: c.told(v, a), (0, 1, 1))(critics[0], seen, actions)
            acted = JointActions(actions, told)
        each = lambda critic, index: algorithm.values(critic, view, acted, index)  # noqa: E731
        return jax.vmap(each)(critics, jnp.arange(2))

    round_ = iteration(algorithm, env, vector)

    def step(team, _):
        team = round_(team)[0]
        return team, values(team.agents)

    _, found = jax.jit(lambda team: jax.lax.scan(step, team, None, length=updates))(team)
    return np.mean(found[-updates // 4 :], axis=0)


GAMES = ("climbing", "penalty", "two-step")


@pytest.mark.deep
@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("name", METHODS)
def test_critics_of_uniform_play_are_the_known_ones(name, game):
    env = make_env(game)
    found, expected = learned(name, env, 400), known(env)
    np.testing.assert_allclose(found - expected, 0.0, atol=0.02 * np.ptp(expected))


@pytest.mark.parametrize("game", GAMES)
def test_counterfactual_advantages_are_the_exact_ones(game):
    """`Q(s, a) - sum_b pi(b) Q(s, b, a_-i)`, of the exact critic."""
    env = make_env(game)
    (agents, size), table = (len(env.sizes), env.sizes[0]), jnp.asarray(exact(env).joint_critic)

    def value(state, flat):
        number = jnp.argmax(state[..., : env.states], axis=-1)
        move = jnp.argmax(flat.reshape(*flat.shape[:-1], agents, size), axis=-1)
        return table[number, move @ size ** jnp.arange(agents)[::-1]]

    view, actions = jax.tree.map(lambda x: x[None], places(env))
    q = known(env).reshape(-1, *env.sizes)
    even, zero = Categorical.of(jnp.zeros(actions[..., 0, :].shape)), jnp.zeros(actions.shape[:2])
    critics = Critics(SimpleNamespace(value=value), None)
    for index in range(agents):
        case = PolicyBatch(view, even, actions, zero, zero, zero, jnp.int32(index))
        found = F2A2COMA().advantage(critics, case)
        expected = q - q.mean(axis=1 + index, keepdims=True)
        np.testing.assert_allclose(found, expected.reshape(1, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*METHODS, "f2a2-coma", "f2a2-td3", "f2a2-isac"])
def test_finite_games_are_open(name):
    central = ALGORITHMS[name].information.central
    settings = Settings(communication=Communication() if central else Communication(Complete()))
    for game in ("two-step", "random-mdp"):
        dry_run(new_run(name, make_env(game), settings, "unused"))


NUMBERS = Observation(jnp.array([[[2.0], [1.0]]]), alive=jnp.array([[True, False]]))
"""Views of two agents in one environment, `[G, N, ...]`; the second is gone."""
SEEN = [[[0, 0, 1, 0, 0, 0]], [[0, 0, 1, 0, 1, 0]]]
"""What each of them sees of both: of who is gone only its own last view."""


def test_numbers_side_by_side_are_vectors_and_zeros_of_who_is_gone():
    vector = make_env("climbing").vectorize(1)
    shown = _shown(JOINT, vector, ObservationEncoder(3), (), NUMBERS, None)
    np.testing.assert_array_equal(shown.state, SEEN)


def test_stored_numbers_are_seen_as_those_that_were_played():
    view, zero = own_views((), NUMBERS, None), jnp.zeros((2, 1))
    choices = Categorical.of(jnp.zeros((2, 1, 2)))
    flags = zero.astype(int), choices, (), zero, zero > 0, zero > 0
    steps = Transition(view, *flags, view, ObservationEncoder(3))
    drawn = SampledSequence(jax.tree.map(lambda x: x[:, None], steps), jnp.ones((2, 1, 1), bool))
    network = networks(family("complete", 2), ("critic",), joint_observable=True)
    batch = lift(lambda drawn, network: JointBatch.of(drawn, network, JOINT))(drawn, network)
    np.testing.assert_array_equal(jax.vmap(lambda batch: batch.view.state)(batch), SEEN)
    np.testing.assert_array_equal(jax.vmap(lambda batch: batch.next_view.state)(batch), SEEN)


class SomeNumbered(Babble):
    @property
    def specs(self):
        first, *others = super().specs
        return (dataclasses.replace(first, states=0), *others)


def test_vectors_are_as_long_as_the_most_states():
    env = Babble(numbered=True)
    specs = resolve_specs(env, env.vectorize(1), F2A2COMA())
    assert [spec.states for spec in specs] == [2, 3, 2, 3]
    assert {(spec.state, spec.padded.observation, spec.encoder.states) for spec in specs} == {
        (12, 3, 3)
    }
    mixed = SomeNumbered(numbered=True)
    with pytest.raises(EnvError, match=r"some agents' are numbered and others' are not"):
        resolve_specs(mixed, mixed.vectorize(1), F2A2COMA())
    resolve_specs(mixed, mixed.vectorize(1), IPPO())
