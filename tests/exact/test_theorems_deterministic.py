"""Grosnit, Cai & Wynter, Theorems 1 to 3, each beside a formula that is wrong."""

import numpy as np
import pytest

from tests.exact.deterministic import (
    INPUTS,
    NODES,
    THETA,
    WEIGHTS,
    by_action,
    chain,
    means,
    moves,
    noisy,
    rewards,
    slope,
    worth,
)


def gradient(theta, visits, function):
    """`E[grad mu^i(s) grad_a^i f(s, mu(s))]`, shaped as `theta`."""
    return (visits * by_action(function, means(theta))) @ INPUTS


def test_the_local_deterministic_policy_gradient():
    """Theorem 1: it is the derivative of the mean reward; with the reward alone it is not."""
    known = chain(THETA)
    exact = slope(lambda theta: chain(theta).average, THETA)
    found = gradient(THETA, known.visits, lambda action: worth(known, action))
    np.testing.assert_allclose(found, exact, atol=1e-8)
    myopic = gradient(THETA, known.visits, lambda action: rewards(action).mean(axis=0))
    own = gradient(THETA, known.visits, lambda action: rewards(action)[0])
    assert min(np.abs(wrong - exact).max() for wrong in (myopic, own, -found)) > 0.02


def test_the_off_policy_gradient_is_that_of_the_surrogate():
    """Theorem 2: the states stay those of the behaviour, and only the next reward counts."""
    visits = chain(np.full_like(THETA, -2.0), sigma=0.5).visits
    team = lambda action: rewards(action).mean(axis=0)  # noqa: E731
    exact = slope(lambda theta: float(visits @ team(means(theta))), THETA)
    np.testing.assert_allclose(gradient(THETA, visits, team), exact, atol=1e-8)
    elsewhere = gradient(THETA, chain(THETA).visits, team)
    assert np.abs(elsewhere - exact).max() > 0.005
    assert np.abs(slope(lambda theta: chain(theta).average, THETA) - exact).max() > 0.02


@pytest.mark.parametrize("sign", [1, -1], ids=["right", "wrong"])
def test_the_stochastic_gradient_tends_to_the_deterministic_one(sign):
    """Theorem 3: the distance falls like sigma^2; to another vector it does not fall."""
    sigmas = np.array([0.4, 0.2, 0.1, 0.05])
    limit = sign * slope(lambda theta: chain(theta).average, THETA)
    away = [np.linalg.norm(stochastic(THETA, sigma) - limit) for sigma in sigmas]
    rate = np.polyfit(np.log(sigmas), np.log(away), 1)[0]
    assert (1.8 < rate < 2.2) == (sign == 1), rate


def stochastic(theta, sigma):
    """`E[grad log pi^i(a^i | s) Q(s, a)]` under Gaussian policies, by quadrature."""
    known = chain(theta, sigma)
    score = noisy(theta, sigma, lambda a, push: push.T / sigma**2 * worth(known, a))
    return (known.visits * score) @ INPUTS


def test_the_quadrature_is_exact_enough():
    """It gives the moments of a normal number, and transitions that sum to one."""
    assert np.allclose([WEIGHTS @ NODES**k for k in (1, 2, 3, 4)], [0, 1, 0, 3])
    assert np.allclose(noisy(THETA, 0.5, lambda a, _: moves(a)).sum(axis=1), 1.0)
