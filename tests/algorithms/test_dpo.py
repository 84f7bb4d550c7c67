"""DPO's surrogate, its optimum near the old policy and its penalties, worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import DPO
from coterie.algorithms.ppo.base import DrawnAction, Sample
from coterie.algorithms.ppo.dpo import Penalties, smooth_root
from coterie.catalogue import ALGORITHMS
from coterie.rl.distributions import Categorical, Gaussian
from coterie.types import Observation

TEAM = 4
random = np.random.default_rng(0)
OLD, NEW = random.normal(size=(2, 3, 4, 5)).astype(np.float32)  # logits of 5 actions, T = 3, G = 4
ACTION = random.integers(0, 5, size=(3, 4))
ADVANTAGE = random.normal(size=(3, 4)).astype(np.float32)


def penalties(root, linear):
    return Penalties(jnp.float32(root), jnp.float32(linear))


def surrogate(algorithm, logits, present=None):
    """The algorithm's surrogate of the policy with these logits, at its initial penalties."""
    return algorithm.objective(
        Categorical.of(logits),
        DrawnAction(jnp.array(ACTION), Categorical.of(jnp.array(OLD))),
        jnp.array(ADVANTAGE),
        present,
        algorithm.start_coefficients(),
        TEAM,
    )


def by_hand(logits):
    """`(mean ratio * advantage, mean entropy, KL of every state)` in numpy."""
    p, q = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (OLD.astype(float), logits))
    taken = np.take_along_axis(q / p, ACTION[..., None], -1)[..., 0]
    entropy = -(q * np.log(q)).sum(-1)
    return (taken * ADVANTAGE).mean(), entropy.mean(), (p * np.log(p / q)).sum(-1)


FORMS = {
    "paper": (DPO(), lambda g, h, d: (g + 0.01 * h) / 4 - 0.01 * d.mean() ** 0.5 - 0.01 * d.mean()),
    "per state": (
        DPO(sqrt_kl_per_state=True, entropy_coef=0.0, sqrt_kl_coef=2.0, kl_coef=3.0),
        lambda g, h, d: g / 4 - 2 * (d**0.5).mean() - 3 * d.mean(),
    ),
    "ippo-kl": (ALGORITHMS["ippo-kl"], lambda g, h, d: (g + 0.01 * h) / 4 - 0.01 * d.mean()),
    "dpo-no-kl": (
        ALGORITHMS["dpo-no-kl"],
        lambda g, h, d: (g + 0.01 * h) / 4 - 0.01 * d.mean() ** 0.5,
    ),
    # The authors' loss: -ratio A + beta_1 mean_s sqrt(KL + 1e-12) + beta_2 mean_s KL, no 1/N.
    "dpo-code": (
        ALGORITHMS["dpo-code"],
        lambda g, h, d: g + 0.01 * h - np.sqrt(d + 1e-12).mean() - d.mean(),
    ),
}


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_the_surrogate_is_what_is_written(form, jit):
    algorithm, formula = FORMS[form]
    wrap = jax.jit if jit else lambda function: function
    found = wrap(lambda logits: surrogate(algorithm, logits))(jnp.array(NEW))
    # The smoothed root lies below the root by 1e-4 at most.
    slack = 1e-4 * algorithm.sqrt_kl_coef + 1e-6
    assert float(found) == pytest.approx(formula(*by_hand(NEW)), abs=slack, rel=1e-5)


def test_only_samples_of_a_present_agent_count():
    present = jnp.arange(12).reshape(3, 4) % 3 > 0
    wrong = jnp.where(present[..., None], NEW, 50.0 * NEW)
    for algorithm in (DPO(), ALGORITHMS["dpo-code"]):
        kept = surrogate(algorithm, jnp.array(NEW), present)
        assert kept == surrogate(algorithm, wrong, present)
        assert kept != surrogate(algorithm, wrong)


@pytest.mark.parametrize("name", ["dpo", "dpo-code", "ippo-kl"])
def test_at_the_old_policy_the_gradient_is_the_policy_gradient(name):
    """Where every update starts: finite, and no penalty has a slope (E.2-2)."""
    algorithm = ALGORITHMS[name]
    share = 1 / TEAM if algorithm.scale_by_num_agents else 1.0
    slope = jax.jit(jax.grad(lambda x: surrogate(algorithm, x)))(jnp.array(OLD))

    def plain(logits):
        policy = Categorical.of(logits)
        return jnp.mean(policy.log_prob(jnp.array(ACTION)) * ADVANTAGE + 0.01 * policy.entropy())

    assert np.isfinite(slope).all()
    # A divergence of 0 is rounded to about 1e-8, on which the smoothed root has a small slope.
    expected = share * jax.jit(jax.grad(plain))(jnp.array(OLD))
    np.testing.assert_allclose(slope, expected, atol=1e-6 + 3e-5 * algorithm.sqrt_kl_coef)


def test_the_same_holds_for_a_gaussian_policy():
    mean, action = jnp.array(OLD[..., :2]), jnp.array(NEW[..., :2])

    def objective(mean, log_std):
        old = DrawnAction(action, Gaussian(jnp.array(OLD[..., :2]), jnp.zeros((3, 4, 2))))
        new = Gaussian(mean, log_std)
        algorithm = DPO(entropy_coef=0.0, sqrt_kl_coef=1.0, kl_coef=1.0)
        return algorithm.surrogate(new, old, jnp.array(ADVANTAGE), None, penalties(1, 1), TEAM)

    slope = jax.jit(jax.grad(objective))(mean, jnp.zeros((3, 4, 2)))
    score = (action - mean) * ADVANTAGE[..., None] / (12 * TEAM)
    np.testing.assert_allclose(slope, score, atol=1e-6)


@pytest.mark.parametrize(
    ("divergence", "root", "slope"),
    [
        (-1e-9, 0.0, 0.0),
        (-1e-30, 0.0, 0.0),
        (1e-8, 2**0.5 * 1e-4 - 1e-4, 0.5 / (2**0.5 * 1e-4)),
        (1e-4, 0.0099005, 49.9975),
        (1.0, 0.9999, 0.5),
    ],
)
def test_smooth_root(divergence, root, slope):
    for wrap in (jax.jit, lambda function: function):
        value, gradient = wrap(jax.value_and_grad(smooth_root))(jnp.float32(divergence))
        assert float(value) == pytest.approx(root, rel=1e-4, abs=1e-8)
        assert float(gradient) == pytest.approx(slope, rel=1e-4)


def test_the_slope_of_the_smooth_root_is_finite_at_zero():
    assert 0.0 <= float(jax.jit(jax.grad(smooth_root))(jnp.float32(0.0))) <= 0.5e4 + 1


@pytest.mark.parametrize("root_penalty", [0.0, 0.01, 0.03, 0.05, 0.08])
def test_the_optimum_near_the_old_policy_has_a_dead_zone(root_penalty):
    """E.2-3: `x = F^-1 g (1/beta_2) max(0, 1 - beta_1 / (sqrt(2) s))` with `s^2 = g' F^-1 g`.

    One state and three actions of probability 1/2, 1/4, 1/4, which four samples represent
    exactly. For a softmax `F^-1 g` is the centred advantage over N and `s` its deviation over N.
    """
    old = np.array([0.5, 0.25, 0.25])
    action, value = np.array([[0, 0, 1, 2]]), np.array([0.1, -0.3, 0.1])
    centered = (value - old @ value) / TEAM
    s = (old @ centered**2) ** 0.5
    linear = 1.0
    shrink = max(0.0, 1 - root_penalty / (2**0.5 * s))
    expected = centered / linear * shrink
    assert (shrink == 0.0) == (root_penalty > 0.0613)

    spread = jnp.broadcast_to(jnp.log(jnp.array(old)), (1, 4, 3))
    algorithm = DPO(entropy_coef=0.0)

    def objective(x):
        return algorithm.surrogate(
            Categorical.of(spread + x),
            DrawnAction(jnp.array(action), Categorical.of(spread)),
            jnp.array(value[action], jnp.float32),
            None,
            penalties(root_penalty, linear),
            TEAM,
        )

    def climb(x, _):
        return x + 0.01 * jax.jit(jax.grad(objective))(x), None

    x, _ = jax.jit(lambda x: jax.lax.scan(climb, x, None, length=5_000))(jnp.zeros(3))
    moved = np.asarray(x - old @ x)  # a constant on all logits is no change
    # Second order in the step; and the smoothing of the root lets 1 % through in the dead zone.
    np.testing.assert_allclose(
        moved, expected, atol=0.01 * abs(centered).max() + 0.05 * abs(expected).max()
    )


HALVED, KEPT, DOUBLED = 0.5, 1.0, 2.0
# What eq. 20 does to (beta_1, beta_2), with d_target = 0.01, delta = 1.5 and omega = 2, after an
# update that moved each state's policy by these divergences.
ADAPTATIONS = [
    ("joint", [0.0151], DOUBLED, DOUBLED),
    ("joint", [0.0149], KEPT, KEPT),
    ("joint", [0.0068], KEPT, KEPT),
    ("joint", [0.0066], HALVED, HALVED),
    ("joint", [0.03, 0.0], KEPT, KEPT),
    ("joint", [0.031, 0.0], DOUBLED, DOUBLED),
    # root of the target 0.1: doubled above 0.15, halved below 0.0667
    ("separate", [0.0230], DOUBLED, DOUBLED),
    ("separate", [0.0200], KEPT, DOUBLED),
    ("separate", [0.0100], KEPT, KEPT),
    ("separate", [0.0060], KEPT, HALVED),
    ("separate", [0.0040], HALVED, HALVED),
    # the mean of the roots is 0.141, the root of the mean would be 0.2
    ("separate", [0.08, 0.0], KEPT, DOUBLED),
]


def adapted(algorithm, divergences, before, present=None):
    """The penalties after an update that moved every state's Gaussian by its divergence."""
    zeros = jnp.zeros((1, len(divergences), 1))
    old = Gaussian(zeros, zeros)
    new = Gaussian(jnp.sqrt(2 * jnp.array(divergences))[None, :, None], zeros)
    blank = zeros[..., 0]
    sample = Sample(
        Observation(zeros, None, present), blank > 0, DrawnAction(zeros, old), blank, blank, blank
    )
    return algorithm.adapt(before, sample, lambda: new)


@pytest.mark.parametrize(("rule", "divergences", "root", "linear"), ADAPTATIONS)
def test_adaptation(rule, divergences, root, linear):
    after, metrics = adapted(DPO(adapt_coefs=rule), divergences, penalties(0.3, 0.7))
    assert (float(after.root), float(after.linear)) == pytest.approx((0.3 * root, 0.7 * linear))
    assert float(metrics["kl"]) == pytest.approx(np.mean(divergences), rel=1e-5)
    assert (metrics["sqrt_kl_coef"], metrics["kl_coef"]) == tuple(after)


@pytest.mark.parametrize("rule", ["joint", "separate"])
@pytest.mark.parametrize("divergence", [0.0, 1e-4, 0.01, 1.0])
def test_a_penalty_of_zero_stays_zero_and_the_others_stay_within_bounds(rule, divergence):
    algorithm = DPO(adapt_coefs=rule)
    assert adapted(algorithm, [divergence], penalties(0, 0))[0] == (0.0, 0.0)
    after, _ = adapted(algorithm, [divergence], penalties(1e6, 1e-6))
    assert after.root <= 1e6
    assert after.linear >= 1e-6 * (1 - 1e-6)


def test_adaptation_measures_only_where_the_agent_was_present():
    present = jnp.array([[True, False]])
    after, metrics = adapted(DPO(), [0.01, 5.0], penalties(1, 1), present)
    assert after == (1.0, 1.0)
    assert float(metrics["kl"]) == pytest.approx(0.01, rel=1e-5)
