"""Environments so small that the answer is known, each of which needs one faculty of a learner."""

import dataclasses
import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import F2A2DDPG, F2A2SAC, MATRPO, NetworkedQAC
from coterie.algorithms.base.tabular import Tabular
from coterie.envs.game import Observation
from coterie.graph import family
from coterie.network import Communication
from coterie.training.state import init_state, iteration
from tests.options import forgetful
from tests.probes.games import ACTIONS, Darts, Lab, able, table
from tests.probes.judging import judged
from tests.probes.methods import (
    AIMING,
    EVERY,
    KIN,
    LONERS,
    REMEMBERING,
    TAUGHT,
    each_in,
    linked,
    pooled,
)
from tests.support import each, with_options

pytestmark = pytest.mark.deep

UPDATES, NUM_ENVS, SEEDS = 400, 16, 3


def trained(algorithm, env, key):
    """The team after training, and each agent's mean return in the last tenth of it."""
    vector = env.vectorize(NUM_ENVS)
    links = "complete" if linked(algorithm) else "none"
    team = init_state(algorithm, env, vector, Communication(family(links, 2)), key)
    round_ = iteration(algorithm, env, vector)
    team, report = jax.lax.scan(lambda t, _: round_(t), team, None, length=UPDATES)
    last = jax.tree.map(lambda x: jnp.sum(x[-UPDATES // 10 :], axis=0), report.episodes)
    return team, last.returns / last.count


@functools.cache
def laboratory(algorithm):
    """Training in an environment of tables, compiled once for all of them: `(returns, values)`."""

    def train(rules, key):
        numbered = isinstance(algorithm, Tabular)
        team, returns = trained(algorithm, Lab(rules, numbered), key)
        return returns, judged(algorithm, team.agents, rules)

    return jax.jit(train)


def play(algorithm, rules, seed=0):
    returns, values = laboratory(algorithm)(rules, jax.random.key(seed))
    return np.asarray(returns), None if values is None else np.asarray(values)


A, B = [1, 0, 0], [0, 1, 0]  # two things to see


# The rules, and what every state in play is worth to agent 0 and to agent 1. The discount is 1/2.
VALUES = {
    "constant": (
        table(reward={(0, 0, 0): 1.0, (0, 1, 1): -2.0}),
        {0: (1.0, -2.0)},
    ),
    "what I see": (
        table(
            first=(0, 1),
            observation={0: A, 1: B},
            reward={(0, 0, 0): 1.0, (1, 0, 0): -1.0, (0, 1, 1): -0.5, (1, 1, 1): 2.0},
        ),
        {0: (1.0, -0.5), 1: (-1.0, 2.0)},
    ),
    "delayed": (
        table(
            following=(1, 0, 0, 0),
            observation={0: A, 1: B},
            reward={(1, 0, 0): 1.0, (1, 1, 1): 2.0},
            terminated={0: False},
        ),
        {0: (0.5, 1.0), 1: (1.0, 2.0)},
    ),
    # Cut off after every step, the environment would have gone on for ever: 1 / (1 - 1/2).
    "cut off": (
        table(reward={(0, 0, 0): 1.0, (0, 1, 1): -0.5}, terminated={0: False}, truncated={0: True}),
        {0: (2.0, -1.0)},
    ),
    # Cut off after the second of three different states; the third is never played from.
    "cut off before a state of its own": (
        table(
            following=(1, 2, 0, 0),
            first=(0, 2),
            observation={0: A, 1: B, 2: [1, 1, 0]},
            reward={(2, 0, 0): 4.0, (2, 1, 1): -2.0},
            terminated={0: False, 1: False},
            truncated={1: True},
        ),
        {0: (1.0, -0.5), 1: (2.0, -1.0), 2: (4.0, -2.0)},
    ),
}


@each_in(VALUES, hardest="cut off before a state of its own")
def test_values(algorithm, probe):
    if isinstance(algorithm, NetworkedQAC) and probe.startswith("cut off"):
        pytest.skip("it learns nothing from the step at which an episode is cut off, as documented")
    rules, expected = VALUES[probe]
    if isinstance(algorithm, NetworkedQAC):  # asked about actions that a settled team never tries
        algorithm = dataclasses.replace(algorithm, actor_lr=1e-12)
    _, values = play(algorithm, rules)
    states, worth = list(expected), np.array(list(expected.values()))
    if pooled(algorithm):
        worth = np.broadcast_to(worth.mean(axis=1, keepdims=True), worth.shape)
    np.testing.assert_allclose(values[states], worth, atol=0.12)


def paid(*what):
    """Rewards of 1: `(state, agent, action)` pays the agent for its own action."""
    return {(state, agent, agent, action): 1.0 for state, agent, action in what}


# Rules under which every agent can earn 1 in an episode.
CHOICES = {
    "what I do": table(reward=paid((0, 0, 0), (0, 1, 2))),
    "what I see and do": table(
        first=(0, 1),
        observation={0: A, 1: B},
        reward=paid((0, 0, 0), (1, 0, 1), (0, 1, 2), (1, 1, 0)),
    ),
    # The first action leads nowhere in the second state, which pays for the other one.
    "twice": table(
        following=(1, 0, 0, 0),
        observation={0: A, 1: B},
        reward={k: v / 2 for k, v in paid((0, 0, 0), (1, 0, 1), (0, 1, 2), (1, 1, 1)).items()},
        terminated={0: False},
    ),
}


@each_in(CHOICES, hardest="twice")
def test_choices(algorithm, probe):
    """The best of some seeds for F2A2-DDPG, which pays for no entropy: a policy that is in a corner
    before its critic knows any better stays there. In one environment of three this happened in one
    seed of three."""
    seeds = range(SEEDS if isinstance(algorithm, F2A2DDPG) else 1)
    assert any(play(algorithm, CHOICES[probe], seed)[0].min() > 0.85 for seed in seeds)


# A cue, one step in which all look the same, and the action that the cue asked for.
MEMORY = table(
    first=(0, 1),
    following=(2, 3, 0, 0),
    observation={0: A, 1: B, 2: [1, 1, 0], 3: [1, 1, 0]},
    reward=paid((2, 0, 0), (3, 0, 1), (2, 1, 2), (3, 1, 0)),
    terminated={0: False, 1: False},
)


@each(REMEMBERING)
def test_only_a_memory_recalls_what_was_seen(algorithm):
    """The best of some seeds, for an early habit may outlast the cue; no luck replaces a memory."""
    assert any(play(algorithm, MEMORY, seed)[0].min() > 0.85 for seed in range(SEEDS))
    assert play(forgetful(algorithm), MEMORY)[0].max() < 0.65


@each(TAUGHT)
def test_critics_without_a_memory_teach_it_if_anybody_sees_the_cue(algorithm):
    """Agent 0 sees the cue first, and agent 1 when it counts; critics see what either does."""
    rules = MEMORY._replace(
        observation=MEMORY.observation.at[:2, 1, :2].set(1.0).at[2:, 1, :2].set(jnp.eye(2))
    )
    assert any(play(algorithm, rules, seed)[0].min() > 0.85 for seed in range(SEEDS))
    assert play(forgetful(algorithm), rules)[0][0] < 0.65


@each({name: a for name, a in LONERS.items() if name not in KIN and not pooled(a)})
def test_one_leaves_and_the_other_plays_on(algorithm):
    """What seems to happen to agent 1 after it left is nothing to it, nor to agent 0."""
    rules = table(
        following=(1, 2, 0, 0),
        observation={0: A, 1: B, 2: [1, 1, 0], (1, 1): -5.0, (2, 1): 5.0},
        reward={(0, 1, 1): 1.0, (1, 1, 1): 50.0, (2, 1, 1): -90.0, (2, 0, 0): 4.0},
        terminated={(0, 0): False, (1, 0): False},
        present={(1, 1): False, (2, 1): False},
    )
    _, values = play(algorithm, rules)
    np.testing.assert_allclose(values[:3, 0], [1.0, 2.0, 4.0], atol=0.2)
    np.testing.assert_allclose(values[0, 1], 1.0, atol=0.12)


@each(EVERY)
def test_paying_another_needs_a_message(algorithm):
    """Agent 0's action pays agent 1 alone, who can do nothing but tell.

    Without a word agent 0 does anything, and what it does in one seed may be right by chance.
    """
    rules = table(reward={(0, 1, 0, 1): 1.0})
    paid = (play(algorithm, rules, seed)[0][1] for seed in range(5))
    if pooled(algorithm) or isinstance(algorithm, MATRPO):  # told that it should act otherwise
        assert all(earned > 0.85 for earned in itertools.islice(paid, SEEDS))
    else:
        assert any(earned < 0.75 for earned in paid)


class Settled(F2A2SAC):
    """Policies that prefer one action in each state, and stay as they are."""

    def policy_of(self, keys, inputs, spec):
        policy = super().policy_of(keys, inputs, spec)
        return eqx.tree_at(lambda p: p.head.weight, policy, 1_000.0 * policy.head.weight)


def test_known_policies_are_modelled_as_they_are():
    """What is left to be surprised by is the other's entropy, and its best action is foretold."""
    own = with_options(EVERY["f2a2-sac"], actor_lr=1e-30, learning_starts=128)
    algorithm = Settled(**vars(own))
    env = Lab(table(first=(0, 1), observation={0: A, 1: B}))
    vector = env.vectorize(NUM_ENVS)
    team = init_state(
        algorithm, env, vector, Communication(family("complete", 2)), jax.random.key(1)
    )
    round_ = iteration(algorithm, env, vector)
    _, report = jax.jit(lambda t: jax.lax.scan(lambda t, _: round_(t), t, length=60))(team)
    views = Observation(env.rules.observation[:2], jnp.broadcast_to(able(), (2, 2, ACTIONS)))
    known = jax.vmap(
        lambda agent, view: algorithm.policy(agent).distribution(view), in_axes=(0, 1)
    )(team.agents, views)
    entropy = known.entropy().mean(axis=1)[::-1]
    surest = jnp.exp(known.log_probs).max(axis=-1).mean(axis=1)[::-1]
    loss, right = (
        report.metrics[name] for name in ("opponent_model/loss", "opponent_model/accuracy")
    )
    assert np.all(loss[0] > entropy + 0.3) and np.all(surest > 0.7), (loss[0], entropy, surest)
    np.testing.assert_allclose(loss[-30:].mean(axis=0), entropy, atol=0.03)
    np.testing.assert_allclose(right[-30:].mean(axis=0), surest, atol=0.03)


@each(AIMING)
def test_aim(algorithm):
    """Numbers in the environment's own units, one for agent 0 and two for agent 1; the best of some
    seeds.

    Untrained, the agents lose more than 1 and more than 0.5.
    """
    train = jax.jit(lambda key: trained(algorithm, Darts(), key)[1])
    assert any(train(jax.random.key(seed)).min() > -0.1 for seed in range(SEEDS))
