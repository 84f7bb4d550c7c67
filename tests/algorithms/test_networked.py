"""Networked actor-critics: the paper's formulas, the mean reward for all, a dilemma solved."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import InitKeys, NetworkedAC, NetworkedQAC, Trajectory
from coterie.algorithms.base.algorithm import ActionOnly
from coterie.algorithms.networked.networked_q import Step
from coterie.centralized import CENTRAL_AC
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Timestep
from coterie.errors import ConfigError
from coterie.graph import family, uniform
from coterie.network import Communication, networks
from coterie.rl.models import GRU
from coterie.training.state import init_state, iteration
from coterie.types import LearnerSpec
from tests.options import with_options
from tests.support import assert_same, taught

LINEAR = {
    "hidden_sizes": (),
    "optimizer": "sgd",
    "actor_lr": 0.1,
    "critic_lr": 0.05,
    "entropy_coef": 0.0,
    "discount": 1.0,
    "gae_lambda": 0.0,
    "critic_epochs": 1,
    "max_grad_norm": 1e6,
    "rollout_length": 3,
}


@dataclasses.dataclass(frozen=True)
class Dilemma(JaxEnv):
    """Each of three may help: it costs the helper 1 and brings 2 to everybody else.

    Alone, nobody helps (0 each); as a team, all do (3 each).
    """

    @property
    def specs(self):
        return (AgentSpec(1, Discrete(2)),) * 3

    def reset(self, key):
        return jnp.zeros(()), Observation(jnp.ones((3, 1)))

    def step(self, state, action):
        helps = action.astype(jnp.float32)
        paid = 2.0 * (jnp.sum(helps) - helps) - helps
        over = jnp.ones(3, bool)
        return state, Timestep(Observation(jnp.ones((3, 1))), paid, over, ~over, {})

    def global_state(self, state, view):
        return jnp.ones(1)


@functools.cache
def helping(algorithm, graph):
    """How likely each agent is to help after learning."""
    env = Dilemma()
    vector = env.vectorize(16)
    team = init_state(algorithm, env, vector, Communication(family(graph, 3)), jax.random.key(0))
    round_ = iteration(algorithm, env, vector)
    scan = jax.jit(lambda t: jax.lax.scan(lambda t, _: (round_(t)[0], None), t, length=400)[0])
    policy = scan(team).agents.policy
    seen = Observation(jnp.ones((3, 1)))
    choices = jax.vmap(lambda p, v: p.choices(p.body.step(v.observation, ())[0], v))(policy, seen)
    return np.exp(choices.log_probs[:, 1])


QUICK = {
    "rollout_length": 1,
    "hidden_sizes": (),
    "actor_lr": 0.02,
    "critic_lr": 0.05,
    "gae_lambda": 0.0,
    "critic_epochs": 1,
    "discount": 0.95,
    "entropy_coef": 0.0,
}


@pytest.mark.parametrize(
    "algorithm",
    [
        with_options(NetworkedAC(), **QUICK),
        with_options(NetworkedQAC(), **QUICK),
    ],
    ids=["ac", "q"],
)
def test_only_a_team_that_talks_learns_to_help(algorithm):
    assert (helping(algorithm, "line") > 0.9).all()
    assert (helping(algorithm, "none") < 0.1).all()


@pytest.mark.parametrize("kind", [NetworkedAC, NetworkedQAC])
def test_the_mean_of_all_actions_is_enough_to_learn_to_help(kind):
    assert (helping(with_options(kind(), **QUICK, critic_actions="mean"), "line") > 0.9).all()


def test_a_center_that_is_told_the_mean_learns_to_help():
    assert (helping(with_options(CENTRAL_AC, **QUICK), "none") > 0.9).all()


def test_one_step_of_algorithm_2_is_the_papers_formulas():
    algorithm = with_options(NetworkedAC(), **LINEAR)
    (agents, trajectory, network, keys), learn, _ = taught(algorithm)
    after, _, _ = learn(agents, trajectory, network, keys)
    moved = []
    for i in range(4):
        mine = jax.tree.map(
            lambda x, i=i: np.asarray(x[i], np.float64), trajectory._replace(memory=())
        )
        here, there = mine.view.state, mine.next_view.state
        seen = np.concatenate([here, mine.actions.reshape(*here.shape[:-1], -1)], axis=-1)
        critic = jax.tree.map(lambda x, i=i: np.asarray(x[i], np.float64), agents.critic)
        v, b = critic.value.head.weight[:, 0], critic.value.head.bias[0]
        w, c = critic.reward.head.weight[:, 0], critic.reward.head.bias[0]
        follows = np.where(mine.terminated, 0.0, there @ v + b)
        error = mine.reward - float(agents.average[i]) + follows - (here @ v + b)
        misfit = mine.reward - (seen @ w + c)
        share = mine.view.alive / max(mine.view.alive.sum(), 1)
        moved.append(
            (
                v + 0.05 * np.einsum("tg,tgs->s", share * error, here),
                w + 0.05 * np.einsum("tg,tgs->s", share * misfit, seen),
            )
        )
        average = agents.average[i] + 0.05 * ((share * mine.reward).sum() - agents.average[i])
        np.testing.assert_allclose(after.average[i], average, atol=1e-5)
    mix = family("line", 4).weights
    for place, part in enumerate(("value", "reward")):
        expected = mix @ np.stack([one[place] for one in moved])
        found = getattr(after.critic, part).head.weight[..., 0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


FORMS = {
    "average": {"discount": 1.0},
    "discounted": {
        "discount": 0.8,
        "entropy_coef": 0.1,
        "actor_lr_decay": 0.9,
        "critic_lr_decay": 0.6,
    },
}
ALPHA, BETA = 0.1, 0.05


def rate(first, decay):
    """A step size at the third update."""
    return first / 3.0**decay


def of(i, tree):
    """Agent `i`'s part of a team's tree."""
    return jax.tree.map(lambda x: x[i], tree)


def linear(critic, inputs):
    return inputs @ critic.head.weight[:, 0] + critic.head.bias[0]


def climbed(algorithm, policy, view, action, advantage, counts):
    """The weights of a linear policy after one step along its score and its entropy."""

    def objective(policy):
        choices = chosen(policy, view)
        gain = advantage * choices.log_prob(action) + algorithm.entropy_coef * choices.entropy()
        return jnp.sum(jnp.where(counts, gain, 0.0)) / counts.sum()

    step = rate(ALPHA, algorithm.actor_lr_decay)
    return policy.head.weight + step * jax.jit(jax.grad(objective))(policy).head.weight


def chosen(policy, view):
    """What a policy without memory chooses from."""
    view = jax.tree.map(jnp.asarray, view)
    return policy.choices(policy.body.step(view.observation, ())[0], view)


@pytest.mark.parametrize("form", FORMS)
def test_the_policy_climbs_the_teams_error(form):
    """`R(s, a) - mu + gamma V(s') - V(s)`, later ones counted by the trace."""
    algorithm = with_options(NetworkedAC(), **LINEAR | FORMS[form] | {"gae_lambda": 0.5})
    (agents, trajectory, network, keys), learn, _ = taught(algorithm)
    after, _, _ = learn(agents, trajectory, network, keys)
    for i in range(4):
        mine, critic = of(i, trajectory._replace(memory=())), of(i, agents.critic)
        here, there = mine.view.state, mine.next_view.state
        done = np.concatenate([here, mine.actions.reshape(*here.shape[:-1], -1)], axis=-1)
        average = agents.average[i] if form == "average" else 0.0
        follows = np.where(mine.terminated, 0.0, linear(critic.value, there))
        error = linear(critic.reward, done) - average - linear(critic.value, here)
        error = error + algorithm.discount * follows
        advantage = error.copy()
        for t in (1, 0):
            later = 0.5 * algorithm.discount * advantage[t + 1]
            advantage[t] += np.where(mine.terminated[t] | mine.truncated[t], 0.0, later)
        action, policy = jnp.asarray(mine.decision.action), of(i, agents.policy)
        expected = climbed(algorithm, policy, mine.view, action, advantage, mine.view.alive)
        np.testing.assert_allclose(after.policy.head.weight[i], expected, atol=1e-5)


def test_what_follows_after_an_agent_has_left_is_none_of_its_advantage():
    """It is paid 1, 1 and leaves; the others play on, and `R` is -8 then; V is 0 everywhere."""
    algorithm = with_options(NetworkedAC(), **LINEAR | {"discount": 0.97, "gae_lambda": 0.5})
    spec = LearnerSpec(1, Discrete(2), leaves=True, state=1, sizes=(2, 2))
    state, _ = algorithm.init(InitKeys.of(jax.random.key(0)), spec)
    alone = of(0, networks(family("none", 2), ("critic",)))
    blank = jax.tree.map(jnp.zeros_like, state.critic)
    critic = eqx.tree_at(lambda c: c.reward.head.weight, blank, jnp.eye(5)[:, :1])
    paid = jnp.array([[1.0], [1.0], [-8.0]])
    present, over = jnp.array([[[True], [True], [False]], [[False], [False], [True]]])
    view = Observation(paid[..., None], None, present, state=paid[..., None])
    ends, never = jnp.array([[False], [True], [True]]), jnp.zeros((3, 1), bool)
    for flags in ((ends, never), (never, ends)):
        trajectory = Trajectory(
            view,
            ActionOnly(jnp.zeros((3, 1), int)),
            paid,
            *flags,
            over,
            view,
            (),
            jnp.zeros((3, 1, 2, 2)),
        )
        lesson = algorithm.targets(state._replace(critic=critic), trajectory, alone, jnp.zeros(()))
        np.testing.assert_allclose(lesson.advantage[:2, 0], [1.0 + 0.97 * 0.5, 1.0])


@pytest.mark.parametrize("crowd", ["joint", pytest.param("mean", marks=pytest.mark.deep)])
@pytest.mark.parametrize("form", FORMS)
def test_one_step_of_algorithm_1_is_the_papers_formulas(form, crowd):
    algorithm = with_options(NetworkedQAC(), **LINEAR | FORMS[form], critic_actions=crowd)
    (agents, trajectory, _, keys), learn, _ = taught(algorithm)
    after, _, _ = learn(agents, trajectory, networks(family("none", 4), ("critic",)), keys)
    for i in range(4):
        critic, policy = of(i, agents.critic), of(i, agents.policy)
        steps = jax.tree.map(
            lambda x, y, i=i: np.concatenate([x[i][None], y[i]]), agents.last, told(trajectory)
        )
        now, then = (
            jax.tree.map(lambda x, cut=cut: x[cut], steps) for cut in (np.s_[:-1], np.s_[1:])
        )
        counts = now.real & (now.ends | ~now.cut)
        average = agents.average[i] if form == "average" else 0.0
        value = linear(critic, now.done)
        follows = np.where(now.ends, 0.0, linear(critic, then.done))
        error = now.reward - average + algorithm.discount * follows - value
        share = np.where(counts, error, 0.0) / counts.sum()
        step = rate(BETA, algorithm.critic_lr_decay)
        moved = critic.head.weight[:, 0] + step * np.einsum("tg,tgi->i", share, now.done)
        np.testing.assert_allclose(after.critic.head.weight[i, :, 0], moved, atol=1e-5)

        chance = np.exp(chosen(policy, now.view).log_probs)
        width = chance.shape[-1]
        place = now.done.shape[-1] - width * (4 - i if crowd == "joint" else 1)
        weights = critic.head.weight[place : place + width, 0] / (1 if crowd == "joint" else 4)
        own = np.eye(width)[now.action]
        advantage = (own - chance) @ weights  # of a linear critic, all else is the same
        expected = climbed(algorithm, policy, now.view, jnp.asarray(now.action), advantage, counts)
        np.testing.assert_allclose(after.policy.head.weight[i], expected, atol=1e-5)


def told(trajectory):
    """The steps of an experience, as `networked-q` keeps them."""
    view, actions = trajectory.view, trajectory.actions
    done = np.concatenate([view.state, actions.reshape(*view.state.shape[:-1], -1)], axis=-1)
    action, ends = trajectory.decision.action, trajectory.terminated
    cut = trajectory.truncated | trajectory.over
    return Step(view, done, action, trajectory.reward, ends, cut, view.alive)


def test_epochs_are_steps_and_rounds_are_averages():
    form = LINEAR | {"discount": 0.8}
    (agents, trajectory, line, keys), learn, _ = taught(with_options(NetworkedAC(), **form))
    none = networks(family("none", 4), ("critic",))
    once = learn(agents, trajectory, none, keys)[0]
    twice = learn(once, trajectory, none, keys)[0]
    _, longer, _ = taught(with_options(NetworkedAC(), **form | {"critic_epochs": 2}, rounds=2))
    assert_same(longer(agents, trajectory, none, keys)[0].critic, twice.critic, 1e-5)
    mix = np.linalg.matrix_power(family("line", 4).weights, 2)
    mixed = jax.tree.map(lambda x: np.tensordot(mix, x, axes=1), twice.critic)
    assert_same(longer(agents, trajectory, line, keys)[0].critic, mixed, 1e-4)


def test_complete_and_uniform_is_the_critic_of_the_mean_reward():
    """From equal critics, one step with everybody's average is one step on the mean reward."""
    (agents, trajectory, _, keys), learn, _ = taught(with_options(NetworkedAC(), **LINEAR))
    same = jax.tree.map(lambda x: np.broadcast_to(x[:1], x.shape), (agents.critic, agents.average))
    agents = agents._replace(critic=same[0], average=same[1])
    present = np.ones_like(trajectory.view.alive)
    view = trajectory.view._replace(alive=present)
    ends = np.broadcast_to(trajectory.terminated[:1], trajectory.terminated.shape)
    trajectory = trajectory._replace(view=view, terminated=ends)
    reward = trajectory.reward
    told = trajectory._replace(reward=np.broadcast_to(reward.mean(axis=0), reward.shape))
    complete, none = (
        networks(g, ("critic",)) for g in (family("complete", 4, uniform), family("none", 4))
    )
    together, alone = (
        learn(agents, trajectory, complete, keys)[0],
        learn(agents, told, none, keys)[0],
    )
    assert_same(together.critic, alone.critic, 1e-5)


def test_the_step_before_a_cut_is_left_out_and_the_last_one_waits():
    (agents, trajectory, network, keys), learn, _ = taught(
        with_options(NetworkedQAC(), **{**LINEAR, "rollout_length": 6})
    )
    after, _, _ = learn(agents, trajectory, network, keys)
    assert_same(after.last.reward, trajectory.reward[:, -1])
    cut = (trajectory.over | trajectory.truncated) & ~trajectory.terminated
    assert (cut & trajectory.view.alive & ~trajectory.over).any()  # who leaves before the others
    cut[:, -1] = False  # the last step is not learned from yet, whatever it is
    assert cut.any()
    other = trajectory._replace(reward=np.where(cut, 99.0, trajectory.reward).astype(np.float32))
    assert_same(learn(agents, other, network, keys)[0].critic, after.critic)


def test_what_it_cannot_do_gets_a_sentence():
    with pytest.raises(ConfigError, match="NetworkedQAC chooses among discrete actions"):
        spec = LearnerSpec(2, Box(1), state=2, sizes=(2, 2))
        NetworkedQAC().init(InitKeys.of(jax.random.key(0)), spec)
    with pytest.raises(ConfigError, match="critic of NetworkedAC has no memory"):
        NetworkedAC(critic=GRU())
