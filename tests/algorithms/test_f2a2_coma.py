"""F2A2-COMA: targets, baseline and gradients by hand, and what its critics agree on."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import (
    F2A2COMA,
    AlternatingObjective,
    InitKeys,
    InnerLayers,
    Trajectory,
    WholeCritic,
)
from coterie.algorithms.f2a2.on_policy import Rewards
from coterie.algorithms.ppo.base import DrawnAction
from coterie.catalogue import make_env
from coterie.centralized import COMA
from coterie.errors import ConfigError
from coterie.graph import Complete, family
from coterie.network import Communication, lift, networks
from coterie.training.loop import dry_run
from coterie.training.run import new_run
from coterie.training.settings import Settings
from coterie.training.state import init_state, iteration
from coterie.types import Discrete, LearnerSpec, Observation
from tests.algorithms.purses import MEAN, STAKES, Purses
from tests.options import remembering
from tests.support import SMALL, taught, with_options

TEAM, STEPS, NUM_ENVS, WIDTH, SEEN = 3, 5, 4, 3, 2
MINE = 1  # the agent in question
OPTIMISM, CAUTION = 0.4, 0.7
SGD = {
    "sharing": WholeCritic(),
    "critic_optimizer": "sgd",
    "penalty": 2.0,
    "max_grad_norm": 1e9,
    "critic_lr": 0.1,
}
LITTLE = with_options(
    F2A2COMA(),
    hidden_sizes=(4,),
    discount=0.5,
    actor_weight_in_critic=OPTIMISM,
    td_weight_in_actor=CAUTION,
    entropy_coef=0.0,
    updates_per_rollout=1,
    **SGD,
)
RANDOM = np.random.default_rng(0)
held = jax.lax.stop_gradient
UNBOUND = jnp.array(-jnp.inf), jnp.array(jnp.inf)


def numbers(*shape):
    return jnp.asarray(RANDOM.normal(size=shape), jnp.float32)


def moved(tree):
    return jax.tree.map(lambda x: x + 0.3 * numbers(*x.shape), tree)


def view(*shape):
    seen = numbers(*shape, TEAM * SEEN)
    return Observation(seen[..., MINE * SEEN : (MINE + 1) * SEEN], state=seen)


SPEC = LearnerSpec(SEEN, Discrete(WIDTH), state=TEAM * SEEN, sizes=(WIDTH,) * TEAM, agents=TEAM)
KEY = jax.random.key(0)
MODELS = jax.jit(lambda: moved(LITTLE.models(InitKeys.of(KEY), SPEC)))()  # in one program
OLDER = jax.jit(moved)(MODELS.policy)


def trajectory(policy=OLDER):
    """Steps of episodes that end, or are cut off, after some of them; of this policy."""
    shape = STEPS, NUM_ENVS
    seen = view(*shape)
    choices = policy.distribution(seen)
    action = choices.sample(jax.random.key(1))
    joint = jax.nn.one_hot(RANDOM.integers(WIDTH, size=(*shape, TEAM)), WIDTH)
    joint = joint.at[..., MINE, :].set(jax.nn.one_hot(action, WIDTH))
    ends, cut = np.zeros((2, *shape), bool)
    ends[1, 0] = ends[3, 1] = cut[2, 1] = cut[0, 2] = True
    flags = jnp.asarray(ends), jnp.asarray(cut), jnp.asarray(ends | cut)

    def following(seen, final):
        later = jnp.concatenate([seen[1:], final[-1:]])
        return jnp.where(flags[2][..., None], final, later)

    after = jax.tree.map(following, seen, view(*shape))
    return Trajectory(seen, DrawnAction(action, choices), numbers(*shape), *flags, after, (), joint)


PLAYED = jax.jit(trajectory)()


def q(critics, view, joint):
    return critics.joint.value(view.state, joint.reshape(*joint.shape[:-2], -1))


def v(critics, view):
    return critics.state.value(critics.state.body.step(view.state, ())[0])


def test_targets_are_lambda_returns_with_v():
    """`(1 - lambda) sum_n lambda^(n-1) G^(n)`, written out; the last term has what is left over."""
    found = LITTLE._target(MODELS.critic.state, PLAYED, UNBOUND)
    later = np.asarray(v(MODELS.critic, PLAYED.next_view))
    ends, over = np.asarray(PLAYED.terminated), np.asarray(PLAYED.over)
    for t, g in itertools.product(range(STEPS), range(NUM_ENVS)):
        last = next((s for s in range(t, STEPS) if over[s, g]), STEPS - 1)
        returns = []
        for n in range(1, last - t + 2):
            paid = sum(0.5**k * PLAYED.reward[t + k, g] for k in range(n))
            end = t + n - 1
            returns.append(paid + 0.5**n * (0.0 if ends[end, g] else later[end, g]))
        weights = [0.2 * 0.8**n for n in range(len(returns) - 1)] + [0.8 ** (len(returns) - 1)]
        expected = np.dot(weights, np.asarray(returns))
        assert float(found[t, g]) == pytest.approx(expected, rel=1e-4, abs=1e-5), (t, g)


def test_values_do_not_run_away_behind_a_time_limit():
    """Observations double with each step, and so does a critic that extrapolates to the last."""
    size, steps = TEAM * SEEN, 8
    seen = 0.1 * 2.0 ** jnp.arange(steps + 1)[:, None, None] * jnp.ones((2, size))
    views = [Observation(x[..., :SEEN], state=x) for x in (seen[:-1], seen[1:])]
    choices = MODELS.policy.distribution(views[0])
    action, no = jnp.zeros((steps, 2), int), jnp.zeros((steps, 2), bool)
    joint = jnp.broadcast_to(jnp.eye(WIDTH)[0], (steps, 2, TEAM, WIDTH))
    played = Trajectory(
        views[0],
        DrawnAction(action, choices),
        jnp.full((steps, 2), -1.0),
        no,
        no.at[-1].set(True),
        no.at[-1].set(True),
        views[1],
        (),
        joint,
    )
    algorithm = with_options(
        COMA, hidden_sizes=(8,), discount=0.9, critic_lr=0.01, updates_per_rollout=8
    )
    network = networks(family("none", 1), algorithm.information.sends)
    team = jax.tree.map(lambda x: x[None], algorithm.init(InitKeys.of(KEY), SPEC)[0])

    def learned(carry, key):
        one = jax.tree.map(lambda x: x[None], played)
        state, network, _ = lift(algorithm.learn)(carry[0], one, carry[1], key[None])
        critics = jax.tree.map(lambda x: x[0], state.models.critic)
        return (state, network), v(critics, views[0])

    _, values = jax.jit(lambda c: jax.lax.scan(learned, c, jax.random.split(KEY, 400)))(
        (team, network)
    )
    truth = -1.0 / (1.0 - 0.9)
    assert values.min() > 3.0 * truth and values[-1].mean() < truth / 3.0


def test_rewards_of_who_is_away_are_not_counted():
    reward, alive = jnp.array([[2.0, 9.0], [-3.0, 1.0]]), jnp.array([[True, False], [True, True]])
    range_ = Rewards(jnp.zeros(()), jnp.zeros(())).wider(reward, alive)
    assert range_ == (-3.0, 2.0)
    least, most = range_.wider(reward, None).forever(1.0)
    assert most == 9e6 and least == -3e6  # an undiscounted sum has no bound to speak of


def test_the_baseline_is_what_the_policy_does_on_average():
    case = LITTLE._case(MODELS.policy, PLAYED, PLAYED.reward, jnp.int32(MINE))
    chances = np.exp(case.choices.log_probs)
    base = 0.0
    for own in range(WIDTH):
        instead = PLAYED.actions.at[..., MINE, :].set(jnp.eye(WIDTH)[own])
        base = base + chances[..., own] * q(MODELS.critic, PLAYED.view, instead)
    expected = q(MODELS.critic, PLAYED.view, PLAYED.actions) - base
    np.testing.assert_allclose(
        LITTLE.advantage(MODELS.critic, case), expected, rtol=1e-3, atol=1e-5
    )


def gradient(algorithm, models, played, index=MINE):
    target = algorithm._target(models.critic.state, played, UNBOUND)
    loss = jax.grad(lambda m: algorithm._loss(m, played, target, jnp.int32(index))[0])
    return jax.jit(loss)(models)


def same(one, other):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-3, atol=1e-5), one, other)


def test_the_loss_is_the_stated_objective():
    """Proposition 3 with nothing moved: all joint actions, each as often as it is likely."""
    level = jax.tree.map(jnp.zeros_like, MODELS.policy.head)  # all own actions are as likely
    policy = dataclasses.replace(MODELS.policy, head=level)
    models = MODELS._replace(policy=policy)
    every = jnp.asarray(list(itertools.product(np.eye(WIDTH), repeat=TEAM)), jnp.float32)[None]
    count = every.shape[1]
    seen = jax.tree.map(lambda x: jnp.broadcast_to(x, (1, count, x.shape[-1])), view(1, 1))
    action = jnp.argmax(every[..., MINE, :], axis=-1)
    flags = [jnp.zeros((1, count), bool)] * 3
    target = numbers(1, count)
    played = Trajectory(
        seen, DrawnAction(action, policy.distribution(seen)), target, *flags, seen, (), every
    )
    algorithm = dataclasses.replace(LITTLE, discount=0.0)  # what is paid is the target
    coded = gradient(algorithm, models, played)

    others = 1.0 / WIDTH ** (TEAM - 1)

    def stated(models, critics):
        """In costs: `alpha_1 E(Q - B) + alpha_2 E(Q - y)^2`, with `B` held fixed."""
        chances = jnp.exp(models.policy.distribution(seen).log_prob(action)) * others
        cost, wanted = -q(critics, seen, every), -target
        own = q(held(critics), seen, every).reshape(WIDTH, WIDTH, WIDTH)
        base = -jnp.broadcast_to(own.mean(axis=MINE, keepdims=True), own.shape).reshape(1, -1)
        surprise = (cost - wanted) ** 2
        felt = jnp.minimum(1.0, held(surprise))
        return (
            jnp.sum(chances * (cost - base)),
            jnp.sum(chances * surprise),
            jnp.sum(chances * felt),
        )

    def policy_part(policy):
        actor, _, felt = stated(models._replace(policy=policy), models.critic)
        return actor + CAUTION * felt

    def critic_part(critics):
        actor, critic, _ = stated(held(models), critics)
        return 0.5 * (OPTIMISM * actor + critic) + 0.5 * jnp.mean((v(critics, seen) - target) ** 2)

    same(coded.policy, jax.jit(jax.grad(policy_part))(policy))
    same(coded.critic, jax.jit(jax.grad(critic_part))(models.critic))


@pytest.mark.parametrize("fresh", [True, False])
def test_gradients_are_the_printed_ones(fresh):
    """`grad log pi (A - caution delta^2)` and `(delta - optimism / 2) grad Q`, step by step.

    Where the policy has moved since, each weighed by the ratio of what it now does, at most 1.
    """
    played = trajectory(MODELS.policy) if fresh else PLAYED
    target = LITTLE._target(MODELS.critic.state, played, UNBOUND)
    case = LITTLE._case(MODELS.policy, played, target, jnp.int32(MINE))
    weight = np.minimum(1.0, np.exp(case.moved))
    assert (weight == 1.0).all() == fresh or (np.abs(weight - 1.0) < 1e-5).all() == fresh
    delta = q(MODELS.critic, played.view, played.actions) - target
    advantage = LITTLE.advantage(MODELS.critic, case)
    assert (delta**2 > 1).any() and (delta**2 < 1).any()
    score = weight * (advantage - CAUTION * np.minimum(1.0, delta**2))

    def climbed(policy):
        return jnp.mean(score * policy.distribution(played.view).log_prob(played.decision.action))

    def descended(critics):
        lift = (delta - 0.5 * OPTIMISM * weight) * q(critics, played.view, played.actions)
        return jnp.mean(lift + 0.5 * (v(critics, played.view) - target) ** 2)

    coded = gradient(LITTLE, MODELS, played)
    same(coded.policy, jax.tree.map(lambda x: -x, jax.jit(jax.grad(climbed))(MODELS.policy)))
    same(coded.critic, jax.jit(jax.grad(descended))(MODELS.critic))
    plain = gradient(dataclasses.replace(LITTLE, objective=AlternatingObjective()), MODELS, played)
    score, delta = weight * advantage, delta + 0.5 * OPTIMISM * weight
    same(plain.policy, jax.tree.map(lambda x: -x, jax.jit(jax.grad(climbed))(MODELS.policy)))
    same(plain.critic, jax.jit(jax.grad(descended))(MODELS.critic))


def test_one_update_is_a_step_a_force_and_a_meeting():
    """(5.4) for a whole team that has met before, with plain steps for the critics."""
    network = networks(family("complete", TEAM), LITTLE.information.sends)
    keys = jax.random.split(KEY, TEAM)
    team = jax.vmap(lambda key: LITTLE.init(InitKeys.of(key), SPEC)[0])(keys)
    wide = Rewards(jnp.full(TEAM, -1e3), jnp.full(TEAM, 1e3))
    team = team._replace(models=moved(team.models), dual=moved(team.dual), rewards=wide)
    played = jax.tree.map(lambda x: jnp.broadcast_to(x, (TEAM, *x.shape)), PLAYED)
    played = played._replace(reward=numbers(TEAM, STEPS, NUM_ENVS))
    after, network, _ = jax.jit(lift(LITTLE.learn))(team, played, network, keys)

    rate, beta, new = 0.1, 2.0, []
    for i in range(TEAM):
        mine, what = (jax.tree.map(lambda x, i=i: x[i], tree) for tree in (team, played))
        slope = gradient(LITTLE, mine.models, what, i).critic
        pact = mine.dual.dual.critic, mine.dual.mean.critic
        new.append(
            jax.tree.map(
                lambda x, g, dual, w: x - rate * (g + dual + beta * (x - w)),
                mine.models.critic,
                slope,
                *pact,
            )
        )
    everybody = jax.tree.map(lambda *x: jnp.stack(x), *new)
    average = jax.tree.map(lambda x: jnp.broadcast_to(x.mean(axis=0), x.shape), everybody)
    same(after.models.critic, everybody)
    same(after.dual.mean.critic, average)
    before = team.dual.dual.critic
    dual = jax.tree.map(lambda old, w, x: old - beta * (w - x), before, average, everybody)
    same(after.dual.dual.critic, dual)
    assert network.traffic["critic"].rounds.tolist() == [1] * TEAM


def test_a_memory_is_followed_through_the_ends_of_episodes():
    """What the policy would do, unrolled, is what it did while it played."""
    algorithm = remembering(with_options(F2A2COMA(), **SMALL))
    lesson, _, team = taught(algorithm)
    assert lesson.trajectory.over[:, :-1].any()

    def asked(agent, played, index):
        case = algorithm._case(agent.models.policy, played, played.reward, index)
        return case.moved

    away = jax.vmap(asked)(team.agents, lesson.trajectory, jnp.arange(4))
    np.testing.assert_allclose(away, 0.0, atol=1e-5)
    forgetful = lesson.trajectory._replace(over=np.zeros_like(lesson.trajectory.over))
    assert np.abs(jax.vmap(asked)(team.agents, forgetful, jnp.arange(4))).max() > 1e-5


def believed(algorithm, links="complete"):
    """What every agent's critics think, in the end, of nobody and of all helping, `[N]` each."""
    env = Purses()
    vector = env.vectorize(16)
    team = init_state(algorithm, env, vector, Communication(family(links, 4)), jax.random.key(0))
    round_ = iteration(algorithm, env, vector)

    def worth(agents):
        same = jnp.broadcast_to(jnp.eye(2)[:, None], (2, 4, 2))
        seen = Observation(jnp.ones((2, 1)), state=jnp.ones((2, 4)))
        values = jax.vmap(lambda a: q(a.models.critic, seen, same))(agents)
        return values, jax.vmap(lambda a: v(a.models.critic, seen)[0])(agents)

    def step(team, _):
        team = round_(team)[0]
        return team, worth(team.agents)

    _, (values, expected) = jax.jit(lambda t: jax.lax.scan(step, t, None, length=1500))(team)
    values, expected = (np.mean(x[1000:], axis=0) for x in (values, expected))
    return values[:, 1] - values[:, 0], expected


BELIEVERS = {
    "sharing": WholeCritic(),
    "rollout_length": 4,
    "hidden_sizes": (8,),
    "actor_lr": 1e-9,
    "critic_lr": 0.02,
    "critic_optimizer": "sgd",
    "penalty": 10.0,
    "max_grad_norm": 1e6,
    "actor_weight_in_critic": 0.0,
    "normalize_rewards": False,
}


@pytest.mark.parametrize("links", ["complete", "ring"])
@pytest.mark.deep
def test_critics_agree_on_the_mean_reward(links):
    difference, expected = believed(with_options(F2A2COMA(), **BELIEVERS), links)
    np.testing.assert_allclose(difference, MEAN, rtol=0.1)
    np.testing.assert_allclose(expected, MEAN / 2, rtol=0.1)


@pytest.mark.deep
def test_critics_that_share_inner_layers_tell_their_own_rewards():
    """All see the same, and are paid in very different numbers for it."""
    own = with_options(
        F2A2COMA(), **(BELIEVERS | {"sharing": InnerLayers(), "hidden_sizes": (8, 8)})
    )
    difference, expected = believed(own)
    np.testing.assert_allclose(difference, STAKES, rtol=0.15, atol=0.1)
    np.testing.assert_allclose(expected, STAKES / 2, rtol=0.15, atol=0.1)


@pytest.mark.deep
def test_at_a_center_all_are_told_the_mean_reward():
    difference, expected = believed(with_options(COMA, **BELIEVERS), "none")
    np.testing.assert_allclose(difference, MEAN, rtol=0.1)
    np.testing.assert_allclose(expected, MEAN / 2, rtol=0.1)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match=r"penalty \(beta\) must be above 0, not 0"):
        with_options(F2A2COMA(), penalty=0.0).check(4)
    with pytest.raises(ConfigError, match="needs a hidden layer"):
        with_options(F2A2COMA(), hidden_sizes=()).init(InitKeys.of(KEY), SPEC)
    for method in (F2A2COMA(), COMA):
        env, talk = make_env("spread", continuous=True), Communication(Complete())
        with pytest.raises(ConfigError, match="chooses among discrete actions"):
            dry_run(new_run(method, env, Settings(communication=talk), "unused"))
