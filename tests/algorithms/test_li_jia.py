"""Algorithm 2 of Li & Jia: what gossip finds, what the weights do, and what is remembered."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import InitKeys, LiJia, Trajectory
from coterie.algorithms.base.off_policy import Models
from coterie.algorithms.li_jia.li_jia import SquashedAction, Transition
from coterie.algorithms.li_jia.others_log_ratio import (
    PAYLOAD,
    GossipEstimate,
    LogRatioState,
    TrackingEstimate,
)
from coterie.errors import ConfigError
from coterie.graph import family
from coterie.network import LinkDropout, lift, networks
from coterie.rl.importance import ess_fraction, importance
from coterie.rl.layers import Dense
from coterie.rl.networks import ActionCritic
from coterie.types import Box, LearnerSpec, Observation
from tests.options import with_options
from tests.support import taught, touched

SMALL = with_options(
    LiJia(),
    rollout_length=2,
    updates_per_rollout=1,
    batch_size=8,
    buffer_size=16,
    learning_starts=1,
    hidden_sizes=(4,),
    discount=0.5,
)
RING = family("ring", 5)
BETA = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)


def others_of(beta):
    return beta.sum(axis=0) - beta


@functools.partial(jax.jit, static_argnames="rounds")
def estimated(network, rounds):
    def mine(own, network):
        return GossipEstimate(rounds).others_log_ratio(None, own, network)[0]

    return jax.jit(lift(mine))(BETA, network)


@pytest.mark.parametrize("loss", [0.0, 0.5])
@pytest.mark.parametrize("rounds", [1, 4])
def test_gossip_keeps_the_sum_of_all(rounds, loss):
    """`sum x = sum beta` after every round, also where links fail: so `c` is right on average."""
    network = networks(RING, (PAYLOAD,), channels=(LinkDropout(loss),))
    mean = (np.asarray(estimated(network, rounds)) + BETA) / 5
    np.testing.assert_allclose(mean.sum(axis=0), BETA.sum(axis=0), rtol=1e-4, atol=1e-5)
    assert np.abs(mean - mean[0]).max() > 1e-3  # nobody knows it yet


def test_many_rounds_find_the_others_log_ratios_exactly():
    far = estimated(networks(RING, (PAYLOAD,)), 80)
    np.testing.assert_allclose(far, others_of(BETA), atol=1e-4)


@pytest.mark.parametrize("loss", [0.0, 0.5])
def test_what_is_tracked_follows_moving_policies(loss):
    """The invariant of eq. 45 and 46, and their fixed point once policies rest."""

    def mine(own, network):
        def once(carry, beta):
            drift, network = carry
            drift, network = TrackingEstimate().updated(drift, beta, network)
            return (drift, network), drift

        steps = jnp.stack([own, 3 * own, own**2] + [2 * own] * 80)
        return jax.lax.scan(once, (TrackingEstimate().start(7), network), steps)

    network = networks(RING, (PAYLOAD,), channels=(LinkDropout(loss),))
    (last, network), history = jax.jit(lift(mine))(BETA, network)
    sums = history.mean.sum(axis=0), history.own.sum(axis=0)
    np.testing.assert_allclose(*sums, rtol=1e-4, atol=1e-4)
    others, _ = lift(lambda d, n: TrackingEstimate().others_log_ratio(d, d.own, n))(last, network)
    np.testing.assert_allclose(others, others_of(2 * BETA), atol=1e-3 if loss == 0.0 else 0.3)


def test_weights_by_hand():
    log_weight = jnp.log(jnp.array([1.0, 3.0, 50.0]))
    weight = importance(log_weight, clip=np.log(6.0))
    np.testing.assert_allclose(weight, [1, 3, 6], rtol=1e-5)
    np.testing.assert_allclose(importance(-log_weight, clip=np.log(6.0)), 1 / weight, rtol=1e-5)
    assert float(ess_fraction(weight)) == pytest.approx(100 / 46 / 3, rel=1e-5)
    here = jnp.array([True, True, False])
    np.testing.assert_allclose(importance(log_weight, 9.0, True, here)[:2], [0.5, 1.5], rtol=1e-5)
    assert float(ess_fraction(weight, here)) == pytest.approx(16 / 10 / 2, rel=1e-5)


HERE = np.ones((2, 8), bool)


def lesson_of(algorithm, change, others=jnp.zeros(8), present=HERE):  # noqa: B008 (not changed)
    """The lesson that agent 0 of two has for drawn steps, after `change` of its parameters.

    others:  the log ratios that the other agent finds.
    present: which of the two was there.
    """
    spec = LearnerSpec(2, Box(2))
    learner, _ = algorithm.init(InitKeys.of(jax.random.key(0)), spec)
    view = Observation(jax.random.normal(jax.random.key(1), (8, 2)))
    thrown, _ = algorithm.act(learner, (), view, jax.random.key(2))
    sample = Transition(
        view,
        thrown.inner,
        thrown.log_prob,
        jnp.arange(8.0),
        jnp.arange(8) % 2 == 0,
        view,
        None,
    )
    student = learner.actor_critic
    target = jax.tree.map(lambda x: x + 0.1, student.target)
    student = student._replace(models=change(student.models), target=target)

    def mine(log_prob, present, network):
        moved = sample._replace(log_prob=log_prob, view=view._replace(alive=present))
        return algorithm.critic_targets(student, moved, network, jax.random.key(3))

    log_probs = jnp.stack([thrown.log_prob, thrown.log_prob - others])
    graph = family("complete", 2)
    lessons, _, metrics = jax.jit(lift(mine))(
        log_probs, jnp.asarray(present), networks(graph, (PAYLOAD,))
    )
    return jax.tree.map(lambda x: x[0], (lessons, metrics)), sample, student


def shifted(models):
    return models._replace(
        policy=jax.tree.map(lambda x: x + 0.1 if x is models.policy.head.bias else x, models.policy)
    )


def test_with_resting_policies_it_is_expected_sarsa():
    """Weights of 1; the target looks at what follows unless nothing does."""
    (lesson, metrics), sample, student = lesson_of(SMALL, lambda models: models)
    np.testing.assert_allclose(lesson.weight, 1.0, atol=1e-5)
    assert float(metrics["ess_fraction"]) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(lesson.target[::2], sample.reward[::2])
    np.testing.assert_allclose(lesson.action, np.tanh(sample.inner), rtol=1e-6)
    policy = student.models.policy
    choices = policy.choices(policy.body.step(sample.view.observation, ())[0], sample.view)
    following = choices.sample(jax.random.key(3))
    later = student.target.critic.value(sample.view.observation, following)
    np.testing.assert_allclose(
        lesson.target, sample.reward + 0.5 * later * (np.arange(8) % 2), rtol=1e-5
    )


def test_only_the_others_moves_are_weighed():
    """My own policy has moved, too, but `Q(s, a_i)` is of the action that I took."""
    (alone, _), *_ = lesson_of(SMALL, shifted)
    # Both agents have moved alike here: the other's ratio is my own.
    (both, metrics), *_ = lesson_of(SMALL, shifted, others=jnp.linspace(-1, 1, 8))
    np.testing.assert_allclose(
        jnp.log(both.weight / alone.weight), np.linspace(-1, 1, 8), atol=1e-4
    )
    assert float(metrics["mean_log_importance_weight"]) == pytest.approx(
        float(jnp.mean(jnp.log(both.weight))), 1e-3
    )


def test_who_was_not_there_has_not_moved():
    """Agent 1 was there at every other step, whatever it would do at the rest."""
    there = np.stack([HERE[0], np.arange(8) % 2 == 0])
    (lesson, _), *_ = lesson_of(SMALL, lambda models: models, jnp.linspace(-1, 1, 8), there)
    np.testing.assert_allclose(
        jnp.log(lesson.weight), np.linspace(-1, 1, 8) * there[1], rtol=1e-4, atol=1e-5
    )


def test_a_weighted_gradient_is_that_of_the_policy_of_now():
    """Enumerated: two actions of another agent, drawn then with chances of their own."""
    then, now = np.array([0.8, 0.2]), np.array([0.3, 0.7])
    reward = np.array([1.0, -2.0])
    counts = 10 * then  # how often each is in the memory
    weight = importance(jnp.log(now / then), clip=3.0)
    value = 0.25
    slope = np.sum(counts * np.asarray(weight) * (value - reward)) / counts.sum()
    assert slope == pytest.approx(value - now @ reward, rel=1e-5)


def trajectory(shape=(2, 4)):
    view = Observation(jnp.ones((*shape, 2)))
    no, zeros = jnp.zeros(shape, bool), jnp.zeros(shape)
    thrown = SquashedAction(jnp.zeros((*shape, 2)), jnp.zeros((*shape, 2)), zeros)
    return Trajectory(view, thrown, zeros + 1.0, no, ~no, ~no, view, ())


def test_every_step_is_remembered_as_it_was():
    algorithm = replace(SMALL, weight_estimation=TrackingEstimate())
    numbers = jnp.arange(8.0).reshape(2, 4)
    steps = algorithm.steps(trajectory()._replace(reward=numbers))
    assert isinstance(steps.drift, LogRatioState)
    assert steps.drift.mean.shape == steps.reward.shape == (2, 4)
    assert SMALL.steps(trajectory()).drift is None
    np.testing.assert_array_equal(steps.reward, numbers)


def test_as_printed_new_steps_start_at_zero_and_lag_one_update():
    """Stored estimates change only after the gradient steps, and the sums stay equal."""
    algorithm = replace(SMALL, weight_estimation=TrackingEstimate(), actor_lr=0.1)
    spec = LearnerSpec(2, Box(2))
    keys = jax.random.split(jax.random.key(0), 5)
    agents = jax.vmap(lambda key: algorithm.init(InitKeys.of(key), spec)[0])(keys)
    network, learn = networks(RING, (PAYLOAD,)), jax.jit(lift(algorithm.learn))
    told = jax.tree.map(lambda x: jnp.broadcast_to(x, (5, *x.shape)), trajectory())
    for _ in range(3):
        agents, network, _ = learn(agents, told, network, keys)
        drift = agents.replay.items.drift
        np.testing.assert_allclose(
            drift.mean.sum(axis=0), drift.own.sum(axis=0), rtol=1e-3, atol=1e-3
        )
    assert np.abs(drift.own).max() > 0.1
    assert network.traffic[PAYLOAD].rounds.tolist() == [3] * 5
    assert network.traffic[PAYLOAD].bytes.tolist() == [3 * 16 * 4 * 2] * 5


def test_all_draw_the_same_steps_and_only_log_ratios_travel():
    """After `K` rounds an agent has heard of `K` hops, and never of a reward."""
    lesson, learn, _ = taught(with_options(SMALL, rounds=1, rollout_length=6, buffer_size=24))
    before = learn(*lesson)[0].actor_critic
    paid = lesson.trajectory.reward.copy()
    paid[0] += 1.0
    other = learn(*lesson._replace(trajectory=lesson.trajectory._replace(reward=paid)))[
        0
    ].actor_critic
    assert touched(before, other) == {0}
    thrown = lesson.trajectory.decision
    log_prob = thrown.log_prob.copy()
    log_prob[0] += 1.0
    told = lesson.trajectory._replace(decision=thrown._replace(log_prob=log_prob))
    other = learn(*lesson._replace(trajectory=told))[0].actor_critic
    assert touched(before.models.critic, other.models.critic) == {0, 1}


def test_critics_see_the_state_if_asked():
    lesson, learn, _ = taught(replace(SMALL, critic_uses_state=True))
    before, view = learn(*lesson)[0].actor_critic.models, lesson.trajectory.view
    moved = lesson.trajectory._replace(view=view._replace(state=view.state + 1.0))
    after = learn(*lesson._replace(trajectory=moved))[0].actor_critic.models
    assert touched(before.critic, after.critic) == {0, 1, 2, 3}
    assert before.critic.seen.weight.shape[1] == view.state.shape[-1] == 3
    blind, *_ = taught(SMALL)
    assert blind.trajectory.view.state is None


def test_the_policy_climbs_its_critic():
    """Of a critic that is `16 a` for positive features, the mean action has a positive slope."""
    learner, _ = SMALL.init(InitKeys.of(jax.random.key(0)), LearnerSpec(2, Box(1)))
    policy, critic = learner.actor_critic.models
    seen = Dense(jnp.zeros((2, 4)), 9.0 * jnp.ones(4))
    head = Dense(jnp.ones((4, 1)), jnp.zeros(1))
    critic = ActionCritic(seen, 4.0 * jnp.ones((1, 4)), critic.body, head, None, None, "relu")
    view, zeros = Observation(jnp.ones((8, 2))), jnp.zeros(8)
    sample = Transition(view, zeros[:, None], zeros, zeros, zeros > 0, view, None)

    def climbed(policy):
        return jnp.mean(
            SMALL.actor_objective(Models(policy, critic), sample, jnp.array(0), jax.random.key(0))[
                0
            ]
        )

    slope = jax.jit(jax.grad(climbed))(policy).head.bias
    choices = policy.choices(policy.body.step(view.observation, ())[0], view)
    action = choices.sample(jax.random.key(0))
    np.testing.assert_allclose(slope, [16 * np.mean(1 - np.square(action))], rtol=1e-4)


WRONG = {
    "rounds": (0, "rounds must be at least 1, not 0"),
    "log_weight_clip": (-1.0, "log_weight_clip must be at least 0, not -1.0"),
    "std_min": (2.0, "std_min 2.0 is above std_max 1.0"),
    "tau": (0.0, "tau must be greater than 0 and at most 1, not 0.0"),
    "learning_starts": (17, "memory of 16 never holds learning_starts of 17"),
    "batch_size": (17, "a batch of 17 is more than a replay memory of 16 holds"),
    "buffer_size": (7, "4 environments bring 8 steps at once, more than a replay memory of 7"),
}


@pytest.mark.parametrize("field", WRONG)
def test_what_makes_no_sense_gets_a_sentence(field):
    value, sentence = WRONG[field]
    with pytest.raises(ConfigError, match=sentence):
        with_options(SMALL, **{field: value}).check(4)
