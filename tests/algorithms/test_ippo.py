"""PPO's clip and the critic's, by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IPPO
from coterie.algorithms.base.advantages import values_and_gae
from coterie.algorithms.ppo.base import DrawnAction, Sample
from coterie.internal.count import Count
from coterie.network import lift
from coterie.rl.distributions import Categorical
from coterie.rl.masked_stats import mean
from tests.support import catalogue, taught

# ratio, advantage, what counts with a clip of 0.2, its slope in the ratio
CLIPS = [
    (1.0, 2.0, 2.0, 2.0),
    (1.1, 2.0, 2.2, 2.0),
    (1.5, 2.0, 2.4, 0.0),
    (1.5, -2.0, -3.0, -2.0),
    (0.5, 2.0, 1.0, 2.0),
    (0.5, -2.0, -1.6, 0.0),
]


@pytest.mark.parametrize(("ratio", "advantage", "gain", "slope"), CLIPS)
def test_the_clipped_surrogate(ratio, advantage, gain, slope):
    chance = 0.4  # of the action under the old policy

    def objective(ratio):
        new = jnp.log(jnp.stack([ratio * chance, 1 - ratio * chance]))[None, None]
        old = Categorical(jnp.log(jnp.array([[[chance, 1 - chance]]])))
        choice = DrawnAction(jnp.zeros((1, 1), jnp.int32), old)
        scores = jnp.full((1, 1), advantage)
        return IPPO(entropy_coef=0.0).surrogate(Categorical(new), choice, scores, None, (), 3)

    for wrap in (jax.jit, lambda function: function):
        value, gradient = wrap(jax.value_and_grad(objective))(jnp.float32(ratio))
        assert float(value) == pytest.approx(gain, rel=1e-5)
        assert float(gradient) == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_entropy_is_added_and_absent_samples_are_not():
    policy = Categorical.of(jnp.log(jnp.array([[[0.5, 0.5], [0.9, 0.1]]])))
    choice = DrawnAction(jnp.zeros((1, 2), jnp.int32), policy)
    present = jnp.array([[True, False]])
    told = policy, choice, jnp.full((1, 2), 3.0), present, (), 3
    assert float(IPPO(entropy_coef=0.1).objective(*told)) == pytest.approx(3.0 + 0.1 * np.log(2))
    half = IPPO(entropy_coef=0.1).objective(*told, share=0.5)
    assert float(half) == pytest.approx(3.0 + 0.05 * np.log(2))


# value, old value, target, error without and with a clip of 0.2
VALUES = [
    (1.0, 1.0, 2.0, 1.0, 1.0),
    (1.5, 1.0, 2.0, 0.25, 0.64),  # it may count as moved to 1.2 only
    (1.5, 1.0, 1.0, 0.25, 0.25),  # too far off: the larger error counts
    (0.1, 1.0, 0.0, 0.01, 0.64),
]


@pytest.mark.parametrize(("value", "old", "target", "free", "clipped"), VALUES)
def test_the_clipped_value_error(value, old, target, free, clipped):
    seen = Sample(*[None] * 4, target=jnp.full((1, 1), target), value=jnp.full((1, 1), old))
    for clip, error in ((None, free), (0.2, clipped)):
        found = IPPO(value_clip=clip)._value_error(jnp.full((1, 1), value), seen)
        assert float(found[0, 0]) == pytest.approx(error, rel=1e-5)


def test_large_errors_of_values_count_in_a_line():
    """Huber: e^2 up to 1, then 2 |e| - 1."""
    seen = Sample(*[None] * 4, target=jnp.zeros((1, 3)), value=jnp.zeros((1, 3)))
    found = IPPO(huber_delta=1.0)._value_error(jnp.array([[0.5, -1.0, 4.0]]), seen)
    np.testing.assert_allclose(found, [[0.25, 1.0, 7.0]], rtol=1e-6)


def test_steps_fall_in_a_line_and_nothing_moves_in_the_end():
    lesson, _, _ = taught(catalogue(recurrent=False)["ippo"])
    annealed = replace(catalogue(recurrent=False)["ippo"], anneal_steps=100)

    def moved(steps):
        agents = lesson.agents._replace(steps=jax.tree.map(lambda x: jnp.stack([x] * 4), steps))
        after, _, _ = learn(agents, lesson.trajectory, lesson.network, lesson.keys)
        head = after.policy.head.weight - lesson.agents.policy.head.weight
        assert after.steps.whole().tolist() == [int(steps.whole()) + 6 * 4] * 4
        return float(jnp.abs(head).max())

    learn = jax.jit(lift(annealed.learn))
    first, later, last = (moved(Count.of(steps)) for steps in (0, 75, 100))
    assert 0.1 * first < later < 0.5 * first and last == 0.0


def test_a_fitted_intercept_is_the_mean_error_of_values():
    plain = catalogue(recurrent=False)["ippo"]
    lesson, _, _ = taught(plain)
    fitting = replace(plain, fit_intercept=True, critic_lr=1e-12)

    def errors(agent, trajectory):
        told = trajectory.memory.critic, plain.discount, plain.gae_lambda
        return mean(values_and_gae(agent.critic, trajectory, *told)[1], trajectory.view.alive)

    batch = lesson.agents, lesson.trajectory, lesson.network, lesson.keys
    after, _, _ = jax.jit(lift(fitting.learn))(*batch)
    moved = after.critic.head.bias - lesson.agents.critic.head.bias
    wanted = jax.vmap(errors)(lesson.agents, lesson.trajectory)
    assert np.all(np.abs(wanted) > 1e-3)
    np.testing.assert_allclose(moved[:, 0], wanted, rtol=1e-3)
