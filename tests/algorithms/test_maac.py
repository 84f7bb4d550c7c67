"""MAAC: one set of attention weights, and everything else an agent's own."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.catalogue import ALGORITHMS
from coterie.graph import family, uniform
from coterie.network import lift, networks
from tests.support import SMALL, taught, with_options

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
