"""Independent DDPG: the rule of MADDPG in a team of one, and chances of its own."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IDDPG, ExperienceReplay, InitKeys
from coterie.algorithms.base.off_policy import ActorCriticState, Models, OffPolicyState
from coterie.algorithms.ddpg import Transition
from coterie.centralized import MADDPG
from coterie.centralized.maddpg import PAYLOAD
from coterie.graph import family
from coterie.network import lift, networks
from coterie.rl import replay
from coterie.types import Box, Discrete, LearnerSpec, Observation
from tests.options import with_options

TEAM, BATCH, SEEN, WIDTH = 3, 8, 2, 2
OPTIONS = {"rollout_length": 2, "n_step": 1, "hidden_sizes": (4,), "discount": 0.5}
IDDPG_, MADDPG_ = (with_options(kind(), **OPTIONS) for kind in (IDDPG, MADDPG))
KEYS = jax.random.split(jax.random.key(3), TEAM)


def views(random):
    seen = jnp.asarray(random.normal(size=(TEAM, BATCH, SEEN)), jnp.float32)
    return Observation(seen, state=seen)


def team(space):
    """Agents whose targets are not what they follow, and steps that they draw."""
    random = np.random.default_rng(0)
    spec = LearnerSpec(SEEN, space(WIDTH))
    students = jax.vmap(lambda key: IDDPG_.init(InitKeys.of(key), spec)[0].actor_critic)(KEYS)

    def moved(x):
        return x + 0.3 * jnp.asarray(random.normal(size=x.shape), x.dtype)

    models = jax.tree.map(moved, students.models)
    students = students._replace(models=models, target=jax.tree.map(moved, models))
    actions = jnp.tanh(jnp.asarray(random.normal(size=(TEAM, BATCH, WIDTH)), jnp.float32))
    reward = jnp.asarray(random.normal(size=(TEAM, BATCH)), jnp.float32)
    discount = 0.5 * jnp.broadcast_to(jnp.arange(BATCH) % 2, (TEAM, BATCH))
    return students, Transition(views(random), actions, reward, discount, views(random))


def rule(algorithm):
    """A team's targets, and what its policies climb."""

    def one(student, sample, network, index, key):
        targets, _, _ = algorithm.critic_targets(student, sample, network, key)
        return targets, algorithm.actor_objective(student.models, sample, index, key)[0]

    return jax.jit(lift(one))


@pytest.mark.parametrize("space", [Box, Discrete])
def test_an_agent_learns_as_a_team_of_one_with_a_central_critic(space):
    students, sample = team(space)
    apart = networks(family("none", TEAM))
    targets, climbed = rule(IDDPG_)(students, sample, apart, jnp.arange(TEAM), KEYS)
    alone, central = networks(family("none", 1), (PAYLOAD,)), rule(MADDPG_)
    for agent in range(TEAM):
        student, mine, key = jax.tree.map(
            operator.itemgetter(slice(agent, agent + 1)), (students, sample, KEYS)
        )
        expected, wanted = central(student, mine, alone, jnp.zeros(1, int), key)
        np.testing.assert_allclose(targets.target[agent], expected.target[0], atol=1e-6)
        np.testing.assert_array_equal(targets.action[agent], expected.action[0])
        np.testing.assert_allclose(climbed[agent], wanted[0], atol=1e-6)


@pytest.mark.parametrize(("space", "encoded"), [(Box, None), (Discrete, 3)])
def test_it_remembers_its_action_as_its_critic_sees_it(space, encoded):
    spec = LearnerSpec(SEEN, space(3))
    state, memory = IDDPG_.init(InitKeys.of(KEYS[0]), spec)
    done, _ = IDDPG_.act(state, memory, Observation(jnp.ones((5, SEEN))), KEYS[1])
    expected = done.action if encoded is None else jax.nn.one_hot(done.action, encoded)
    np.testing.assert_allclose(done.encoded, expected, atol=1e-6)
    assert state.replay.items.actions.shape[-1] == 3


def drawn(network):
    """Numbers of the steps that each agent draws first, of a memory of a hundred."""
    memory, nothing = ExperienceReplay(updates_per_rollout=1, learning_starts=0), Models(None, None)

    def learn(network, key):
        student = ActorCriticState(nothing, nothing, jnp.zeros(20), jnp.zeros((), jnp.int32))
        state = OffPolicyState(student, replay.empty(jnp.zeros(()), 100))

        def draw(stored, key):
            return replay.sample(stored, key, 20)

        def improve(student, sample, network, key):
            return student._replace(optimizer=sample), network, {}

        steps = jnp.arange(100.0)[:, None]
        return memory.learn(state, steps, draw, improve, network, key)[0].actor_critic.optimizer

    return np.asarray(lift(learn)(network, KEYS))


def test_who_tells_nobody_draws_steps_of_its_own():
    apart, linked = (
        drawn(networks(family("line", TEAM))),
        drawn(networks(family("line", TEAM), "x")),
    )
    assert (linked == linked[0]).all()
    assert not (apart[0] == apart[1]).all() and not (apart[1] == apart[2]).all()
