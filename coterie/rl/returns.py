"""Advantages and returns of a single stream of experience, time first."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree


class NStepReturn(NamedTuple):
    """Discounted sum of the rewards of up to `n` steps from each one on, and where it stops.

    reward:   `sum_{k < m} gamma^k r_{t + k}`, `[T, ...]`.
    discount: `gamma^m`: the weight of a value after the `m` steps.
    last:     the time of the last of them, `t + m - 1`.
    """

    reward: Float[Array, "T *batch"]
    discount: Float[Array, "T *batch"]
    last: Int[Array, "T *batch"]

    def at_last(self, tree: PyTree) -> PyTree:
        """Arrays `[T, ..., F]` at the last of the steps from each one on."""

        def found(x: Array) -> Array:
            places = self.last.reshape(*self.last.shape, *(1,) * (x.ndim - self.last.ndim))
            return jnp.take_along_axis(x, places, axis=0)

        return jax.tree.map(found, tree)


def n_step_return(
    reward: Float[Array, "T *batch"], ends: Bool[Array, "T *batch"], discount: float, n: int
) -> NStepReturn:
    """Sums of up to `n` rewards (Sutton & Barto 2018, eq. 7.1).

    They stop at the stream's end, where `ends` says so, and at the end of what was recorded: the
    tail has shorter ones.

    >>> ends = jnp.array([False, True, False, False])
    >>> found = n_step_return(jnp.array([1.0, 2.0, 4.0, 8.0]), ends, 0.5, 3)
    >>> found.reward.tolist(), found.discount.tolist(), found.last.tolist()
    ([2.0, 2.0, 8.0, 8.0], [0.25, 0.5, 0.25, 0.5], [1, 1, 3, 3])
    """

    def after(x: Array) -> Array:
        return jnp.where(ends, 0, jnp.concatenate([x[1:], jnp.zeros_like(x[:1])]))

    def further(_: Any, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        total, steps = sums
        return reward + discount * after(total), 1 + after(steps)

    once = reward, jnp.ones(reward.shape, jnp.int32)
    total, steps = jax.lax.fori_loop(0, n - 1, further, once) if n > 1 else once
    times = jnp.arange(len(reward)).reshape(-1, *(1,) * (reward.ndim - 1))
    return NStepReturn(total, jnp.power(discount, steps), times + steps - 1)


def generalized_advantage(
    reward: Float[Array, "T *batch"],
    value: Float[Array, "T *batch"],
    next_value: Float[Array, "T *batch"],
    terminated: Bool[Array, "T *batch"],
    truncated: Bool[Array, "T *batch"],
    discount: float,
    gae_lambda: float,
) -> Float[Array, "T *batch"]:
    """Generalised advantage estimates (Schulman et al. 2016, eq. 16).

    `delta_t = r_t + gamma V(s_{t+1}) (1 - terminated_t) - V(s_t)`, summed with weight
    `(gamma lambda)^k` up to the stream's own end, `terminated` or `truncated`: an agent may leave
    before an episode is over. A stream that is cut off still looks at the value of its last state.

    next_value: the value of the state each step led to, before any reset.

    >>> one, no = jnp.ones(2), jnp.zeros(2, bool)
    >>> generalized_advantage(one, 0 * one, 0 * one, no, no, 0.5, 1.0).tolist()
    [1.5, 1.0]
    """
    delta = reward + discount * jnp.where(terminated, 0.0, next_value) - value
    decay = discount * gae_lambda * (1.0 - (terminated | truncated).astype(reward.dtype))

    def back(later: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        delta_t, decay_t = step
        now = delta_t + decay_t * later
        return now, now

    _, advantage = jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, decay), reverse=True)
    return advantage
