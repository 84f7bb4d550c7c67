"""The best policy within a divergence of the old one."""

import numpy as np
from jaxtyping import Float

FURTHEST = 300.0
"""Steps end here, in nats, all but `e^-300` of the way to the best action."""

LEAST = 1e-120
"""No action becomes rarer, so that an action that was possible can come back."""


def within(
    old: Float[np.ndarray, "M A"],
    advantage: Float[np.ndarray, "M A"],
    radius: Float[np.ndarray, "*radii #M"],
) -> Float[np.ndarray, "*radii M A"]:
    """`argmax_p sum_a p(a) A(a)` with `KL(pi_old || p) <= d` in every state, radii first.

    The old policy stands first in the divergence, so the maximiser is no softmax: Lagrange gives
    `p(a) = eta pi_old(a) / (lambda - A(a))` with `lambda` above the best advantage. Measured from
    the mean in units of the best, `x = (A - mean A) / (max A - mean A)`, this is
    `p ~ pi_old / (1 - tau x)` with `tau` in [0, 1), and the divergence grows with `tau`.

    >>> old, advantage = np.array([[0.5, 0.5]]), np.array([[1.0, -1.0]])
    >>> within(old, advantage, np.array([0.1438])).round(3)  # KL([1/2, 1/2] || [3/4, 1/4])
    array([[0.75, 0.25]])
    """
    possible = old > 0.0
    best = np.where(possible, advantage, -np.inf).max(axis=-1, keepdims=True)
    below = np.where(possible, best - advantage, 0.0)
    mean = (old * below).sum(axis=-1, keepdims=True)
    # Where all actions are equally good there is nothing to gain, and nothing to tilt: share = 1.
    share = np.divide(below, mean, out=np.ones_like(below), where=mean > LEAST)
    tilted = old / _heights(share, _tilt(old, share, radius))
    return np.maximum(tilted / tilted.sum(axis=-1, keepdims=True), np.where(possible, LEAST, 0.0))


def _heights(share: np.ndarray, v: np.ndarray) -> np.ndarray:
    """`1 - tau x = e^-v + (1 - e^-v) share`, with `tau = 1 - e^-v` and `share = 1 - x`."""
    return np.exp(-v)[..., None] - np.expm1(-v)[..., None] * share


def _tilt(old: np.ndarray, share: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The `v >= 0` with a divergence of `radius`: Newton's method on its root, in a bracket."""
    low = np.zeros(np.broadcast_shapes(radius.shape, old.shape[:-1]))
    high = low + FURTHEST
    v = np.where(_divergence(old, share, high)[0] <= radius, high, np.sqrt(radius))
    free = v < high
    for _ in range(60):
        step, slope = _divergence(old, share, v)
        free &= abs(step - radius) > 1e-9 * radius
        if not free.any():
            break
        low, high = np.where(step < radius, v, low), np.where(step < radius, high, v)
        root = np.sqrt(step)
        move = 2.0 * root * (np.sqrt(radius) - root)
        newton = v + np.divide(move, slope, out=np.full_like(v, np.inf), where=slope > 0.0)
        inside = (newton > low) & (newton < high)
        v = np.where(free, np.where(inside, newton, 0.5 * (low + high)), v)
    return v


def _divergence(old: np.ndarray, share: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`KL(pi_old || p)` as a function of `v`, and its slope.

    With `E` the mean under the old policy and `E[x] = 0`, `KL = E[log h] + log E[1 / h]` for the
    heights `h = 1 - tau x`; written so that small steps lose no digits.
    """
    heights, tau = _heights(share, v), -np.expm1(-v)
    x = 1.0 - share
    moved = tau[..., None] * x
    near = abs(moved) < 0.5
    logs = np.where(near, np.log1p(-moved, where=near, out=np.zeros_like(moved)), np.log(heights))
    first = (old * x * (x / heights)).sum(axis=-1)
    second = (old * x * (x / heights) * (1.0 + 1.0 / heights)).sum(axis=-1)
    excess = tau**2 * first  # E[1 / h] - 1
    slope = tau * np.exp(-v) * (second / (1.0 + excess) - first)
    return np.maximum((old * logs).sum(axis=-1) + np.log1p(excess), 0.0), slope
