"""Propositions 3 to 6 of F2A2: the printed gradients, the stated objectives, and what is coded.

Everything is summed exactly over a small problem: `S` situations with what the others do in them,
`A` own actions, a policy by logits `[S, A]`, one of the past, and critics in tables `[K, S, A]`.
Letters are the paper's, and costs are its costs; what is coded is in rewards.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms.f2a2.joint_objective import AlternatingObjective, JointObjective, truncated

S, A = 3, 4
A1, A2, TEMPERATURE = 0.7, 1.6, 0.3
RANDOM = np.random.default_rng(1)
LOGITS, PAST = (jnp.asarray(x) for x in RANDOM.normal(size=(2, S, A)).astype(np.float32))
COSTS = jnp.asarray(RANDOM.normal(size=(2, S, A)), jnp.float32)  # Q of both critics
TARGET = jnp.asarray(RANDOM.normal(size=(S, A)), jnp.float32)
SITUATIONS = jnp.asarray([0.2, 0.5, 0.3])[:, None]
NOW, THEN = jax.nn.softmax(LOGITS), jax.nn.softmax(PAST)
EPSILON = pytest.mark.parametrize("most", [1.0, 1e6], ids=["truncated", "exact"])
held = jax.lax.stop_gradient


def cim(over, under, most):
    """The truncated importance ratio of the paper's appendix."""
    return jnp.minimum(most, over / under)


def mean(weights, values):
    """E over situations, and over actions with these chances."""
    return jnp.sum(SITUATIONS * weights * values)


def score(coefficient, weights):
    """E of a coefficient times `grad log pi`, by the logits."""
    return jax.grad(lambda x: mean(weights, coefficient * jax.nn.log_softmax(x)))(LOGITS)


def coded(term, weights):
    """The gradient of a coded term by logits and costs, all samples weighed by these chances."""

    def total(logits, costs):
        log_prob = jax.nn.log_softmax(logits)
        flat = [x.reshape(-1) for x in (log_prob, log_prob - jnp.log(THEN))]
        terms = term(-costs.reshape(2, -1), -TARGET.reshape(-1), *flat)
        return jnp.sum((SITUATIONS * weights).reshape(-1) * terms)

    return jax.grad(total, (0, 1))(LOGITS, COSTS)


def same(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def rule(most=1.0):
    return JointObjective(A1 / A2, A2 / A1, most, math.inf)


def baseline(logits, costs):
    chances = jax.nn.softmax(logits)
    return jnp.sum(chances * costs[0], axis=-1, keepdims=True)


def coma(logits, costs, fixed):
    """J_ac of Proposition 3; its baseline held fixed or not."""
    delta, base = costs[0] - TARGET, baseline(logits, costs)
    base = held(base) if fixed else base
    return mean(jax.nn.softmax(logits), A1 * (costs[0] - base) + A2 * delta**2)


def test_proposition_3_is_the_gradient_of_its_objective():
    delta, advantage = COSTS[0] - TARGET, COSTS[0] - baseline(LOGITS, COSTS)
    actor = score(A1 * (advantage + A2 / A1 * delta**2), NOW)
    critic = SITUATIONS * NOW * (A1 + 2 * A2 * delta)
    stated = jax.grad(coma, (0, 1))(LOGITS, COSTS, True)
    same(stated[0], actor)
    same(stated[1][0], critic)

    def policy(values, target, log_prob, _):
        gain = -advantage.reshape(-1)
        return rule().score_term(log_prob, gain, values[:1], target, jnp.zeros(S * A))

    def judge(values, target, *_):
        return rule().critic_stored(values[:1], target, jnp.zeros(S * A))

    same(coded(policy, NOW)[0], -actor / A1)  # climbed where the paper descends
    same(coded(judge, NOW)[1][0], critic / (2 * A2))


def test_a_counterfactual_baseline_that_is_not_held_fixed_leaves_no_actor_objective():
    """E(Q - B) is 0 for any policy and any critic, so all that is left is the critic's part."""
    free = jax.grad(coma, (0, 1))(LOGITS, COSTS, False)
    delta = COSTS[0] - TARGET
    same(free[0], score(A2 * delta**2, NOW))
    same(free[1][0], SITUATIONS * NOW * 2 * A2 * delta)


@EPSILON
def test_critics_of_propositions_4_to_6(most):
    """Both printed expectations, and that each is the objective's gradient if nothing is cut."""
    delta = COSTS - TARGET
    lift = jnp.array([A1, 0.0])[:, None, None]  # only the critic that the actor climbs
    first = SITUATIONS * THEN * (lift * cim(NOW, THEN, most) + 2 * A2 * delta)
    second = SITUATIONS * NOW * (lift + 2 * A2 * delta * cim(THEN, NOW, most))
    stored = coded(lambda v, y, _, moved: rule(most).critic_stored(v, y, moved), THEN)[1]
    fresh = coded(lambda v, y, _, moved: rule(most).critic_fresh(v, y, moved), NOW)[1]
    same(stored, first / (2 * A2))
    same(fresh, second / (2 * A2))

    def stated(costs):
        return A1 * mean(NOW, costs[0]) + A2 * mean(THEN, jnp.sum((costs - TARGET) ** 2, axis=0))

    if most > 1.0:
        same(first, jax.jit(jax.grad(stated))(COSTS))
        same(second, first)  # two estimates of one gradient, which the propositions add


@EPSILON
@pytest.mark.parametrize("critics", [1, 2], ids=["ddpg", "td3"])
def test_the_actor_of_propositions_4_and_5(critics, most):
    """Actions are numbers `mu(o)`, and critics parabolas in them; the ratio is held fixed."""
    curves = jnp.asarray(RANDOM.normal(size=(critics, S, 3)), jnp.float32)
    target, moved = TARGET[:, 0], jnp.asarray([0.5, -0.8, 0.1])
    start = jnp.asarray([0.3, -0.2, 0.9])

    def costs(mu):
        return curves[..., 0] + curves[..., 1] * mu + curves[..., 2] * mu**2

    back = jnp.minimum(most, jnp.exp(-moved))
    delta = costs(start) - target
    slope = curves[..., 1] + 2 * curves[..., 2] * start  # grad_a Q
    printed = A1 * slope[0] + jnp.sum(2 * A2 * delta * back * slope, axis=0)
    stated = jax.grad(
        lambda mu: jnp.sum(A1 * costs(mu)[0] + A2 * back * jnp.sum((costs(mu) - target) ** 2, 0))
    )(start)
    same(stated, printed)
    climbed = jax.grad(lambda mu: jnp.sum(rule(most).pathwise_term(-costs(mu), -target, moved)))(
        start
    )
    same(climbed, -printed / A1)


@EPSILON
def test_the_actor_of_proposition_6(most):
    """All three lines, with the sign of the entropy as costs need it."""
    delta, log_prob = COSTS - TARGET, jax.nn.log_softmax(LOGITS)
    advantage = COSTS[0] + TEMPERATURE * log_prob - baseline(LOGITS, COSTS)
    line_1 = score(A1 * cim(NOW, THEN, most) * advantage, THEN)
    line_2 = score(A1 * advantage, NOW)
    line_3 = score(A2 * cim(THEN, NOW, most) * jnp.sum(delta**2, axis=0), NOW)
    gain = -advantage.reshape(-1)
    terms = {
        "stored": (lambda v, y, p, m: rule(most).stored_score_term(p, gain, m), THEN, line_1),
        "fresh": (lambda v, y, p, m: rule(most).score_term(p, gain, v, y, m), NOW, line_2 + line_3),
        "wary": (lambda v, y, p, m: rule(most).stored_td_term(p, v, y, m), THEN, line_3),
    }
    for term, weights, printed in terms.values():
        policy, critics = coded(term, weights)
        same(policy, -printed / A1)
        same(critics, 0.0)

    def stated(logits):
        """The actor's objective with its baseline fixed, and the surprise of resampled actions."""
        chances, log_prob = jax.nn.softmax(logits), jax.nn.log_softmax(logits)
        actor = COSTS[0] + TEMPERATURE * log_prob - baseline(LOGITS, COSTS)
        surprise = jnp.sum(held(cim(THEN, NOW, most) * delta**2), axis=0)
        return A1 * mean(chances, actor) + A2 * mean(chances, surprise)

    same(jax.jit(jax.grad(stated))(LOGITS), line_2 + line_3)
    if most > 1.0:
        same(line_1, line_2)


def test_with_the_printed_sign_entropy_would_fall():
    """Proposition 6 descends E(Q - alpha log pi - B): with nothing to choose, away from uniform."""

    def entropy(logits):
        return -jnp.sum(jax.nn.softmax(logits) * jax.nn.log_softmax(logits), axis=-1)

    printed = score(-TEMPERATURE * jax.nn.log_softmax(LOGITS), NOW)
    assert (entropy(LOGITS - printed) < entropy(LOGITS)).all()
    assert (entropy(LOGITS + printed) > entropy(LOGITS)).all()


@pytest.mark.parametrize("preferred", [0.9, 0.5, 0.1])
def test_where_a_joint_critic_rests(preferred):
    """Above its target by optimism / 2 for each lift: as printed twice, unequally for actions."""
    then, optimism, target = 0.5, 0.2, jnp.array([1.0])
    joint = JointObjective(optimism)

    def rest(*terms):
        value = jnp.array([[0.0]])
        loss = jax.grad(lambda v: jnp.sum(sum(weight * term(v) for weight, term in terms)))
        descent = jax.lax.fori_loop(0, 200, lambda _, v: v - 0.5 * loss(v), value)
        return float(descent[0, 0] - target[0])

    moved = jnp.log(jnp.array([preferred / then]))
    stored = then, lambda v: joint.critic_stored(v, target, moved)
    fresh = preferred, lambda v: joint.critic_fresh(v, target, moved)
    assert rest(stored) == pytest.approx(optimism / 2 * min(1, preferred / then), rel=1e-3)
    ratio = preferred / then
    kappa = 0.5 * (1 + ratio) if ratio >= 1 else 2 * ratio / (1 + ratio)
    assert rest(stored, fresh) == pytest.approx(optimism / 2 * kappa, rel=1e-3)


def test_alternating_steps_are_what_is_left_without_either():
    plain, zero = AlternatingObjective(), jnp.zeros(2)
    values, target = jnp.array([[1.0, 3.0]]), jnp.array([0.0, 1.0])
    np.testing.assert_allclose(plain.critic_stored(values, target, zero + 9), [0.5, 2.0])
    np.testing.assert_allclose(plain.pathwise_term(values, target, zero), values[0])
    np.testing.assert_array_equal(plain.stored_td_term(zero + 1, values, target, zero), 0.0)
    np.testing.assert_allclose(truncated(jnp.log(jnp.array([0.5, 4.0])), 2.0), [0.5, 2.0])
