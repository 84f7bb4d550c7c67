"""MAAC: one set of attention weights, and everything else an agent's own."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import F2A2SAC, CentralAttentionCritic, CentralAverage
from coterie.catalogue import ALGORITHMS
from coterie.errors import ConfigError
from coterie.graph import family, uniform
from coterie.network import lift, networks
from coterie.types import Discrete, LearnerSpec
from tests.support import SMALL, assert_same, taught, touched, with_options

MAAC = with_options(
    ALGORITHMS["maac"], **(SMALL | {"updates_per_rollout": 1, "learning_starts": 1})
)


def spread(tree):
    """How much the agents differ, in the array where they do most."""
    return max(float(np.std(x, axis=0).max()) for x in jax.tree.leaves(tree))


def test_there_is_one_set_of_attention_weights_and_it_learns():
    lesson, learn, team = taught(MAAC)
    after, _, _ = learn(team.agents, lesson.trajectory, team.network, lesson.keys)
    before, now = (jax.vmap(MAAC.information.lasting)(x)["attention"] for x in (team.agents, after))
    assert spread(before) == 0.0 and spread(now) < 1e-6
    middle = jax.tree.map(lambda x: np.mean(x, axis=0), before)
    moved = jax.tree.map(lambda x, y: np.abs(x[0] - y).max(), now, middle)
    assert max(jax.tree.leaves(moved)) > 1e-4  # it learned, too: Adam's steps are 1e-3
    assert spread(after.actor_critic.models.policy) > 0.01
    assert spread([c.inner for c in after.actor_critic.models.critic]) > 0.01


def test_it_steps_along_the_mean_of_all_gradients():
    """Everybody's gradient of what is shared is pooled; of what is its own, it is not."""
    models = taught(MAAC).lesson.agents.actor_critic.models
    random = np.random.default_rng(0)
    random = np.random.default_rng(0)
    gradient = jax.tree.map(lambda x: jnp.asarray(random.normal(size=x.shape)), models)
    network = networks(family("complete", 4, uniform), MAAC.information.sends)

    def pool(gradient, network):
        shared, mine = MAAC.parts(gradient)
        shared, network = MAAC.consensus.pooled(shared, network, MAAC.payload)
        return eqx.combine(shared, mine), network

    pooled, _ = jax.jit(lift(pool))(gradient, network)
    for got, own in zip(pooled.critic, gradient.critic, strict=True):
        for part in ("key", "query", "value"):
            one, each = getattr(got.attention, part), getattr(own.attention, part)
            np.testing.assert_allclose(
                one, np.broadcast_to(each.mean(axis=0), each.shape), atol=1e-5
            )
        np.testing.assert_array_equal(got.inner.weight, own.inner.weight)
    np.testing.assert_array_equal(pooled.policy.head.weight, gradient.policy.head.weight)


@pytest.mark.parametrize("name", ["maac", "coma"])
def test_at_a_center_there_are_no_options_that_mean_nothing(name):
    consensus = ALGORITHMS[name].consensus
    assert dataclasses.fields(consensus) == ()
    assert consensus.start({"weights": jnp.ones(3)}) == ()


def test_encoders_are_computed_once_and_learn_from_the_mean_of_all_critics():
    """Against one loss of the whole team, with everybody's steps encoded anew by everybody."""
    team, batch, seen, acted = 3, 5, 4, 2
    spec = LearnerSpec(seen, Discrete(acted), sizes=(acted,) * team, agents=team)
    kind = CentralAttentionCritic(num_heads=2, attention_dim=4)
    critics = jax.vmap(lambda key: kind.build(key, spec))(jax.random.split(jax.random.key(0), team))
    same = jax.tree.map(lambda x: jnp.broadcast_to(x[:1], x.shape), critics.attention)
    critics = eqx.tree_at(lambda c: c.attention, critics, same)
    random = np.random.default_rng(0)
    views = jnp.asarray(random.normal(size=(team, batch, seen)), jnp.float32)
    actions = jax.nn.one_hot(random.integers(acted, size=(batch, team)), acted)
    agents = jnp.arange(team)

    def losses(critics, told):
        each = jax.vmap(lambda c, v, i: c.values(v, told, i))(critics, views, agents)
        return jnp.sum(each**2)

    def told(critics):
        return jax.vmap(lambda c, v, a: c.told(v, a))(critics, views, jnp.moveaxis(actions, 1, 0))

    own, felt = jax.grad(losses, (0, 1))(critics, told(critics))
    pushed = jax.vjp(told, critics)[1](felt)[0]
    whole = jax.grad(lambda critics: losses(critics, told(critics)))(critics)
    assert_same(jax.tree.map(jnp.add, own, pushed), whole, 1e-5)

    # By finite differences in one weight of agent 1's encoder: all critics' losses, over N.
    def moved(step):
        other = eqx.tree_at(lambda c: c.encoder.weight, critics, weight.at[1, 0, 0].add(step))
        return losses(other, told(other))

    weight = critics.encoder.weight
    slope = (moved(1e-2) - moved(-1e-2)) / 2e-2
    assert float(whole.encoder.weight[1, 0, 0]) == pytest.approx(float(slope) / team, rel=2e-2)
    # Nobody attends to its own step.
    before = told(critics)
    first = jax.tree.map(lambda x: x[0], critics)
    values = first.values(views[0], before, jnp.int32(0))
    for place, changes in ((0, False), (1, True)):
        other = jax.tree.map(lambda x, at=place: x.at[at].add(1.0), before)
        after = first.values(views[0], other, jnp.int32(0))
        assert np.array_equal(values, after) is not changes


def test_every_encoder_learns_from_the_others_critics():
    """Its own does not read it."""
    lesson, learn, team = taught(MAAC)
    after, _, _ = learn(team.agents, lesson.trajectory, team.network, lesson.keys)
    before = team.agents.actor_critic.models.critic[0].encoder.weight
    assert touched(before, after.actor_critic.models.critic[0].encoder.weight) == {0, 1, 2, 3}


def test_what_one_encoder_tells_all_needs_a_centre():
    for options in ({}, {"consensus": CentralAverage()}):
        with pytest.raises(ConfigError, match="need a centre that is told everybody's actions"):
            F2A2SAC(critic=CentralAttentionCritic(), num_critics=1, **options)
    with pytest.raises(ConfigError, match="have no twins: use --num-critics 1"):
        dataclasses.replace(ALGORITHMS["maac"], num_critics=2)
