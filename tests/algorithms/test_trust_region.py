"""Steps within a trust region, against dense algebra and a generic convex solver."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from coterie.algorithms import ITRPO, InitKeys
from coterie.errors import ConfigError
from coterie.rl.cg_subspace import (
    BoundaryStep,
    ConstrainedStep,
    KrylovSubspace,
    best,
    extend,
    full_step,
    line_search,
    natural_gradient_step,
)
from coterie.rl.distributions import Categorical, Gaussian, MultiCategorical
from coterie.rl.linearized_policy import around
from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import Policy
from coterie.types import Box, Discrete, LearnerSpec, Observation
from tests.options import with_options
from tests.support import taught

M = 40  # samples
RANDOM = np.random.default_rng(0)
SEEN = jnp.asarray(RANDOM.normal(size=(M, 1, 2)), jnp.float32)
GAIN = jnp.asarray(RANDOM.normal(size=(M, 1, 1)), jnp.float32)
SPACES = {"discrete": Discrete(3), "box": Box(2)}
ACTIONS = {
    "discrete": jnp.asarray(RANDOM.integers(0, 3, size=(M, 1))),
    "box": jnp.asarray(RANDOM.normal(size=(M, 1, 2)), jnp.float32),
}


@functools.cache
def problem(kind):
    """A linear policy to first order, with its Jacobian `[M, D]` and Fisher matrix, dense."""
    keys = jax.random.split(jax.random.key(1))
    policy = Policy.init(keys, MLP(()), Inputs(2), SPACES[kind], gain=1.0)

    def heads(policy):
        return (policy.choices(policy.body.step(SEEN, ())[0], Observation(SEEN)),)

    def log_probs(heads):
        return heads[0].log_prob(ACTIONS[kind])[..., None]

    local = around(policy, heads, log_probs, None, 0.01)
    jacobian = jax.jit(jax.jacobian(lambda x: log_probs(heads(local.rebuilt(x)))))(local.start)
    curvature = jax.jit(jax.hessian(lambda x: jnp.sum(local.at(x)[1])))(local.start)
    return local, np.asarray(jacobian, np.float64).reshape(M, -1), np.asarray(curvature, np.float64)


@pytest.mark.parametrize("kind", SPACES)
def test_a_policy_to_first_order(kind):
    local, jacobian, curvature = problem(kind)
    x = jnp.asarray(RANDOM.normal(size=local.start.shape), jnp.float32)
    np.testing.assert_allclose(local.ratio(local.jvp(x))[:, 0, 0], jacobian @ x, atol=1e-5)
    back = local.vjp(local.score(GAIN))
    np.testing.assert_allclose(back, jacobian.T @ np.ravel(GAIN), rtol=1e-4, atol=1e-4)
    bent = local.vjp(local.metric(local.jvp(x)))
    np.testing.assert_allclose(bent, curvature @ x, rtol=1e-3, atol=1e-4)
    ratio, divergence = local.at(local.start)
    assert np.all(ratio == 0) and divergence.tolist() == [0.0]


def found(local, region, steps, gain=GAIN):
    return jax.jit(lambda gain: natural_gradient_step(local, gain, region, steps))(gain)


@pytest.mark.parametrize("stiffness", [0.5, 5.0])
@pytest.mark.parametrize("bound", [0.001, 1.0])
@pytest.mark.parametrize("kind", SPACES)
def test_the_best_step_is_that_of_a_generic_solver(kind, bound, stiffness):
    """On the edge of the region (a small bound) and inside it (a large one)."""
    local, jacobian, curvature = problem(kind)
    damped = curvature + 0.01 * np.eye(len(curvature))
    gain = np.ravel(np.asarray(GAIN, np.float64))

    def cost(x):
        ratio = jacobian @ x
        return -gain @ ratio / M + stiffness / 2 * ratio @ ratio / M

    def slope(x):
        return jacobian.T @ (stiffness * (jacobian @ x) - gain) / M

    within = {
        "type": "ineq",
        "fun": lambda x: bound - x @ damped @ x / 2,
        "jac": lambda x: -damped @ x,
    }
    best = scipy.optimize.minimize(
        cost, np.zeros(len(curvature)), jac=slope, constraints=within, method="SLSQP", tol=1e-12
    )
    taken = np.asarray(
        found(local, ConstrainedStep(bound, jnp.float32(stiffness)), 300), np.float64
    )
    assert taken @ damped @ taken / 2 <= bound * 1.001
    assert abs(cost(taken) - best.fun) < 5e-3 * abs(best.fun)
    ratio = jacobian @ best.x
    np.testing.assert_allclose(jacobian @ taken, ratio, atol=0.05 * np.abs(ratio).max())
    at_edge = taken @ damped @ taken / 2 > 0.99 * bound
    assert at_edge == (bound == 0.001)


def test_a_step_costs_one_product_with_j_and_one_with_its_transpose():
    """And within the span none, whatever the gain."""
    local, _, _ = problem("discrete")
    made = []

    def counted(function, name):
        def call(x):
            made.append(name)
            return function(x)

        return call

    counting = local._replace(jvp=counted(local.jvp, "J"), vjp=counted(local.vjp, "J'"))
    region, span = ConstrainedStep(0.003, jnp.float32(2.0)), KrylovSubspace.empty(local, 4)
    with jax.disable_jit():
        span = extend(counting, span, GAIN, region, jnp.arange(4))
        assert made == ["J'", "J"] * 4
        best(span, span.gains(counting, 2.0 * GAIN), region)
    assert len(made) == 8


@pytest.mark.parametrize(
    "region", [ConstrainedStep(0.003, jnp.float32(2.0)), BoundaryStep(0.003, 2.0)]
)
def test_a_span_of_everything_knows_the_best_step_for_any_gain(region):
    """The directions were found for one gain, and serve another that they never saw."""
    local, _, _ = problem("box")
    other = jnp.flip(GAIN) + 0.3
    everything = jnp.arange(local.start.size)
    span = extend(local, KrylovSubspace.empty(local, len(everything)), GAIN, region, everything)
    step = best(span, span.gains(local, other), region).along(span.moves)
    np.testing.assert_allclose(step, found(local, region, len(everything), other), atol=2e-4)


@pytest.mark.parametrize("kind", SPACES)
def test_without_stiffness_it_is_the_natural_gradient_to_the_edge(kind):
    """TRPO's step; both closed forms come to it, too."""
    local, jacobian, curvature = problem(kind)
    damped = curvature + 0.01 * np.eye(len(curvature))
    direction = np.linalg.solve(damped, jacobian.T @ np.ravel(GAIN) / M)
    edge = np.sqrt(2 * 0.003 / (direction @ damped @ direction)) * direction
    for region, steps in (
        (BoundaryStep(0.003), len(edge) + 5),
        (ConstrainedStep(0.003, jnp.zeros(())), 300),
    ):
        np.testing.assert_allclose(found(local, region, steps), edge, rtol=2e-3, atol=2e-4)


def test_a_closed_form_stays_inside_where_the_edge_would_be_too_far():
    """`H^-1 V / max(|E| beta, sqrt(V H^-1 V / 2 delta))`, and always the edge as printed."""
    local, jacobian, curvature = problem("discrete")
    damped = curvature + 0.01 * np.eye(len(curvature))
    force = jacobian.T @ np.ravel(GAIN) / M
    direction = np.linalg.solve(damped, force)
    inside = found(local, BoundaryStep(1.0, 5.0), 20)
    np.testing.assert_allclose(inside, direction / 5.0, rtol=1e-2, atol=1e-4)
    edge = found(local, BoundaryStep(1.0), 20)
    length = np.sqrt(2 * 1.0 / (force @ direction))
    np.testing.assert_allclose(edge, length * direction, rtol=1e-3, atol=1e-3)


def test_an_agent_that_sees_nothing_is_refused():
    sentence = "an agent's observation is empty: it has nothing to act on"
    with pytest.raises(ConfigError, match=sentence):
        ITRPO().init(InitKeys.of(jax.random.key(0)), LearnerSpec(0, Discrete(2)))


def test_nothing_to_climb_is_no_step():
    local, _, _ = problem("discrete")
    for region in (BoundaryStep(0.1), ConstrainedStep(0.1, jnp.float32(2.0))):
        assert np.all(found(local, region, 5, 0.0 * GAIN) == 0)


@pytest.mark.parametrize(
    ("objective", "change", "share"),
    [
        (lambda x: (x - 1.0) ** 2, 1.0, 1.0),
        (lambda x: (x - 1.0) ** 2, 3.0, 0.5),  # too far: half of it is better than nothing
        (lambda x: (x - 1.0) ** 2, -1.0, 0.0),  # nowhere better
        (lambda x: jnp.where(x > 0.5, jnp.nan, -x), 4.0, 0.125),
        (lambda x: -x, jnp.nan, 0.0),
        (lambda x: -x, 32.0, 0.25),  # a divergence of x^2 / 100 must stay below 0.75
    ],
)
def test_a_step_that_fails_is_halved(objective, change, share):
    def judge(parameters):
        return objective(parameters[0]), parameters[0] ** 2 / 100

    found, taken = line_search(jnp.zeros(1), jnp.full(1, change), judge, 0.5, line_search_steps=10)
    assert float(taken) == share
    assert float(found[0]) == (share * change if share else 0.0)


@pytest.mark.parametrize(
    ("change", "share"), [(3.0, 1.0), (-1.0, 1.0), (0.0, 0.0), (jnp.nan, 0.0), (8.0, 0.0)]
)
def test_without_a_search_a_step_is_taken_unless_it_leads_nowhere(change, share):
    def judge(parameters):
        return jnp.where(parameters[0] > 5.0, jnp.inf, parameters[0]), parameters[0] ** 2

    found, taken = full_step(jnp.zeros(1), jnp.full(1, change), judge)
    assert float(taken) == share
    assert float(found[0]) == (change if share else 0.0)


def test_the_metric_is_the_hessian_of_the_divergence():
    gaussian = Gaussian(jnp.array([0.3, -1.0]), jnp.array([0.2, -0.5]), jnp.array([True, False]))
    move = Gaussian(jnp.array([1.0, 2.0]), jnp.array([-1.0, 0.5]), gaussian.real)

    def at(t):
        other = Gaussian(
            gaussian.mean + t * move.mean, gaussian.log_std + t * move.log_std, move.real
        )
        return gaussian.kl(other)

    bent = gaussian.fisher(move)
    length = jnp.sum(bent.mean * move.mean + bent.log_std * move.log_std)
    np.testing.assert_allclose(length, jax.jit(jax.hessian(at))(0.0), rtol=1e-5)
    categorical = Categorical.of(jnp.array([0.1, 2.0, -1.0]))

    def towards(t):
        return categorical.kl(Categorical.of(jnp.array([0.1, 2.0, -1.0]) + t * jnp.arange(3.0)))

    tangent = jax.jvp(
        lambda t: Categorical.of(jnp.array([0.1, 2.0, -1.0]) + t * jnp.arange(3.0)).log_probs,
        (0.0,),
        (1.0,),
    )[1]
    bent = categorical.fisher(Categorical(tangent)).log_probs
    np.testing.assert_allclose(bent @ tangent, jax.jit(jax.hessian(towards))(0.0), rtol=1e-5)


def test_the_metric_of_several_choices_is_the_hessian_of_their_divergence():
    def choices(t):
        logits = jnp.array([0.1, 2.0, 0.0, -1.0, 0.5, 1.0]) + t * jnp.arange(6.0)
        return MultiCategorical.of(logits, (2, 3))

    tangent = jax.jvp(choices, (0.0,), (1.0,))[1]
    bent = choices(0.0).fisher(tangent).each.log_probs
    length = jnp.sum(bent * tangent.each.log_probs)
    wanted = jax.hessian(lambda t: choices(0.0).kl(choices(t)))(0.0)
    np.testing.assert_allclose(length, wanted, rtol=1e-5)


def test_the_critic_learns_the_returns_and_advantages_precede_it():
    algorithm = with_options(
        ITRPO(),
        rollout_length=6,
        batch_size=4,
        hidden_sizes=(8,),
        critic_epochs=200,
        critic_lr=0.01,
    )
    (agents, trajectory, network, keys), learn, _ = taught(algorithm)
    _, _, said = learn(agents, trajectory, network, keys)
    once = taught(
        with_options(ITRPO(), rollout_length=6, batch_size=4, hidden_sizes=(8,), critic_epochs=1)
    )
    _, _, before = once.learn(*once.lesson)
    assert np.all(said["critic_loss"] < 0.8 * before["critic_loss"])
    assert np.all(said["kl"] <= 1.5 * 0.003)
