"""A game of three states and two agents that choose a number each, and its exact answers."""

from typing import NamedTuple

import numpy as np

SEEN = np.array([[1.0, 0.0], [0.0, 1.0], [-0.5, 0.7]])  # what everybody sees in each state
PULL = np.random.default_rng(1).normal(size=(3, 3, 2)) * 0.5
BASE = np.random.default_rng(2).normal(size=(3, 3))
PAID = np.random.default_rng(3).normal(size=(2, 3, 3))  # agent, state, (constant, slope, slope)
INPUTS = np.concatenate([SEEN, np.ones((3, 1))], axis=1)
THETA = np.array([[0.2, -0.3, 0.1], [-0.1, 0.4, 0.2]])  # a row per agent: two weights, a constant
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class Chain(NamedTuple):
    """Stationary distribution `[S]`, mean reward, and differential values of the states `[S]`."""

    visits: np.ndarray
    average: float
    worth: np.ndarray


def moves(action, xp=np):
    """`P(s' | s, a)` for actions `[S, 2]`, `[S, S]`."""
    weights = xp.exp(BASE + xp.einsum("ski,si->sk", PULL, action))
    return weights / weights.sum(axis=1, keepdims=True)


def rewards(action, xp=np):
    """`R^i(s, a)` for actions `[S, 2]`, `[2, S]`."""
    return PAID[:, :, 0] + xp.sin(xp.einsum("isj,sj->is", PAID[:, :, 1:], action) + PAID[:, :, 0])


def means(theta):
    """`mu(s)`, `[S, 2]`."""
    return INPUTS @ theta.T


def natural_gradient_step(transition, reward):
    """The chain with these transitions and team rewards `[S]`: linear algebra, Poisson equation."""
    size = len(reward)
    system = np.concatenate([np.eye(size) - transition.T, np.ones((1, size))])
    visits = np.linalg.lstsq(system, np.eye(size + 1)[-1], rcond=None)[0]
    average = float(visits @ reward)
    poisson = np.eye(size) - transition + np.outer(np.ones(size), visits)
    return Chain(visits, average, np.linalg.solve(poisson, reward - average))


def noisy(theta, sigma, function):
    """The mean of `function(action, push)` over Gaussian noise `push` on the actions."""
    pairs = [(i, j) for i in range(len(NODES)) for j in range(len(NODES))]
    return sum(
        WEIGHTS[i] * WEIGHTS[j] * function(means(theta) + sigma * push, sigma * push)
        for i, j in pairs
        for push in [np.broadcast_to(NODES[[i, j]], (3, 2))]
    )


def chain(theta, sigma=0.0):
    """What the policy of `theta` leads to, with noise of width `sigma` on its actions."""
    if sigma == 0.0:
        return natural_gradient_step(moves(means(theta)), rewards(means(theta)).mean(axis=0))
    return natural_gradient_step(
        noisy(theta, sigma, lambda a, _: moves(a)),
        noisy(theta, sigma, lambda a, _: rewards(a).mean(axis=0)),
    )


def worth(known, action):
    """`Q(s, a)` of the chain `known`, up to what no action changes, `[S]`."""
    return rewards(action).mean(axis=0) - known.average + moves(action) @ known.worth


def slope(function, theta, step=1e-5):
    """The derivative of `function(theta)` by central differences, shaped as `theta`."""
    found = np.zeros_like(theta)
    for place in np.ndindex(*theta.shape):
        change = np.zeros_like(theta)
        change[place] = step
        found[place] = (function(theta + change) - function(theta - change)) / (2 * step)
    return found


def by_action(function, action, step=1e-5):
    """`d function / d a^i` in each state, `[2, S]`, for `function(action) -> [S]`."""
    changes = step * np.eye(2)
    return np.stack([(function(action + c) - function(action - c)) / (2 * step) for c in changes])


def fit(theta, sigma, differential):
    """The critic's fixed point: slopes `[2, 3]` and V's weights over `SEEN`.

    differential: the projected Bellman equation of Theorem 4; the regression of Theorem 6 else.
    """
    known = chain(theta, sigma)

    def features(push):
        pushed = (push[:, :, None] * INPUTS[:, None]).reshape(3, 6)
        return np.concatenate([pushed, INPUTS], axis=1)

    following = np.concatenate([np.zeros((3, 6)), INPUTS], axis=1)
    weight = known.visits[:, None]

    def system(action, push):
        now, later = features(push), moves(action) @ following * differential
        return (weight * now).T @ (now - later)

    def wanted(action, push):
        paid = rewards(action).mean(axis=0) - known.average * differential
        return (weight * features(push)).T @ paid

    left, right = noisy(theta, sigma, system), noisy(theta, sigma, wanted)
    found = np.linalg.lstsq(left, right, rcond=1e-9)[0]
    return found[:6].reshape(2, 3), found[6:8]
