"""Probabilities, entropies and divergences against scipy and numerical integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from coterie.rl.distributions import Categorical, Gaussian, MultiCategorical, TanhNormal

P, Q = np.array([0.5, 0.25, 0.25]), np.array([0.2, 0.2, 0.6])
wraps = pytest.mark.parametrize("wrap", [jax.jit, lambda function: function], ids=["jit", "plain"])


def categorical(probabilities, mask=None):
    return Categorical.of(jnp.log(jnp.asarray(probabilities)) + 3.0, mask)


@wraps
def test_categorical(wrap):
    p, q = categorical(P), categorical(Q)
    actions = jnp.arange(3)
    each = Categorical(jnp.broadcast_to(p.log_probs, (3, 3)))
    np.testing.assert_allclose(wrap(Categorical.log_prob)(each, actions), np.log(P), rtol=1e-6)
    np.testing.assert_allclose(wrap(Categorical.entropy)(p), stats.entropy(P), rtol=1e-6)
    np.testing.assert_allclose(wrap(Categorical.kl)(p, q), special.rel_entr(P, Q).sum(), rtol=1e-5)
    assert int(wrap(Categorical.mode)(q)) == 2


@wraps
def test_a_masked_action_has_no_probability_no_entropy_and_no_gradient(wrap):
    mask = jnp.array([True, False, True])
    p, q = categorical(P, mask), categorical(Q, mask)
    left, right = np.array([2 / 3, 1 / 3]), np.array([0.25, 0.75])
    np.testing.assert_allclose(jnp.exp(p.log_probs), [2 / 3, 0, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(wrap(Categorical.entropy)(p), stats.entropy(left), rtol=1e-6)
    np.testing.assert_allclose(wrap(Categorical.kl)(p, q), stats.entropy(left, right), rtol=1e-5)

    def everything(logits):
        d = Categorical.of(logits, mask)
        return d.entropy() + d.log_prob(jnp.int32(0)) + d.kl(q) + q.kl(d)

    slope = wrap(jax.grad(everything))(jnp.array([1.0, 2.0, 3.0]))
    assert np.isfinite(slope).all()
    assert slope[1] == 0.0
    assert (slope[::2] != 0.0).all()
    drawn = categorical(np.tile(P, (500, 1)), jnp.tile(mask, (500, 1))).sample(jax.random.key(0))
    assert set(drawn.tolist()) == {0, 2}


@wraps
def test_several_choices_are_a_categorical_of_all_their_combinations(wrap):
    """Of 2 and 3 actions; the second choice's last one is impossible."""
    mask = jnp.array([True, True, True, True, True, False])
    one, other = jax.random.normal(jax.random.key(0), (2, 6))
    p, q = (MultiCategorical.of(logits, (2, 3), mask) for logits in (one, other))
    actions = jnp.array([(a, b) for a in range(2) for b in range(2)])
    found = [np.exp([wrap(MultiCategorical.log_prob)(d, a) for a in actions]) for d in (p, q)]
    for probabilities, logits in zip(found, (one, other), strict=True):
        parts = special.softmax(logits[:2]), special.softmax(logits[3:5])
        np.testing.assert_allclose(probabilities, np.outer(*parts).ravel(), rtol=1e-5)
    entropy, divergence = wrap(MultiCategorical.entropy)(p), wrap(MultiCategorical.kl)(p, q)
    np.testing.assert_allclose(entropy, stats.entropy(found[0]), rtol=1e-5)
    np.testing.assert_allclose(divergence, stats.entropy(*found), rtol=1e-5)
    best = np.argmax(found[0])
    np.testing.assert_array_equal(wrap(MultiCategorical.mode)(p), actions[best])
    drawn = jax.vmap(p.sample)(jax.random.split(jax.random.key(1), 4000))
    frequent = np.bincount(np.asarray(drawn @ jnp.array([2, 1])), minlength=4) / 4000
    np.testing.assert_allclose(frequent, found[0], atol=0.03)


def test_samples_are_as_frequent_as_they_are_likely():
    many = Categorical(jnp.broadcast_to(jnp.log(P), (20_000, 3))).sample(jax.random.key(0))
    assert stats.chisquare(np.bincount(many), 20_000 * P).pvalue > 0.001
    normal = Gaussian(jnp.full((20_000, 1), 0.5), jnp.full((20_000, 1), np.log(2.0)))
    drawn = np.asarray(normal.sample(jax.random.key(1))[:, 0])
    assert stats.kstest(drawn, "norm", (0.5, 2.0)).pvalue > 0.001


MEAN, STD = np.array([0.3, -1.0]), np.array([0.5, 2.0])
OTHER_MEAN, OTHER_STD = np.array([0.0, 0.5]), np.array([1.0, 1.5])


def gaussian(mean, std, real=None):
    return Gaussian(jnp.array(mean), jnp.log(jnp.array(std)), real)


def divergence(k):
    """KL of one of the two numbers, integrated."""
    p, q = stats.norm(MEAN[k], STD[k]), stats.norm(OTHER_MEAN[k], OTHER_STD[k])
    low, high = MEAN[k] - 9 * STD[k], MEAN[k] + 9 * STD[k]
    return integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), low, high)[0]


@wraps
@pytest.mark.parametrize("real", [[0, 1], [0], [1], []])
def test_gaussian_over_the_numbers_that_are_real(real, wrap):
    mask = jnp.array([0 in real, 1 in real])
    p, q = gaussian(MEAN, STD, mask), gaussian(OTHER_MEAN, OTHER_STD, mask)
    action = np.array([0.7, 0.2])
    expected = {
        "log_prob": stats.norm(MEAN, STD).logpdf(action)[real].sum(),
        "entropy": stats.norm(MEAN, STD).entropy()[real].sum(),
        "kl": sum(divergence(k) for k in real),
    }
    found = {
        "log_prob": wrap(Gaussian.log_prob)(p, jnp.array(action)),
        "entropy": wrap(Gaussian.entropy)(p),
        "kl": wrap(Gaussian.kl)(p, q),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)
    assert float(p.kl(p)) == 0.0
    np.testing.assert_array_equal(p.mode(), p.mean)


def test_what_is_cut_to_an_end_is_as_likely_as_all_beyond_it():
    drawn, std = Gaussian(jnp.array([0.4, 0.0]), jnp.log(jnp.array([0.8, 1.0]))), 0.8
    drawn = drawn._replace(real=jnp.array([True, False]))

    def likely(x):
        return float(np.exp(drawn.log_prob_cut(jnp.array([x, 5.0]))))

    inside = integrate.quad(likely, -1.0, 1.0, epsabs=1e-6)[0]
    assert likely(-1.0) == pytest.approx(stats.norm.cdf(-1.4 / std), rel=1e-5)
    assert likely(1.0) == pytest.approx(stats.norm.sf(0.6 / std), rel=1e-5)
    assert likely(-1.0) + inside + likely(1.0) == pytest.approx(1.0, abs=1e-5)


def test_all_numbers_are_real_unless_it_is_said():
    every = gaussian(MEAN, STD), gaussian(MEAN, STD, jnp.array([True, True]))
    assert float(every[0].entropy()) == float(every[1].entropy())


@wraps
def test_squashed(wrap):
    """Its density integrates to 1; entropy and divergence are those of the density."""
    p = TanhNormal(Gaussian(jnp.array([0.3]), jnp.log(jnp.array([0.5]))))
    q = TanhNormal(Gaussian(jnp.array([-0.2]), jnp.log(jnp.array([0.8]))))
    actions = np.tanh(np.linspace(-4.0, 4.0, 4001))
    log_p, log_q = (wrap(TanhNormal.log_prob)(many(d), jnp.array(actions[:, None])) for d in (p, q))
    density = np.exp(np.asarray(log_p, np.float64))
    assert integrate.trapezoid(density, actions) == pytest.approx(1.0, abs=1e-3)
    entropy = -integrate.trapezoid(density * log_p, actions)
    assert float(wrap(TanhNormal.entropy)(p)) == pytest.approx(entropy, abs=1e-3)
    divergence = integrate.trapezoid(density * (log_p - log_q), actions)
    assert float(wrap(TanhNormal.kl)(p, q)) == pytest.approx(divergence, abs=1e-3)
    assert float(p.mode()[0]) == pytest.approx(np.tanh(0.3))


def many(d):
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (4001, 1)), d)


def test_numbers_that_are_not_real_are_zero_and_change_no_other():
    mean, log_std = jnp.ones((6, 3)), jnp.zeros((6, 3))
    real = jnp.broadcast_to(jnp.array([True, True, False]), (6, 3))
    padded = TanhNormal(Gaussian(mean, log_std, real)).sample(jax.random.key(0))
    plain = TanhNormal(Gaussian(mean[:, :2], log_std[:, :2])).sample(jax.random.key(0))
    np.testing.assert_array_equal(padded[:, :2], plain)
    np.testing.assert_array_equal(padded[:, 2], 0.0)


def test_relaxed_draws_are_as_frequent_as_they_are_likely():
    p = Categorical(jnp.broadcast_to(jnp.log(P), (20_000, 3)))
    drawn = p.relaxed(jax.random.key(0))
    np.testing.assert_allclose(drawn.sum(axis=-1), 1.0, rtol=1e-5)
    assert stats.chisquare(np.bincount(drawn.argmax(axis=-1)), 20_000 * P).pvalue > 0.001


DRAWN = {
    "one of three": (categorical(P, jnp.array([True, False, True])), np.eye(3)[[0, 2]]),
    "numbers": (Gaussian(jnp.array([0.5, -0.25]), jnp.zeros(2)), [[0.5, -0.25]]),
    "squashed": (TanhNormal(Gaussian(jnp.array([0.5]), jnp.zeros(1))), [[np.tanh(0.5)]]),
}


@pytest.mark.parametrize("case", DRAWN)
def test_what_critics_are_told_of_an_action(case):
    """A possible action as it is played, and the same softened, so that a gradient passes."""
    choices, known = DRAWN[case]
    for key in jax.random.split(jax.random.key(0), 20):
        told, soft = choices.drawn(key), choices.relaxed(key)
        assert any(np.allclose(told, one) for one in known)
        assert np.argmax(told) == np.argmax(soft)
    np.testing.assert_allclose(choices.encode(choices.mode()), known[0], rtol=1e-6)


def test_the_size_of_outputs_is_of_what_is_possible():
    choices = categorical([0.5, 0.3, 0.5], jnp.array([True, False, True]))
    np.testing.assert_allclose(choices.output_l2(), np.log(0.5) ** 2, rtol=1e-6)
    inner = Gaussian(jnp.array([3.0, 1.0]), jnp.zeros(2))
    assert inner.output_l2() == TanhNormal(inner).output_l2() == 5.0
    padded = Gaussian(jnp.array([3.0, 1.0, 0.0]), jnp.zeros(3), jnp.array([True, True, False]))
    assert padded.output_l2() == 5.0


def test_divergences_of_neighbors_are_not_lost_in_rounding():
    """After a first step policies differ by a thousandth, and their divergence is of its square."""
    logits = np.random.default_rng(0).normal(size=(64, 2, 5))
    near = logits[:, 0] + 1e-3 * logits[:, 1]
    p, q = (np.exp(x - np.logaddexp.reduce(x, -1, keepdims=True)) for x in (logits[:, 0], near))
    exact = np.sum(p * np.log(p / q), axis=-1)
    assert exact.max() < 2e-6
    found = Categorical.of(jnp.float32(logits[:, 0])).kl(Categorical.of(jnp.float32(near)))
    np.testing.assert_allclose(found, exact, 2e-3)
    scale, other = 0.1 * logits[:, 0], 0.1 * near
    change = scale - other
    exact = np.sum(0.5 * (np.expm1(2 * change) + (change * np.exp(-other)) ** 2) - change, axis=-1)
    found = [Gaussian(jnp.float32(x), jnp.float32(x)) for x in (scale, other)]
    np.testing.assert_allclose(found[0].kl(found[1]), exact, 2e-3)


def test_what_was_all_but_impossible_leaves_a_divergence_finite():
    p, q = Categorical.of(jnp.array([200.0, 0.0])), Categorical.of(jnp.array([0.0, 3.0]))
    assert float(p.kl(q)) == pytest.approx(np.logaddexp(0.0, 3.0), rel=1e-6)
    assert np.all(np.isfinite(jax.grad(lambda x: p.kl(Categorical.of(x)))(jnp.array([0.0, 3.0]))))
