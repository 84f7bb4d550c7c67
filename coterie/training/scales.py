"""Scales of what agents see and are paid: running moments, one agent's from its own data.

Observations are normalized within networks (`InputScale`), by moments of all steps before the one
that is played: actions and updates see the same. Rewards are divided by the deviation of discounted
returns so far (Engstrom et al. 2020), the present ones included, and what stands in units of reward
within an agent moves along, so that a moving scale does not move values (van Hasselt et al. 2016).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from coterie.algorithms import Algorithm, Trajectory
from coterie.algorithms.base.normalizing import REWARD_SCALE, Normalizing
from coterie.network import Network
from coterie.rl.scaling import Moments, Source, with_moments
from coterie.types import LearnerSpec

HORIZON = 0.99
"""Largest discount of the returns whose deviation is measured: without one they have none."""


class RewardScale(NamedTuple):
    """Scale of an agent's rewards.

    returns: the discounted rewards of the running episodes so far, `[G]`.
    moments: of such sums at all steps.
    """

    returns: Float[Array, " G"]
    moments: Moments

    @property
    def divisor(self) -> Float[Array, " *N"]:
        """Number that rewards are divided by."""
        return self.moments.deviation


class Scales(NamedTuple):
    """Scales of one agent, as far as it uses them.

    seen:   moments of its own observation and of the global state.
    reward: scale of its rewards; `None` if they stay as they are.
    """

    seen: dict[Source, Moments]
    reward: RewardScale | None

    @property
    def metrics(self) -> dict[str, Array]:
        """Numbers for the log."""
        return {} if self.reward is None else {"reward_scale": self.reward.divisor}


def start_scales(algorithm: Algorithm, specs: Sequence[LearnerSpec]) -> Scales:
    """Scales of a team that has seen nothing, `[N, ...]`."""
    agents, first = len(specs), specs[0]
    seen: dict[Source, Moments] = {}
    if any(spec.normalized for spec in specs):
        seen["observation"] = Moments.none(max(spec.observation for spec in specs))
        if first.state:
            seen["state"] = Moments.none(first.state)
    reward = RewardScale(jnp.zeros(first.num_envs), Moments.none())
    own = Scales(seen, reward if algorithm.normalize_rewards else None)
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (agents, *x.shape)), own)


def dividing(algorithm: Algorithm) -> Callable[..., tuple[PyTree, Scales, Trajectory, Network]]:
    """Return one agent's function from its state, scales, trajectory and network to the same, in
    the units of reward that hold from here on."""
    alike = REWARD_SCALE in algorithm.information.sends

    def divide(
        agent: PyTree, scales: Scales, trajectory: Trajectory, network: Network
    ) -> tuple[PyTree, Scales, Trajectory, Network]:
        before = scales.reward
        if before is None:
            return agent, scales, trajectory, network
        assert isinstance(algorithm, Normalizing)
        now = _paid(before, trajectory, min(algorithm.discount, HORIZON))
        if alike:
            variance, network = network.mix(now.moments.variance, REWARD_SCALE)
            now = now._replace(moments=now.moments._replace(variance=jnp.maximum(variance, 0.0)))
        # What an agent starts with is in no unit yet.
        ratio = jnp.where(before.moments.count > 0.0, before.divisor / now.divisor, 1.0)

        def rescaled(part: PyTree) -> PyTree:
            return jax.tree.map(lambda x: ratio * x, part)

        agent = eqx.tree_at(algorithm.in_reward_units, agent, replace_fn=rescaled)
        trajectory = trajectory._replace(reward=trajectory.reward / now.divisor)
        return agent, scales._replace(reward=now), trajectory, network

    return divide


def observe(agent: PyTree, scales: Scales, trajectory: Trajectory) -> tuple[PyTree, Scales]:
    """An agent and its scales, once it has learned from what it saw."""
    if not scales.seen:
        return agent, scales
    view = trajectory.view
    kinds: dict[Source, Any] = {"observation": (view.observation, view.alive)}
    if "state" in scales.seen:
        kinds["state"] = (view.state,)
    seen = {source: scales.seen[source].joined(*told) for source, told in kinds.items()}
    return with_moments(agent, seen), scales._replace(seen=seen)


def _paid(scale: RewardScale, trajectory: Trajectory, discount: float) -> RewardScale:
    """The scale after these rewards, too."""
    ends = trajectory.over | trajectory.terminated | trajectory.truncated

    def add(returns: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        reward, end = step
        returns = discount * returns + reward
        return jnp.where(end, 0.0, returns), returns

    running, sums = jax.lax.scan(add, scale.returns, (trajectory.reward, ends))
    return RewardScale(running, scale.moments.joined(sums, trajectory.view.alive))
