"""Values and advantages of a trajectory by a critic."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from coterie.algorithms.base.algorithm import Trajectory
from coterie.rl.bodies import RecurrentState
from coterie.rl.networks import Critic
from coterie.rl.returns import generalized_advantage


def values_and_gae(
    critic: Critic,
    trajectory: Trajectory,
    memory: RecurrentState,
    discount: float,
    gae_lambda: float,
    bounds: tuple[float | Array, float | Array] = (-math.inf, math.inf),
) -> tuple[Float[Array, "T G"], Float[Array, "T G"]]:
    """Values of a trajectory's observations, and generalised advantages.

    memory: the critic's memory before the first step.
    bounds: the least and the largest value that steps may lead to.
    """
    view, next_view = trajectory.view, trajectory.next_view
    features = critic.body.sequence(view.critic_input, memory, trajectory.over)
    value = critic.value(features)
    following = critic.value(critic.body.after(features, next_view.critic_input))
    following = jnp.clip(following, *bounds)
    ends = trajectory.terminated, trajectory.truncated
    advantage = generalized_advantage(
        trajectory.reward, value, following, *ends, discount, gae_lambda
    )
    return value, advantage
