"""MADDPG: what its critics are told of everybody, and what its policies climb."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import InitKeys
from coterie.algorithms.ddpg import Transition
from coterie.centralized import MADDPG
from coterie.centralized.maddpg import PAYLOAD
from coterie.graph import family
from coterie.network import lift, networks
from coterie.types import Box, Discrete, LearnerSpec, Observation
from tests.options import with_options

TEAM, BATCH, WIDTH = 3, 8, 2
SMALL = with_options(
    MADDPG(),
    rollout_length=2,
    updates_per_rollout=1,
    batch_size=BATCH,
    buffer_size=16,
    learning_starts=1,
    hidden_sizes=(4,),
    discount=0.5,
)
COMPLETE = networks(family("complete", TEAM), (PAYLOAD,))
KEYS = jax.random.split(jax.random.key(3), TEAM)


@functools.cache
def team(space):
    """Students whose targets are not what they follow, and steps that they draw."""
    spec = LearnerSpec(2, space(WIDTH), state=3, sizes=(WIDTH,) * TEAM, agents=TEAM)
    random = np.random.default_rng(0)

    def numbers(*shape):
        return jnp.asarray(random.normal(size=shape), jnp.float32)

    def views():
        return Observation(
            numbers(TEAM, BATCH, 2), state=jnp.broadcast_to(numbers(BATCH, 3), (TEAM, BATCH, 3))
        )

    students = jax.vmap(lambda key: SMALL.init(InitKeys.of(key), spec)[0].actor_critic)(
        jax.random.split(jax.random.key(0), TEAM)
    )
    models = jax.tree.map(lambda x: x + 0.3 * numbers(*x.shape), students.models)
    target = jax.tree.map(lambda x: x + 0.3 * numbers(*x.shape), models)
    actions = jnp.broadcast_to(jnp.tanh(numbers(BATCH, TEAM * WIDTH)), (TEAM, BATCH, TEAM * WIDTH))
    ends = jnp.broadcast_to(jnp.arange(BATCH) % 2 == 0, (TEAM, BATCH))
    sample = Transition(views(), actions, numbers(TEAM, BATCH), 0.5 * ~ends, views())
    return students._replace(models=models, target=target), sample


def of(i, tree):
    """Agent `i`'s part of a team's tree."""
    return jax.tree.map(lambda x: x[i], tree)


def outputs(policy, view):
    """What a policy says before its action is squashed or drawn."""
    return policy.head(policy.body.step(view.observation, ())[0])


def lessons(space):
    students, sample = team(space)
    lesson, _, _ = jax.jit(lift(SMALL.critic_targets))(students, sample, COMPLETE, KEYS)
    return lesson, students, sample


def test_targets_are_of_what_everybodys_target_policy_would_do_next():
    lesson, students, sample = lessons(Box)
    following = [
        jnp.tanh(outputs(of(j, students.target.policy), of(j, sample.next_view)))
        for j in range(TEAM)
    ]
    joint = jnp.concatenate(following, axis=-1)
    for i in range(TEAM):
        later = of(i, students.target.critic).value(sample.next_view.state[i], joint)
        expected = sample.reward[i] + 0.5 * later * (np.arange(BATCH) % 2)
        np.testing.assert_allclose(lesson.target[i], expected, atol=1e-5)
    np.testing.assert_array_equal(lesson.action, sample.actions)
    assert (lesson.weight == 1.0).all()


def test_targets_of_discrete_teams_are_of_actions_as_they_are_played():
    """A critic has seen zeros and a one, and knows nothing of what lies between."""
    lesson, students, sample = lessons(Discrete)
    corners = [np.concatenate(pick) for pick in itertools.product(np.eye(WIDTH), repeat=TEAM)]
    for i in range(TEAM):
        critic, there = of(i, students.target.critic), sample.next_view.state[i]
        worth = jnp.stack([critic.value(there, jnp.tile(c, (BATCH, 1))) for c in corners])
        expected = sample.reward[i] + 0.5 * worth * (np.arange(BATCH) % 2)
        assert (np.abs(expected - lesson.target[i]).min(axis=0) < 1e-5).all()


@pytest.mark.parametrize("space", [Box, Discrete])
def test_a_policy_climbs_its_critic_in_its_own_action(space):
    students, sample = team(space)
    worth, _ = jax.jit(lift(SMALL.actor_objective))(students.models, sample, jnp.arange(TEAM), KEYS)
    for i in range(TEAM):
        model, seen = of(i, students.models), of(i, sample.view)
        raw = outputs(model.policy, seen)
        if space is Box:
            mine = jnp.tanh(raw)
        else:
            raw = jax.nn.log_softmax(raw)
            mine = model.policy.choices(model.policy.body.step(seen.observation, ())[0], seen)
            mine = mine.relaxed(KEYS[i])
        joint = sample.actions[i].at[:, WIDTH * i : WIDTH * (i + 1)].set(mine)
        expected = model.critic.value(seen.state, joint) - 1e-3 * np.mean(raw**2, axis=-1)
        np.testing.assert_allclose(worth[i], expected, atol=1e-6)


def test_noise_is_within_the_tanh_and_as_wide_as_wanted():
    spec = LearnerSpec(1, Box(1), state=1, sizes=(1,), agents=1)
    learner, _ = MADDPG(action_noise_std=0.2).init(InitKeys.of(jax.random.key(0)), spec)
    view = Observation(jnp.zeros((4000, 1)))
    action = SMALL.act(learner, (), view, jax.random.key(1))[0].action
    assert np.arctanh(action).std() == pytest.approx(0.2, rel=0.05)
