"""Networks: a stream at once is the same as step by step, with and without a memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.rl.distributions import Categorical, Gaussian
from coterie.rl.models import ACTIVATIONS, Body, Critic, Dense, Policy
from coterie.types import Box, Discrete, View

KEY = jax.random.key(0)
T, G = 5, 3


def body(recurrent, activation="tanh"):
    return Body.init(KEY, 4, (6, 2), activation, recurrent)


def start(model):
    return jax.tree.map(lambda m: jnp.broadcast_to(m, (G, *m.shape)), model.start())


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_sequence_is_repeated_steps_with_fresh_memories_after_an_end(recurrent):
    model = body(recurrent)
    x = jax.random.normal(KEY, (T, G, 4))
    over = jnp.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]], bool)
    memory, features = start(model), []
    for t in range(T):
        feature, memory = model.step(x[t], memory)
        memory = jax.tree.map(lambda m, t=t: jnp.where(over[t][:, None], 0.0, m), memory)
        features.append(feature)
    at_once = jax.jit(Body.sequence)(model, x, start(model), over)
    np.testing.assert_allclose(at_once, jnp.stack(features), atol=1e-6)
    # With a memory the ends matter; without one they do not.
    endless = model.sequence(x, start(model), jnp.zeros_like(over))
    assert bool(jnp.allclose(at_once, endless)) is not recurrent


@pytest.mark.parametrize("recurrent", [False, True])
def test_after_is_one_step_on_from_the_memory_of_the_step_before(recurrent):
    model = body(recurrent)
    x, following = jax.random.normal(KEY, (2, T, G, 4))
    over = jnp.zeros((T, G), bool)
    memory = start(model)
    features = model.sequence(x, memory, over)
    after = jax.jit(Body.after)(model, features, following)
    for t in range(T):
        _, memory = model.step(x[t], memory)
        np.testing.assert_allclose(after[t], model.step(following[t], memory)[0], atol=1e-6)
    # What follows does not end, whatever `over` says of the step that leads there.
    ended = model.sequence(x, start(model), over.at[-1].set(True))
    np.testing.assert_allclose(model.after(ended, following), after, atol=1e-6)


def test_a_memory_may_start_anywhere():
    model = body(recurrent=True)
    x, over = jax.random.normal(KEY, (T, G, 4)), jnp.zeros((T, G), bool)
    whole = model.sequence(x, start(model), over)
    rest = model.sequence(x[2:], whole[1], over[2:])
    np.testing.assert_allclose(rest, whole[2:], atol=1e-6)


def test_layers_by_hand():
    layer = Dense(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([10.0, 20.0]))
    model = Body((layer,), None, "relu")
    assert model.step(jnp.array([1.0, -1.0]), ())[0].tolist() == [8.0, 18.0]
    assert model.step(jnp.array([-9.0, 0.0]), ())[0].tolist() == [1.0, 2.0]
    assert (
        float(Critic(model, Dense(jnp.ones((2, 1)), jnp.ones(1))).value(jnp.array([3.0, 4.0]))) == 8
    )


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (5, 3)])
def test_fresh_layers_are_orthogonal(inputs, outputs):
    weight = np.asarray(Dense.init(KEY, inputs, outputs, 2.0).weight)
    square = weight @ weight.T if inputs < outputs else weight.T @ weight
    np.testing.assert_allclose(square, 4.0 * np.eye(3), atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_gives_a_network(activation):
    features, memory = body(False, activation).step(jnp.ones((G, 4)), ())
    assert features.shape == (G, 2)
    assert memory == ()


def test_a_policy_starts_close_to_uniform_and_obeys_the_mask():
    discrete = Policy.init(KEY, body(False), 2, Discrete(3))
    mask = jnp.array([[True, True, False]] * G)
    free = discrete.choices(jnp.ones((G, 2)), View(jnp.ones((G, 4))))
    able = discrete.choices(jnp.ones((G, 2)), View(jnp.ones((G, 4)), mask))
    assert isinstance(free, Categorical)
    np.testing.assert_allclose(jnp.exp(free.log_probs), 1 / 3, atol=0.02)
    np.testing.assert_allclose(jnp.exp(able.log_probs[0]), [0.5, 0.5, 0.0], atol=0.02)

    continuous = Policy.init(KEY, body(False), 2, Box(3))
    choices = continuous.choices(jnp.ones((G, 2)), View(jnp.ones((G, 4)), mask))
    assert isinstance(choices, Gaussian)
    np.testing.assert_allclose(choices.mean, 0.0, atol=0.03)
    np.testing.assert_array_equal(choices.log_std, np.zeros((G, 3)))
    np.testing.assert_array_equal(choices.real, mask)
