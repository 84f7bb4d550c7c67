"""Networks: a stream at once is the same as step by step, with and without a memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.rl.bodies import Layers
from coterie.rl.distributions import Categorical, Gaussian
from coterie.rl.forward import NUMPY, dense
from coterie.rl.layers import ACTIVATIONS, Dense
from coterie.rl.models import CNN, GRU, MLP, Inputs
from coterie.rl.networks import ActionCritic, Critic, Policy
from coterie.types import Box, Discrete, LearnerSpec, Observation

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY)
T, G = 5, 3


def model(recurrent=False, activation="tanh"):
    return (GRU if recurrent else MLP)((6, 2), activation)


def body(recurrent, activation="tanh"):
    return model(recurrent, activation).build(KEY, Inputs(4))


def start(net):
    return jax.tree.map(lambda m: jnp.broadcast_to(m, (G, *m.shape)), net.start())


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_sequence_is_repeated_steps_with_fresh_memories_after_an_end(recurrent):
    net = body(recurrent)
    x = jax.random.normal(KEY, (T, G, 4))
    over = jnp.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]], bool)
    memory, features = start(net), []
    for t in range(T):
        feature, memory = net.step(x[t], memory)
        memory = jax.tree.map(lambda m, t=t: jnp.where(over[t][:, None], 0.0, m), memory)
        features.append(feature)
    at_once = jax.jit(type(net).sequence)(net, x, start(net), over)
    np.testing.assert_allclose(at_once, jnp.stack(features), atol=1e-6)
    for t in range(1, T + 1):  # the end before it, too: an episode may end with the last step
        memory = start(net)
        for seen, ends in zip(x[:t], over[:t, :, None], strict=True):
            memory = jax.tree.map(lambda m, e=ends: jnp.where(e, 0.0, m), net.step(seen, memory)[1])
        found = net.end(x[:t], start(net), over[:t])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, memory)
    # With a memory the ends matter; without one they do not.
    endless = net.sequence(x, start(net), jnp.zeros_like(over))
    assert bool(jnp.allclose(at_once, endless)) is not recurrent


def test_a_gated_unit_is_the_librarys():
    """Of a batch at once, in the layout that is fast."""
    body = GRU((4,), "tanh").build(jax.random.key(0), Inputs(5))
    x, memory = jax.random.normal(jax.random.key(1), (3, 2, 9))[..., :5], jnp.ones((3, 2, 4)) * 0.3
    features = jnp.tanh(body.inner.layers[0](x))
    expected = jax.vmap(jax.vmap(body.cell))(features, memory)
    np.testing.assert_allclose(body.step(x, memory)[0], expected, atol=1e-6)


@pytest.mark.parametrize("recurrent", [False, True])
def test_after_is_one_step_on_from_the_memory_of_the_step_before(recurrent):
    net = body(recurrent)
    x, following = jax.random.normal(KEY, (2, T, G, 4))
    over = jnp.zeros((T, G), bool)
    memory = start(net)
    features = net.sequence(x, memory, over)
    after = jax.jit(type(net).after)(net, features, following)
    for t in range(T):
        _, memory = net.step(x[t], memory)
        np.testing.assert_allclose(after[t], net.step(following[t], memory)[0], atol=1e-6)
    # What follows does not end, whatever `over` says of the step that leads there.
    ended = net.sequence(x, start(net), over.at[-1].set(True))
    np.testing.assert_allclose(net.after(ended, following), after, atol=1e-6)


def test_a_memory_may_start_anywhere():
    net = body(recurrent=True)
    x, over = jax.random.normal(KEY, (T, G, 4)), jnp.zeros((T, G), bool)
    whole = net.sequence(x, start(net), over)
    rest = net.sequence(x[2:], whole[1], over[2:])
    np.testing.assert_allclose(rest, whole[2:], atol=1e-6)


def test_layers_by_hand():
    layer = Dense(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([10.0, 20.0]))
    net = Layers((layer,), "relu")
    assert net.step(jnp.array([1.0, -1.0]), ())[0].tolist() == [8.0, 18.0]
    assert net.step(jnp.array([-9.0, 0.0]), ())[0].tolist() == [1.0, 2.0]
    assert (
        float(Critic(net, Dense(jnp.ones((2, 1)), jnp.ones(1))).value(jnp.array([3.0, 4.0]))) == 8
    )


def test_who_sees_nothing_gets_the_layers_biases():
    layer = Dense(jnp.zeros((0, 2)), jnp.array([10.0, 20.0]))
    assert dense(layer, jnp.zeros((T, G, 0)), NUMPY).tolist() == [[[10.0, 20.0]] * G] * T


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
    discrete = Policy.init(KEYS, model(), Inputs(4), Discrete(3))
    mask = jnp.array([[True, True, False]] * G)
    free = discrete.choices(jnp.ones((G, 2)), Observation(jnp.ones((G, 4))))
    able = discrete.choices(jnp.ones((G, 2)), Observation(jnp.ones((G, 4)), mask))
    assert isinstance(free, Categorical) and isinstance(able, Categorical)
    np.testing.assert_allclose(jnp.exp(free.log_probs), 1 / 3, atol=0.02)
    np.testing.assert_allclose(jnp.exp(able.log_probs[0]), [0.5, 0.5, 0.0], atol=0.02)

    continuous = Policy.init(KEYS, model(), Inputs(4), Box(3))
    choices = continuous.choices(jnp.ones((G, 2)), Observation(jnp.ones((G, 4)), mask))
    assert isinstance(choices, Gaussian)
    np.testing.assert_allclose(choices.mean, 0.0, atol=0.03)
    np.testing.assert_array_equal(choices.log_std, np.zeros((G, 3)))
    np.testing.assert_array_equal(choices.real, mask)


NUMBERED = LearnerSpec(1, Discrete(3), states=4)


@pytest.mark.parametrize("model", [MLP(()), MLP((5, 4)), GRU((5,))], ids=repr)
def test_a_number_stands_for_a_vector_of_zeros_and_a_one(model):
    """Step by step and as a stream, in values and in gradients."""
    numbers = jnp.array([[0.0, 3.0, 2.0], [1.0, 1.0, 0.0]])[..., None]
    vectors = jnp.eye(4)[numbers[..., 0].astype(int)]
    seen = Inputs.of(NUMBERED)
    assert seen.size == 4
    policies = [
        Policy.init(KEYS, model, s, Discrete(3), 1.0) for s in (seen, seen._replace(numbered=False))
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
    features, memory = jax.jit(Layers.step)(policy.body, view.observation, policy.body.start())
    assert memory == ()
    expected = jax.nn.log_softmax(table)[np.array([1, 0])]
    choices = policy.choices(features, view)
    assert isinstance(choices, Categorical)
    np.testing.assert_allclose(choices.log_probs, expected, atol=1e-6)
    two = dataclasses.replace(NUMBERED, states=2)
    alike = Policy.init(KEYS, MLP(()), Inputs.of(two), Discrete(3))
    assert jax.tree.structure(alike) == jax.tree.structure(policy)
    assert alike.head.weight.shape == (2, 3)


def test_a_cnn_is_a_convolution_written_out():
    """Of one channel, with zeros beyond the edges; then dense layers of all places."""
    model = CNN(channels=(2,), kernel=3, hidden_sizes=(4,), activation="relu")
    net = model.build(KEY, Inputs(4 * 5 * 3, (4, 5, 3)))
    image = jax.random.normal(KEY, (4, 5, 3))
    wide, weight = np.pad(image, ((1, 1), (1, 1), (0, 0))), np.asarray(net.convolutions[0].weight)
    by_hand = np.array(
        [
            [np.einsum("hwi,hwio->o", wide[r : r + 3, c : c + 3], weight) for c in range(5)]
            for r in range(4)
        ]
    )
    expected = jax.nn.relu(net.layers[0](jax.nn.relu(by_hand).reshape(-1)))
    features, _ = net.step(image.reshape(-1), ())
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    many, _ = net.step(jnp.broadcast_to(image.reshape(-1), (2, 3, 60)), ())
    np.testing.assert_allclose(many[1, 2], features, rtol=1e-4, atol=1e-5)


def test_a_cnn_wants_images():
    with pytest.raises(
        ConfigError, match=r"looks at images .* not at observations of the shape \(7,\)"
    ):
        CNN().build(KEY, Inputs(7, (7,)))


def test_normalized_layers_have_mean_zero_and_deviation_one_before_the_activation():
    net = MLP((6,), "leaky_relu", layer_norm=True).build(KEY, Inputs(4))
    x = 9.0 * jax.random.normal(KEY, (G, 4)) + 5.0
    normed = net.norms[0](net.layers[0](x))
    np.testing.assert_allclose(normed.mean(axis=-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(normed.std(axis=-1), 1.0, atol=1e-3)
    np.testing.assert_allclose(net.step(x, ())[0], jax.nn.leaky_relu(normed), atol=1e-6)


@pytest.mark.parametrize("model", [MLP((6, 5)), CNN((2,), hidden_sizes=(6,))], ids=repr)
def test_a_critic_of_actions_sees_both(model):
    critic = ActionCritic.init(KEYS, model, Inputs(18, (3, 3, 2)), 2)
    x, action = jax.random.normal(KEY, (G, 18)), jax.random.normal(KEYS[0], (G, 2))
    slopes = jax.grad(lambda x, a: jnp.sum(critic.value(x, a)), (0, 1))(x, action)
    assert all(np.abs(slope).max() > 1e-3 for slope in slopes)
    assert critic.value(x, action).shape == (G,)
