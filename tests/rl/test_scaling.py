"""Scales of inputs: their moments, what they do to inputs, and what may move them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import ActionCritic, Policy
from coterie.rl.scaling import InputScale, Moments, learned, of_learned, scales, with_moments
from coterie.types import Discrete, Observation

INPUTS = Inputs(2, scale=InputScale.fresh(2, "observation"))


@pytest.mark.parametrize("far", [0.0, 1e4], ids=["near", "far"])
def test_moments_of_parts_are_those_of_the_whole_and_forget_who_was_gone(far):
    random = np.random.default_rng(0)
    samples = (far + random.normal(size=(3, 5, 7, 2))).astype(np.float32)
    there = random.random((3, 5, 7)) < 0.6
    moments = Moments.none(2)
    for part, counts in zip(samples, there, strict=True):
        moments = moments.joined(jnp.asarray(part), jnp.asarray(counts))
    kept = samples[there].astype(np.float64)
    assert float(moments.count) == there.sum()
    np.testing.assert_allclose(moments.mean, kept.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moments.variance, kept.var(axis=0), rtol=2e-3)


def test_nobody_there_changes_nothing():
    moments = Moments.none(2).joined(jnp.array([[1.0, 2.0], [3.0, 2.0]]))
    after = moments.joined(jnp.full((4, 2), 9.0), jnp.zeros(4, bool))
    for old, new in zip(moments, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_constant_or_was_never_seen_keeps_its_unit():
    never = Moments.none(2)
    constant = never.joined(jnp.full((50, 2), 0.1))
    for moments in (never, constant):
        assert moments.deviation.tolist() == [1.0, 1.0]
    scale = with_moments(INPUTS.scale, {"observation": constant})
    np.testing.assert_allclose(scale(jnp.full(2, 0.1)), 0.0, atol=1e-6)


def test_inputs_are_in_deviations_and_cut_and_actions_behind_them_stay():
    moments = Moments.none(2).joined(jnp.array([[0.0, 10.0], [2.0, 30.0]]))
    scale = with_moments(INPUTS.scale, {"observation": moments})
    told = scale(jnp.array([3.0, 1e9, 0.25, 7e3]))
    assert told.tolist() == [2.0, 10.0, 0.25, 7e3]


def test_padded_inputs_of_a_stacked_team_stay_zero():
    padded = InputScale(jnp.zeros(3), jnp.array([2.0, 1.0, 0.0]), "observation")
    assert padded(jnp.array([1.0, 1.0, 0.0])).tolist() == [2.0, 1.0, 0.0]


def test_neither_gradients_nor_optimizers_know_of_scales():
    critic = ActionCritic.init(jax.random.split(jax.random.key(0)), MLP((4,)), INPUTS, 1)

    def loss(critic):
        return critic.value(jnp.ones((3, 2)), jnp.ones((3, 1))).sum()

    gradient = jax.grad(loss)(critic)
    np.testing.assert_array_equal(gradient.scale.factor, 0.0)
    assert np.abs(gradient.seen.weight).max() > 0.0
    rule = of_learned(optax.adam(1.0))
    change, state = rule.update(gradient, rule.init(critic))
    assert change.scale.shift is None and change.seen.weight is not None
    counted = jax.tree.leaves(optax.tree.get(state, "mu"))
    assert len(counted) == len(jax.tree.leaves(learned(critic)))
    assert len(jax.tree.leaves(scales(critic))) == 2


def test_only_networks_take_the_moments_and_each_its_own_kind():
    policy = Policy.init(jax.random.split(jax.random.key(0)), MLP((4,)), INPUTS, Discrete(2))
    state = Inputs(3, scale=InputScale.fresh(2, "state"))
    critic = ActionCritic.init(jax.random.split(jax.random.key(1)), MLP((4,)), state, 1)
    seen = {
        "observation": Moments.none(2).joined(jnp.array([[0.0, 0.0], [4.0, 4.0]])),
        "state": Moments.none(2).joined(jnp.array([[0.0, 0.0], [8.0, 8.0]])),
    }
    models = with_moments({"networks": (policy, critic), "moments": learned(critic)}, seen)
    assert models["networks"][0].body.scale.factor.tolist() == [0.5, 0.5]
    assert models["networks"][1].scale.factor.tolist() == [0.25, 0.25]
    assert models["moments"].scale.factor is None
    other = Observation(jnp.array([[6.0, 2.0]]))
    plain = policy.distribution(Observation(jnp.array([[2.0, 0.0]]))).log_prob(jnp.array([1]))
    moved = models["networks"][0].distribution(other).log_prob(jnp.array([1]))
    np.testing.assert_allclose(plain, moved, rtol=1e-6)
