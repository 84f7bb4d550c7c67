"""Algorithm 1 with tables: by hand, against plain NumPy, in cycles, and what its theorems need."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import InitKeys, LiJiaTabular, Trajectory
from coterie.algorithms.base.algorithm import ActionOnly
from coterie.errors import ConfigError
from coterie.graph import family
from coterie.network import lift, networks
from coterie.types import Discrete, LearnerSpec, Observation
from tests.algorithms.plain_li_jia import Chances, algorithm_1
from tests.algorithms.tables import taught, told

AGENTS, STATES, ACTIONS, STEPS = 3, 6, 2, 400
DRAW = np.random.default_rng(0)
TRANSITION = DRAW.dirichlet(np.ones(STATES), (STATES, *(ACTIONS,) * AGENTS))
REWARD = DRAW.normal(size=TRANSITION.shape[:-1])
WORLD = DRAW.uniform(size=STEPS)


def uniform(keys):
    return jax.random.uniform(keys, (1,))[0]


@functools.partial(jax.jit, static_argnums=0)
def in_coterie(method, keys):
    """The same environment with the method's own `act` and `learn`; keys `[T, 2, N]`."""
    sums = jnp.cumsum(jnp.asarray(TRANSITION, jnp.float32), axis=-1)
    spec = LearnerSpec(1, Discrete(ACTIONS), states=STATES)
    blank, _ = method.init(InitKeys.of(jax.random.key(0)), spec)
    agents = jax.tree.map(lambda x: jnp.broadcast_to(x, (AGENTS, *x.shape)), blank)
    network = networks(family("ring", AGENTS))
    never = jnp.zeros((AGENTS, 1, 1), bool)

    def seen(state):
        return Observation(jnp.full((AGENTS, 1, 1), state, jnp.float32))

    def step(carry, chance):
        agents, state = carry
        keys, fate = chance
        decision, _ = lift(method.act)(agents, (), seen(state), keys[0])
        joint = decision.action[:, 0]
        paid = jnp.asarray(REWARD, jnp.float32)[(state, *joint)]
        following = jnp.sum(sums[(state, *joint)] <= fate)
        record = Trajectory(
            Observation(seen(state).observation[:, None]),
            ActionOnly(decision.action[:, None]),
            jnp.full((AGENTS, 1, 1), paid),
            never,
            never,
            never,
            Observation(seen(following).observation[:, None]),
            (),
        )
        agents, _, _ = lift(method.learn)(agents, record, network, keys[1])
        return (agents, following), (state, joint)

    start = agents, jnp.zeros((), int)
    (agents, last), played = jax.lax.scan(step, start, (keys, jnp.asarray(WORLD, jnp.float32)))
    return agents, jnp.append(played[0], last), played[1]


METHODS = {
    "as it is": LiJiaTabular(),
    "steps that fall": LiJiaTabular(critic_lr=0.5, critic_lr_decay=1.0, actor_lr_decay=0.5),
    "one after the other": LiJiaTabular(update="cyclic", period=7),
    "clipped": LiJiaTabular(logit_min=-0.3, logit_max=0.2),
    "short-sighted": LiJiaTabular(discount=0.0, critic_lr_decay=0.0, critic_lr=0.3),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_step_for_step_as_in_plain_numpy(method):
    keys = jax.random.split(jax.random.key(1), (STEPS, 2, AGENTS))
    agents, states, actions = in_coterie(method, keys)
    numbers = np.asarray(jax.vmap(jax.vmap(jax.vmap(uniform)))(keys))
    plain = algorithm_1(method, TRANSITION, REWARD, Chances(numbers[:, 0], WORLD, numbers[:, 1]))
    np.testing.assert_array_equal(states, plain.states)
    np.testing.assert_array_equal(actions, plain.actions)
    expected = np.stack([plain.critic, plain.preference, plain.visits], axis=2)
    np.testing.assert_allclose(agents.rows, expected, atol=2e-5)
    assert agents.steps.whole().tolist() == [STEPS] * AGENTS


# Two states, two actions: the critic, the preferences and the visits. In state 0 the policy is
# (1/4, 3/4), so v = 1/4 * 2 + 3/4 * 6 = 5; in state 1 action 1 is all but certain.
LOG3 = np.log(3.0)
ROWS = np.array([[[2.0, 6.0], [0.0, LOG3], [1.0, 8.0]], [[0.0, 4.0], [-10.0, 10.0], [0.0, 0.0]]])
BY_HAND = LiJiaTabular(
    critic_lr=0.5, critic_lr_decay=1.0, actor_lr=0.8, actor_lr_decay=0.0, discount=0.5
)
SLOPE = np.array([0.25 * (2 - 5), 0.75 * (6 - 5)])
ONE_STEP = {
    "plain": ({}, [2 + 0.25 * (3 + 0.5 * 4 - 2), 6], SLOPE),
    "nothing follows": ({"ends": [[True]]}, [2 + 0.25 * (3 - 2), 6], SLOPE),
    "the other action cannot follow": (
        {"able_there": [[[True, False]]]},
        [2 + 0.25 * (3 + 0.5 * 0 - 2), 6],
        SLOPE,
    ),
    "the other action was impossible": (
        {"able": [[[True, False]]]},
        [2 + 0.25 * (3 + 0.5 * 4 - 2), 6],
        [0, 0],
    ),
}


@pytest.mark.parametrize("case", ONE_STEP)
def test_one_step_by_hand(case):
    more, critic, slope = ONE_STEP[case]
    rows, metrics, _ = taught(BY_HAND, ROWS, told([[0]], [[0]], [[3.0]], [[1]], **more))
    np.testing.assert_allclose(rows[0, 0], critic, rtol=1e-6)
    np.testing.assert_allclose(rows[0, 1], ROWS[0, 1] + 0.8 * np.array(slope), rtol=1e-6)
    assert rows[0, 2].tolist() == [2, 8]
    np.testing.assert_array_equal(rows[1], ROWS[1].astype(np.float32))
    assert float(metrics["critic_loss"]) == pytest.approx(((critic[0] - 2) / 0.25) ** 2, rel=1e-5)


def test_games_side_by_side_are_as_many_steps_of_one():
    """In the order of time, and within a step from environment to environment; with the same random
    numbers."""
    here, action, there = [[0, 1], [0, 0]], [[0, 1], [1, 1]], [[0, 1], [1, 0]]
    reward = [[1.0, 12.0], [-3.0, 4.0]]
    wide = taught(BY_HAND, ROWS, told(here, action, reward, there))
    each = [np.reshape(x, (4, 1)) for x in (here, action, reward, there)]
    long = taught(BY_HAND, ROWS, told(*each))
    np.testing.assert_array_equal(wide[0], long[0])
    assert int(wide[2].steps.whole()) == 4
    assert wide[0][1, 0, 1] != ROWS[1, 0, 1]  # which the steps after it depend on


def test_who_is_absent_learns_nothing():
    steps = [[1], [0]], [[0], [1]], [[9.0], [1.0]], [[1], [1]]
    rows, metrics, _ = taught(BY_HAND, ROWS, told(*steps, present=[[False], [True]]), key=3)
    only, same, _ = taught(BY_HAND, ROWS, told(*(x[1:] for x in steps)), key=3)
    np.testing.assert_allclose(rows, only)
    assert float(metrics["value"]) == float(same["value"]) == pytest.approx(5.0)


def test_actions_are_drawn_as_often_as_the_policy_says():
    state = taught(BY_HAND, ROWS, told([[1]], [[1]], [[0.0]], [[1]]))[2]
    view = Observation(jnp.zeros((4000, 1)), jnp.ones((4000, 2), bool).at[2000:, 1].set(False))
    decision, _ = jax.jit(BY_HAND.act)(state, (), view, jax.random.key(0))
    assert float(jnp.mean(decision.action[:2000])) == pytest.approx(0.75, abs=0.03)
    assert decision.action[2000:].max() == 0
    policy = BY_HAND.policy(state)
    choices = policy.choices(
        policy.body.step(view.observation[:1], ())[0], Observation(view.observation)
    )
    np.testing.assert_allclose(choices.log_prob(jnp.array([1])), np.log(0.75), rtol=1e-5)


REFUSED = {
    "no room": ({"logit_min": 3.0, "logit_max": 3.0}, "must be below logit_max"),
    "too wide": ({"logit_max": 90.0}, r"lie 100 apart, .* rounded to 0, .* at most 80"),
    "steps too large": (
        {"update": "cyclic", "critic_lr_decay": 0.5},
        r"critic_lr_decay must be above 0.5 and at most 1 .* eqs. 9 and 10\), not 0.5",
    ),
    "steps that grow": ({"critic_lr_decay": -0.1}, "critic_lr_decay must lie between 0 and 1"),
    "more than all": ({"critic_lr": 1.5}, "critic_lr must be greater than 0 and at most 1"),
    "no turn": ({"update": "cyclic", "period": 0}, "period must be at least 1, not 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_numbers_that_make_no_sense_are_refused(case):
    options, sentence = REFUSED[case]
    with pytest.raises(ConfigError, match=sentence):
        LiJiaTabular(**options).check(1)


def test_constant_steps_are_refused_only_where_the_theorem_is_invoked():
    LiJiaTabular(critic_lr_decay=0.0).check(1)
    LiJiaTabular(update="cyclic", critic_lr_decay=0.7).check(1)
