"""Double Q-learning on a stream of three steps, by hand; exploration, warm-up, target copies."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IQL, InitKeys, Trajectory
from coterie.algorithms.base.algorithm import ActionOnly
from coterie.graph import family
from coterie.internal.count import Count
from coterie.network import lift, networks
from coterie.rl.bodies import Layers
from coterie.rl.layers import Dense
from coterie.rl.models import MLP
from coterie.rl.networks import Policy
from coterie.types import Discrete, LearnerSpec, Observation
from tests.options import with_options

Q = np.array([[2.0, 1.0], [3.0, 5.0]])  # of two states; best: action 0, action 1
TARGET = np.array([[10.0, 20.0], [30.0, 40.0]])
IQL_BY_HAND = with_options(
    IQL(),
    rollout_length=3,
    updates_per_rollout=1,
    batch_size=1,
    buffer_size=1,
    learning_starts=1,
    hidden_sizes=(2,),
    discount=0.5,
    target_update_interval=2,
)


def table(values):
    """A network whose value of action `a` in state `s` (seen one-hot) is `values[s, a]`."""
    body = Layers((Dense(jnp.eye(2), jnp.zeros(2)),), "relu")
    return Policy(body, Dense(jnp.array(values, jnp.float32), jnp.zeros(2)), None, MLP((2,)))


def learner(algorithm, **about):
    state, _ = algorithm.init(InitKeys.of(jax.random.key(0)), LearnerSpec(2, Discrete(2), **about))
    student = state.q_network._replace(values=table(Q), target=table(TARGET))
    return state._replace(q_network=student)


def stream(mask=None, present=None):
    """From state 0 to 1, to 0 for good (terminated), and from 1 to 0 where it is cut off."""
    one_hot = jnp.eye(2)
    flags = jnp.array([[0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], bool)[..., None]
    allowed = None if mask is None else jnp.array(mask, bool)[:, None]
    here = None if present is None else jnp.array(present)[:, None]
    free = None if mask is None else jnp.ones((3, 1, 2), bool)
    return Trajectory(
        Observation(one_hot[jnp.array([0, 1, 1])][:, None], free, here),
        ActionOnly(jnp.array([[1], [0], [1]])),
        jnp.array([[1.0], [2.0], [3.0]]),
        flags[1],
        flags[2],
        flags[3],
        Observation(one_hot[jnp.array([1, 0, 0])][:, None], allowed, here),
        (),
    )


@functools.cache
def team_of_one(algorithm):
    return jax.jit(lift(algorithm.learn))


def learn(algorithm, state, trajectory, times=1):
    """`learn` for a team of one."""
    team = team_of_one(algorithm)
    network, key = networks(family("none", 1)), jax.random.split(jax.random.key(0), 1)
    one = jax.tree.map(lambda x: x[None], (state, trajectory))
    for _ in range(times):
        state, network, metrics = team(*one, network, key)
        one = state, one[1]
    return jax.tree.map(lambda x: x[0], (state, metrics))


# The targets: 1 + 40/2 (state 1's best by Q is action 1), 2 (terminated), 3 + 10/2 (cut off; the
# best by Q is action 0, although the target network prefers 20). The values: 1, 3, 5.
CASES = {
    "plain": (stream(), {}, [21 - 1, 2 - 3, 8 - 5]),
    "masked": (
        stream(mask=[[1, 0], [1, 1], [0, 1]]),
        {"masked": True},
        [1 + 30 / 2 - 1, 2 - 3, 3 + 20 / 2 - 5],
    ),
    "absent": (stream(present=[True, True, False]), {"leaves": True}, [21 - 1, 2 - 3]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_double_q_target(case):
    trajectory, about, errors = CASES[case]
    _, metrics = learn(IQL_BY_HAND, learner(IQL_BY_HAND, **about), trajectory)
    assert float(metrics["critic_loss"]) == pytest.approx(np.mean(np.square(errors)))
    assert float(metrics["value"]) == pytest.approx(np.mean([1, 3, 5][: len(errors)]))


def test_the_gradient_moves_the_values_towards_the_targets_and_not_the_targets():
    state, _ = learn(IQL_BY_HAND, learner(IQL_BY_HAND), stream())
    moved = state.q_network.values.head.weight - Q
    assert np.sign(moved).tolist() == [[0, 1], [-1, 1]]  # 21 > 1, 2 < 3, 8 > 5
    np.testing.assert_array_equal(state.q_network.target.head.weight, TARGET)


def test_the_target_is_copied_every_so_many_updates():
    state, _ = learn(IQL_BY_HAND, learner(IQL_BY_HAND), stream(), times=2)
    assert int(state.q_network.updates) == 2
    np.testing.assert_array_equal(
        state.q_network.target.head.weight, state.q_network.values.head.weight
    )


def test_nothing_is_learned_before_the_warm_up_is_over():
    algorithm = with_options(IQL_BY_HAND, buffer_size=3, learning_starts=3)
    state, _ = learn(algorithm, learner(algorithm), stream(), times=2)
    np.testing.assert_array_equal(state.q_network.values.head.weight, Q)
    assert int(state.q_network.updates) == 0
    state, _ = learn(algorithm, learner(algorithm), stream(), times=3)
    assert int(state.q_network.updates) == 1
    assert int(state.replay.size) == 3


@pytest.mark.parametrize(("steps", "chance"), [(0, 1.0), (50, 0.525), (100, 0.05), (1000, 0.05)])
def test_exploration_falls_in_a_line(steps, chance):
    algorithm = IQL(critic=MLP((2,)), epsilon_decay_steps=100, buffer_size=1)
    state = learner(algorithm, masked=True)._replace(steps=Count.of(steps))
    mask = jnp.tile(jnp.array([[True, True], [False, True]]), (10_000, 1))
    view = Observation(jnp.tile(jnp.eye(2), (10_000, 1)), mask)
    decision, _ = jax.jit(algorithm.act)(state, (), view, jax.random.key(0))
    free, forced = decision.action[::2], decision.action[1::2]
    # In state 0 action 0 is the best, and half of the random ones.
    assert float(jnp.mean(free)) == pytest.approx(chance / 2, abs=0.015)
    assert forced.min() == 1


def test_exploration_is_reported_for_the_steps_played():
    _, metrics = learn(IQL_BY_HAND, learner(IQL_BY_HAND), stream())
    assert float(metrics["epsilon"]) == pytest.approx(1 - 0.95 * 3 / 50_000)
