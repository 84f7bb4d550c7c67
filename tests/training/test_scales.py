"""Scales of a team in training: what they divide, what they leave, and who knows of them."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IPPO, NetworkedAC
from coterie.algorithms.base.normalizing import REWARD_SCALE, Normalizing
from coterie.graph import family
from coterie.network import Network, lift, networks
from coterie.rl.scaling import scales as scales_of
from coterie.training.scales import dividing, observe
from tests.support import assert_same, catalogue, each, taught

EVERY = {
    name: replace(algorithm, normalize_rewards=True)
    for name, algorithm in catalogue(recurrent=False).items()
    if isinstance(algorithm, Normalizing)
}
COSTLY = EVERY.keys() - {"ippo", "matrpo", "maddpg", "f2a2-ddpg", "f2a2-sac"}


@functools.cache
def divided(algorithm):
    """A team that has learned twice and was never paid, its function `divide`, and a trajectory."""
    lesson, _, team = taught(algorithm)
    divide = jax.jit(lift(dividing(algorithm)))

    def paid(agents, scales, factor):
        trajectory = lesson.trajectory._replace(reward=factor * lesson.trajectory.reward)
        return divide(agents, scales, trajectory, jax.vmap(Network.cleared)(lesson.network))[:3]

    return lesson.agents, team.scales, paid


@each(EVERY, deep=COSTLY)
def test_the_unit_of_rewards_means_nothing(algorithm):
    agents, scales, paid = divided(algorithm)
    small, large = paid(agents, scales, 1.0), paid(agents, scales, 1024.0)
    assert_same(small[0], large[0], 0.0)
    np.testing.assert_array_equal(small[2].reward, large[2].reward)
    np.testing.assert_array_equal(1024.0 * small[1].reward.divisor, large[1].reward.divisor)


@each(EVERY, deep=COSTLY)
def test_a_scale_that_moves_does_not_move_values(algorithm):
    agents, scales, paid = divided(algorithm)
    agents, scales, _ = paid(agents, scales, 1.0)
    after, moved, _ = paid(agents, scales, 30.0)
    assert (moved.reward.divisor > 2.0 * scales.reward.divisor).all()

    def in_units(agents, scales):
        parts = jax.vmap(algorithm.in_reward_units)(agents)
        unit = scales.reward.divisor
        return jax.tree.map(lambda x: x * unit.reshape(-1, *[1] * (x.ndim - 1)), parts)

    before = jax.tree.leaves(in_units(agents, scales))
    assert any(np.abs(x).max() > 0.0 for x in before)
    for old, new in zip(before, jax.tree.leaves(in_units(after, moved)), strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-5, atol=1e-6)


# Of the catalogue: the smallest algorithm of the tests averages all that it has.
SPEAKERS = {n: a for n, a in EVERY.items() if a.information.sends and n != "gossip"}


@each(SPEAKERS, deep=COSTLY)
def test_scales_are_not_sent_along(algorithm):
    lasting = jax.vmap(algorithm.information.lasting)(taught(algorithm).lesson.agents)
    assert jax.tree.leaves(scales_of(lasting)) == []
    private = algorithm.information.reward == "own" and not algorithm.information.central
    if private and algorithm.normalize_rewards:
        assert REWARD_SCALE in algorithm.information.sends


@pytest.mark.parametrize(
    "algorithm", [IPPO(), NetworkedAC(normalize_rewards=True)], ids=["alone", "networked"]
)
def test_a_team_whose_rewards_are_put_together_comes_to_one_scale(algorithm):
    """Agents are paid 1, 2, 3 and 4 times the same."""
    lesson, _, team = taught(catalogue(False)["ippo"])
    times = jnp.arange(1.0, 5.0)[:, None, None]
    rewards = np.random.default_rng(0).normal(size=(100, *lesson.trajectory.reward.shape[1:]))
    view, never = (
        lesson.trajectory.view._replace(alive=None),
        jnp.zeros_like(lesson.trajectory.over),
    )
    network = networks(family("line", 4), algorithm.information.sends)
    divide = lift(dividing(_without_state(algorithm)))

    def turn(carry, reward):
        scales, network = carry
        paid = lesson.trajectory._replace(reward=times * reward, view=view)
        trajectory = paid._replace(terminated=never, truncated=never)
        _, scales, _, network = divide(jnp.zeros(4), scales, trajectory, network)
        return (scales, network), None

    (scales, _), _ = jax.lax.scan(turn, (team.scales, network), jnp.asarray(rewards, jnp.float32))
    unit = np.asarray(scales.reward.divisor)
    if algorithm.information.sends:
        np.testing.assert_allclose(unit, np.sqrt(np.mean(unit**2)), rtol=0.03)
    else:
        np.testing.assert_allclose(unit, unit[0] * np.arange(1.0, 5.0), rtol=1e-4)


def _without_state(algorithm):
    """The algorithm, with an agent's state of which nothing is in units of reward."""

    class Bare(type(algorithm)):
        def in_reward_units(self, state):
            return [state]

    return Bare(normalize_rewards=True)


def test_what_an_agent_sees_moves_its_own_networks_alone():
    lesson, _, team = taught(EVERY["ippo"])
    look = jax.jit(lift(observe))
    view = lesson.trajectory.view
    changed = np.array(view.observation)
    changed[1] += 1.0
    other = lesson.trajectory._replace(view=view._replace(observation=changed))
    before = look(lesson.agents, team.scales, lesson.trajectory)
    after = look(lesson.agents, team.scales, other)
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(np.delete(old, 1, 0), np.delete(new, 1, 0))
    assert not np.array_equal(before[0].policy.body.scale.shift, after[0].policy.body.scale.shift)
    np.testing.assert_array_equal(
        after[0].policy.body.scale.shift, after[0].critic.body.scale.shift
    )
