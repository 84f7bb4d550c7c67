"""Networks: a stream at once is the same as step by step, with and without a memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.rl.distributions import Categorical, Gaussian
from coterie.rl.models import ACTIVATIONS, Body, Critic, Dense, Policy, Shape
from coterie.types import AgentSpec, Box, Discrete, Observation

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY)
T, G = 5, 3


def shape(recurrent=False, activation="tanh"):
    return Shape(4, (6, 2), activation, recurrent)


def body(recurrent, activation="tanh"):
    return Body.init(KEY, shape(recurrent, activation))


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
    for t in range(1, T + 1):  # the end before it, too: an episode may end with the last step
        memory = start(model)
        for seen, ends in zip(x[:t], over[:t, :, None], strict=True):
            memory = jax.tree.map(
                lambda m, e=ends: jnp.where(e, 0.0, m), model.step(seen, memory)[1]
            )
        found = model.end(x[:t], start(model), over[:t])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, memory)
    # With a memory the ends matter; without one they do not.
    endless = model.sequence(x, start(model), jnp.zeros_like(over))
    assert bool(jnp.allclose(at_once, endless)) is not recurrent


def test_a_gated_unit_is_the_librarys():
    """Of a batch at once, in the layout that is fast."""
    body = Body.init(jax.random.key(0), Shape(5, (4,), "tanh", recurrent=True))
    x, memory = jax.random.normal(jax.random.key(1), (3, 2, 9))[..., :5], jnp.ones((3, 2, 4)) * 0.3
    features = jnp.tanh(body.layers[0](x))
    expected = jax.vmap(jax.vmap(body.cell))(features, memory)
    np.testing.assert_allclose(body.step(x, memory)[0], expected, atol=1e-6)


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
    discrete = Policy.init(KEYS, shape(), Discrete(3))
    mask = jnp.array([[True, True, False]] * G)
    free = discrete.choices(jnp.ones((G, 2)), Observation(jnp.ones((G, 4))))
    able = discrete.choices(jnp.ones((G, 2)), Observation(jnp.ones((G, 4)), mask))
    assert isinstance(free, Categorical) and isinstance(able, Categorical)
    np.testing.assert_allclose(jnp.exp(free.log_probs), 1 / 3, atol=0.02)
    np.testing.assert_allclose(jnp.exp(able.log_probs[0]), [0.5, 0.5, 0.0], atol=0.02)

    continuous = Policy.init(KEYS, shape(), Box(3))
    choices = continuous.choices(jnp.ones((G, 2)), Observation(jnp.ones((G, 4)), mask))
    assert isinstance(choices, Gaussian)
    np.testing.assert_allclose(choices.mean, 0.0, atol=0.03)
    np.testing.assert_array_equal(choices.log_std, np.zeros((G, 3)))
    np.testing.assert_array_equal(choices.real, mask)


NUMBERED = AgentSpec(1, Discrete(3), states=4)


@pytest.mark.parametrize(("hidden", "recurrent"), [((), False), ((5, 4), False), ((5,), True)])
def test_a_number_stands_for_a_vector_of_zeros_and_a_one(hidden, recurrent):
    """Step by step and as a stream, in values and in gradients."""
    numbers = jnp.array([[0.0, 3.0, 2.0], [1.0, 1.0, 0.0]])[..., None]
    vectors = jnp.eye(4)[numbers[..., 0].astype(int)]
    seen = Shape.of(NUMBERED, hidden, "relu", recurrent)
    assert seen.inputs == 4
    policies = [
        Policy.init(KEYS, s, Discrete(3), 1.0) for s in (seen, seen._replace(numbered=False))
    ]
    over = jnp.zeros((2, G), bool)

    def logits(policy, x):
        memory = start(policy.body)
        first, _ = policy.body.step(x[0], memory)
        features = policy.body.sequence(x, memory, over)
        after = policy.body.after(features, x[::-1])
        heads = [policy.head(f).reshape(-1, 3) for f in (first, features, after)]
        return jnp.concatenate(heads)

    def slope(policy, x):
        return jax.grad(lambda policy: jnp.sum(logits(policy, x) ** 2))(policy)

    for answer in (logits, slope):
        pairs = zip(policies, (numbers, vectors), strict=True)
        one, other = (jax.tree.leaves(answer(*pair)) for pair in pairs)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_without_hidden_layers_the_head_is_the_table():
    table = jnp.array([[0.0, 1.0, 2.0], [5.0, 4.0, 3.0]])
    policy = Policy.tabular(table)
    view = Observation(jnp.array([[1.0], [0.0]]))
    features, memory = jax.jit(Body.step)(policy.body, view.observation, policy.body.start())
    assert memory == ()
    expected = jax.nn.log_softmax(table)[np.array([1, 0])]
    choices = policy.choices(features, view)
    assert isinstance(choices, Categorical)
    np.testing.assert_allclose(choices.log_probs, expected, atol=1e-6)
    alike = Policy.init(KEYS, Shape.of(NUMBERED, (), "tanh", False), Discrete(3))
    assert jax.tree.structure(alike) == jax.tree.structure(policy)
    assert alike.head.weight.shape == (4, 3)
