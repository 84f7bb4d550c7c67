"""Advantages and returns of a single stream of experience, time first."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


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
