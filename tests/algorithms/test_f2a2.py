"""F2A2's methods: targets, objectives, agreement and company, by hand and against each other."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import (
    F2A2DDPG,
    F2A2SAC,
    AlternatingObjective,
    AttentionCritic,
    CommunicatedActions,
    IgnoredOpponents,
    IndependentCritic,
    InitKeys,
    InnerLayers,
    WholeCritic,
)
from coterie.algorithms.base.normalizing import REWARD_SCALE
from coterie.algorithms.f2a2.consensus import DualState, SharedSplit
from coterie.algorithms.f2a2.critics import AttentionNetwork
from coterie.algorithms.f2a2.joint_batch import JointBatch
from coterie.algorithms.f2a2.opponents import POLICIES
from coterie.algorithms.f2a2.policy_batch import JointActions, UpdateBatch
from coterie.algorithms.f2a2.stored_steps import SampledSequence, Transition
from coterie.catalogue import ALGORITHMS, make_env
from coterie.errors import ConfigError, CoterieWarning, GraphError
from coterie.graph import Complete, family
from coterie.network import AsyncIntervals, Communication, lift, networks
from coterie.rl import replay
from coterie.rl.models import CNN, Inputs
from coterie.rl.networks import ActionCritic
from coterie.training.loop import dry_run
from coterie.training.run import new_run
from coterie.training.settings import Settings
from coterie.types import Box, Discrete, LearnerSpec, Observation
from tests.options import remembering
from tests.support import SMALL, assert_same, round_of, taught, touched, with_options

TEAM, BATCH, WIDTH, SEEN = 3, 8, 2, 2
LITTLE = {
    **SMALL,
    "batch_size": BATCH,
    "discount": 0.5,
    "hidden_size": 4,
    "attention_dim": 4,
    "num_heads": 2,
}
LITTLE |= {"critic_optimizer": "sgd", "penalty": 1.0, "max_grad_norm": 1e9}
METHODS = {
    "ddpg": ("f2a2-ddpg", Discrete),
    "ddpg-box": ("f2a2-ddpg", Box),
    "td3": ("f2a2-td3", Discrete),
    "td3-box": ("f2a2-td3", Box),
    "sac": ("f2a2-sac", Discrete),
}
KEY, ALPHA = jax.random.key(5), jnp.float32(0.01)
# A second critic beside continuous actions is left to the deep tests.
each = pytest.mark.parametrize(
    "method", [pytest.param(m, marks=[pytest.mark.deep] * (m == "td3-box")) for m in METHODS]
)


def method_of(name, **options):
    return with_options(ALGORITHMS[METHODS[name][0]], **(LITTLE | options))


@functools.cache
def one(name):
    """Agent 1 of a team with targets of its own, and a scene of steps from an older policy."""
    algorithm, space = method_of(name), METHODS[name][1]
    spec = LearnerSpec(SEEN, space(WIDTH), state=TEAM * SEEN, sizes=(WIDTH,) * TEAM, agents=TEAM)
    learner = jax.jit(algorithm.init, static_argnums=1)(InitKeys.of(jax.random.key(0)), spec)[0]
    random = np.random.default_rng(0)

    def numbers(*shape):
        return jnp.asarray(random.normal(size=shape), jnp.float32)

    def moved(tree):
        return jax.tree.map(lambda x: x + 0.3 * numbers(*x.shape), tree)

    everybody = numbers(2, BATCH, TEAM, SEEN)
    seen, after = (Observation(x[:, 1]) for x in everybody)
    models = moved(learner.actor_critic.models)
    older = moved(models.policy)
    choices = older.distribution(seen)
    drawn = choices.sample(KEY), models.policy.distribution(seen).sample(KEY)
    action = jnp.concatenate([drawn[0][: BATCH // 2], drawn[1][BATCH // 2 :]])
    joint = jnp.tanh(numbers(BATCH, TEAM, WIDTH))
    if space is Discrete:
        joint = jax.nn.one_hot(jnp.argmax(joint, -1), WIDTH)
    mine = jax.nn.one_hot(action, WIDTH) if space is Discrete else action
    ends = jnp.arange(BATCH) % 2 == 0
    step = Transition(seen, action, choices, (), numbers(BATCH), 0.5 * ~ends, ends, after)
    acted, real = joint.at[:, 1].set(mine), jnp.ones((1, BATCH), bool)
    drawn = SampledSequence(jax.tree.map(lambda x: x[None], step), real)
    scene = JointBatch(drawn, everybody[:1], acted[None], everybody[1])
    return learner.actor_critic._replace(models=models, target=moved(models)), scene


def drawn(scene, now, then):
    """What agent 1 knows of everybody's actions at the steps of a scene."""
    actions = map(JointActions, (scene.actions, now, then))
    return UpdateBatch(scene, *actions, jnp.int32(1), ALPHA)


def flat(critic, view, joint):
    """A critic's value of everybody's actions, by hand."""
    return critic.value(view.state, joint.reshape(BATCH, -1))


@each
def test_targets_are_the_least_critics_of_what_all_would_do_next(method):
    algorithm, (student, scene) = method_of(method), one(method)
    others, index = scene.actions * 0.5, jnp.int32(1)
    batch = drawn(scene, scene.actions, others)
    target = jax.jit(algorithm._target)(student.target, batch, KEY)
    mine, nats = algorithm.next_action(scene.next(student.target.policy), KEY)
    joint = others.at[:, 1].set(mine)
    if method == "sac":
        later = [
            jnp.sum(critic.values(scene.next_view.state, joint, index) * mine, -1)
            for critic in student.target.critic
        ]
        log_prob = student.target.policy.distribution(scene.next_view).log_prob(
            jnp.argmax(mine, -1)
        )
        np.testing.assert_allclose(nats, -log_prob, rtol=1e-5)
    else:
        later = [flat(critic, scene.next_view, joint) for critic in student.target.critic]
        assert not nats.any()
    assert len(later) == (1 if method.startswith("ddpg") else 2)
    expected = scene.step.reward + 0.5 * (np.min(later, axis=0) + ALPHA * nats) * (
        np.arange(BATCH) % 2
    )
    np.testing.assert_allclose(target, expected, rtol=1e-5, atol=1e-6)


def test_noise_on_target_actions_is_cut():
    algorithm, (student, scene) = method_of("td3-box", target_noise_clip=0.1), one("td3-box")
    mine, _ = algorithm.next_action(scene.next(student.target.policy), KEY)
    mean = student.target.policy.distribution(scene.next_view).inner.mean
    noise = np.arctanh(mine) - mean
    assert np.abs(noise).max() == pytest.approx(0.1, abs=1e-4) and np.abs(noise).min() < 0.09
    wide = method_of("td3-box", target_noise_clip=9.0, target_noise=0.2)
    many = jax.tree.map(lambda x: jnp.repeat(x, 400, axis=0), scene.next_view)
    drawn, _ = wide.next_action(student.target.policy.distribution(many), KEY)
    deviation = (np.arctanh(drawn) - np.repeat(mean, 400, axis=0)).std()
    assert deviation == pytest.approx(0.2, rel=0.05)


def losses(method, **options):
    """The gradient of an agent's loss, and what it is made of."""
    algorithm, (student, scene) = method_of(method, **options), one(method)
    others = scene.actions[::-1]
    batch = drawn(scene, others, others)
    target = jax.jit(algorithm._target)(student.target, batch, KEY)

    def loss(models):
        return algorithm._loss(models, batch, target, KEY)[0]

    return jax.jit(jax.grad(loss))(student.models), algorithm, student, scene, others, target


@each
def test_alternating_steps_are_plain_temporal_differences_and_plain_ascent(method):
    gradient, algorithm, student, scene, others, target = losses(
        method, objective=AlternatingObjective()
    )
    index = jnp.int32(1)

    def error(critics):
        values = algorithm.values(critics, scene.view, JointActions(scene.actions), index)
        return jnp.mean(jnp.sum(0.5 * (values - target) ** 2, axis=0))

    def gain(policy):
        choices = policy.distribution(scene.view)
        mine = algorithm.sample_action(choices, KEY)
        joint = others.at[:, 1].set(mine)
        if method != "sac":
            outputs = choices.log_probs if scene.step.discrete else choices.inner.mean
            size = jnp.mean(outputs**2, axis=-1)
            return jnp.mean(flat(student.models.critic[0], scene.view, joint) - 1e-3 * size)
        each = student.models.critic[0].values(scene.view.state, joint, index)
        chances, log_prob = jnp.exp(choices.log_probs), jnp.sum(mine * choices.log_probs, -1)
        advantage = jnp.sum(mine * each, -1) - jnp.sum(chances * each, -1) - 0.01 * log_prob
        return jnp.mean(log_prob * jax.lax.stop_gradient(advantage))

    expected = jax.jit(jax.grad(error))(student.models.critic)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-5),
        gradient.critic,
        expected,
    )
    ascent = jax.jit(jax.grad(gain))(student.models.policy)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, -y, rtol=1e-3, atol=1e-5),
        gradient.policy,
        ascent,
    )


@each
def test_the_joint_objective_adds_its_two_terms(method):
    """To the first critic what it says of the policy's actions; to the policy, its surprise."""
    index = jnp.int32(1)
    plain, algorithm, student, scene, _, target = losses(method, objective=AlternatingObjective())
    joint, *_ = losses(method, actor_weight_in_critic=0.4, td_weight_in_actor=0.7)
    choices = student.models.policy.distribution(scene.view)
    ratio = jnp.exp(
        choices.log_prob(scene.step.action) - scene.step.choices.log_prob(scene.step.action)
    )
    assert (ratio > 1).any() and (ratio < 1).any()
    weight = jnp.minimum(1.0, ratio)

    def lifted(critics):
        return -0.2 * jnp.mean(
            weight * algorithm.values(critics, scene.view, JointActions(scene.actions), index)[0]
        )

    values = algorithm.values(student.models.critic, scene.view, JointActions(scene.actions), index)
    surprise = jnp.minimum(1.0, jnp.sum((values - target) ** 2, axis=0))

    def wary(policy):
        return 0.7 * jnp.mean(
            weight * surprise * policy.distribution(scene.view).log_prob(scene.step.action)
        )

    added = jax.tree.map(lambda x, y: x - y, joint, plain)
    for got, expected in (
        (added.critic, jax.jit(jax.grad(lifted))(student.models.critic)),
        (added.policy, jax.jit(jax.grad(wary))(student.models.policy)),
    ):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-2, atol=1e-5), got, expected
        )


@pytest.mark.parametrize("method", ["ddpg", "sac"])
def test_as_printed_both_expectations_are_finite_and_differ(method):
    stored, *_ = losses(method)
    both, *_ = losses(method, td_terms="both")
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(both))
    for block in ("policy", "critic"):
        pair = (jax.tree.leaves(getattr(x, block)) for x in (stored, both))
        assert max(np.abs(x - y).max() for x, y in zip(*pair, strict=True)) > 1e-4


def test_attention_looks_at_the_others_alone():
    spec = LearnerSpec(SEEN, Discrete(WIDTH), state=TEAM * SEEN, sizes=(WIDTH,) * TEAM, agents=TEAM)
    critic = AttentionNetwork.init(jax.random.key(0), spec, 4, 2)
    random = np.random.default_rng(0)
    seen = jnp.asarray(random.normal(size=(BATCH, TEAM * SEEN)), jnp.float32)
    acted = jnp.asarray(random.normal(size=(BATCH, TEAM, WIDTH)), jnp.float32)
    values = critic.values(seen, acted, jnp.int32(1))
    np.testing.assert_array_equal(
        values, critic.values(seen, acted.at[:, 1].add(1.0), jnp.int32(1))
    )
    assert np.abs(values - critic.values(seen, acted.at[:, 2].add(1.0), jnp.int32(1))).min() > 0

    # By hand, one head at a time.
    leaky = jax.nn.leaky_relu
    views = seen.reshape(BATCH, TEAM, SEEN)
    mine = leaky(views[:, 1] @ critic.own.weight)
    both = jnp.concatenate([views, acted], axis=-1)
    others = {j: leaky(both[:, j] @ critic.encoders.weight[j]) for j in (0, 2)}
    heard = []
    for block in (slice(0, 2), slice(2, 4)):
        query = mine @ critic.attention.query[:, block]
        keys = {j: e @ critic.attention.key[:, block] for j, e in others.items()}
        told = {j: leaky(e @ critic.attention.value[:, block]) for j, e in others.items()}
        like = jnp.stack([jnp.sum(query * keys[j], -1) / 2**0.5 for j in (0, 2)])
        share = jax.nn.softmax(like, axis=0)
        heard.append(share[0][:, None] * told[0] + share[1][:, None] * told[2])
    together = jnp.concatenate([mine, *heard], axis=-1)
    expected = leaky(together @ critic.inner.weight) @ critic.outer.weight
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["f2a2-td3", "f2a2-coma"])
def test_inner_layers_are_shared_and_first_and_last_ones_are_own(name):
    algorithm = with_options(ALGORITHMS[name], hidden_sizes=(5, 6, 7))
    spec = LearnerSpec(SEEN, Discrete(WIDTH), state=TEAM * SEEN, sizes=(WIDTH,) * TEAM, agents=TEAM)
    models = algorithm.models(InitKeys.of(KEY), spec)
    shared, own = algorithm.parts(models)
    inner = [(5, 6), (6,), (6, 7), (7,)]
    assert [x.shape for x in jax.tree.leaves(shared)] == 2 * inner
    assert (7, 1) in [x.shape for x in jax.tree.leaves(own.critic)]
    assert not jax.tree.leaves(shared.policy)
    whole = with_options(algorithm, sharing=WholeCritic()).parts(models).shared.critic
    assert_same(whole, models.critic)


def test_of_images_the_layer_where_actions_come_in_is_shared():
    algorithm = F2A2DDPG(critic=CNN((2, 3), hidden_sizes=(5,)))
    critic = ActionCritic.init(jax.random.split(KEY), algorithm.critic, Inputs(48, (4, 4, 3)), 6)
    shapes = [x.shape for x in jax.tree.leaves(algorithm.shared((critic,)))]
    assert shapes == [(3, 3, 2, 3), (3,), (48, 5), (5,), (5, 5), (5,), (6, 5)]


@pytest.mark.deep
@pytest.mark.parametrize("name", ["f2a2-ddpg", "f2a2-sac"])
def test_what_is_shared_is_pulled_together_and_nothing_else(name):
    algorithm = with_options(
        ALGORITHMS[name],
        **(LITTLE | {"updates_per_rollout": 8, "learning_starts": 1, "critic_lr": 1e-3}),
    )
    lesson, learn, team = taught(algorithm, graph=family("complete", 4))
    agents, network, random = team.agents, team.network, np.random.default_rng(0)
    shared, own = jax.vmap(algorithm.parts)(agents.actor_critic.models)
    noisy = jax.tree.map(lambda x: x + 0.3 * jnp.float32(random.normal(size=x.shape)), shared)
    student = agents.actor_critic._replace(models=SharedSplit(noisy, own).whole)
    agents, apart = agents._replace(actor_critic=student), []
    for key in jax.random.split(KEY, 30):
        keys = jax.random.split(key, 4)
        agents, network, _ = learn(agents, lesson.trajectory, network, keys)
        shared = jax.tree.leaves(jax.vmap(algorithm.information.lasting)(agents))
        apart.append(np.mean([float(np.std(x, axis=0).mean()) for x in shared]))
    assert apart[-1] < 0.3 * apart[0]
    pact: DualState = agents.actor_critic.extras.dual
    for dual in jax.tree.leaves(pact.dual):
        np.testing.assert_allclose(dual.sum(axis=0), 0.0, atol=1e-3)
    policies = agents.actor_critic.models.policy.head.weight
    assert np.std(policies, axis=0).mean() > 1e-3


def test_what_the_others_say_is_taken_in_place_of_a_guess():
    algorithm, (_, scene) = method_of("sac", opponents=CommunicatedActions()), one("sac")

    def mine(network):
        told = jnp.full((BATCH, WIDTH), 1.0 + network.index)
        return algorithm.opponents.predict((), scene, network, lambda: (told, told), KEY)

    network = networks(family("complete", TEAM), (algorithm.payload, POLICIES))
    would, after = jax.jit(lift(mine))(network)
    for i in range(TEAM):
        for j in set(range(TEAM)) - {i}:
            np.testing.assert_array_equal(would[i, :, :, j], 1.0 + j)
    assert after.traffic[POLICIES].bytes.tolist() == [2 * 4 * 2 * BATCH * WIDTH] * TEAM


def test_models_of_others_learn_what_they_did_and_guess_what_they_will():
    """Agent 1 does what it saw a step ago, the others what they see: now, and after the step."""
    algorithm = method_of("sac", hidden_size=16, critic_lr=0.02)
    opponents, rule = algorithm.opponents, algorithm._opponent_rule()
    spec = LearnerSpec(SEEN, Discrete(WIDTH), sizes=(WIDTH,) * TEAM, agents=TEAM)
    random, count = np.random.default_rng(1), 300
    seen = random.normal(size=(4, count, TEAM, SEEN)).astype(np.float32)  # the last is what is next
    wanted = (seen[..., 0] > 0).astype(int)
    wanted[1:, :, 1] = wanted[:-1, :, 1].copy()
    acted = np.eye(WIDTH, dtype=np.float32)[wanted]
    scene = one("sac")[1]
    drawn = scene.sequence._replace(real=jnp.ones((3, count), bool))
    scene = JointBatch(drawn, *map(jnp.asarray, (seen[:3], acted[:3], seen[3])))

    def never():
        raise AssertionError("nobody is asked what it would do")

    def observer(network):
        def once(known, _):
            known, said = opponents.learn(known, scene, network, rule)
            return known, said["opponent_model/accuracy"]

        known, right = jax.lax.scan(once, opponents.init(KEY, spec, 5, rule), None, length=120)
        return opponents.predict(known, scene, network, never, KEY)[0], right

    would, right = jax.jit(lift(observer))(
        networks(family("complete", TEAM), joint_observable=True)
    )
    assert np.all(right[:, 0] < 0.75) and np.all(right[:, -1] > 0.95)
    for i in range(TEAM):
        for j in set(range(TEAM)) - {i}:
            found = would[i, :, :, j].argmax(axis=-1)  # drawn
            assert np.all(np.mean(found == wanted[2:, :, j], axis=1) > 0.9), (i, j)


def ddpg(**options):
    return with_options(F2A2DDPG(), **options)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match=r"penalty \(beta\) must be above 0, not 0"):
        ddpg(penalty=0.0).check(4)
    with pytest.raises(ConfigError, match="buffer_size must be at most 2,147,483,647 in size"):
        ddpg(buffer_size=2**31)


def test_parts_that_do_not_go_together_are_refused_at_once():
    with pytest.raises(ConfigError, match="width 10 cannot be dealt to 4 heads"):
        AttentionCritic(attention_dim=10)
    with pytest.raises(ConfigError, match="attends to the others has to know of them"):
        F2A2SAC(opponents=IgnoredOpponents())
    with pytest.raises(ConfigError, match="does not observe the others' actions"):
        F2A2SAC(critic=IndependentCritic())
    inner = with_options(ALGORITHMS["f2a2-isac"], sharing=InnerLayers(), hidden_sizes=(64,))
    with pytest.raises(ConfigError, match="inner layers are shared needs two hidden layers"):
        inner.init(InitKeys.of(KEY), LearnerSpec(2, Discrete(2)))


def test_a_penalty_too_strong_is_told():
    env, method = make_env("spread", agents=4), ddpg(penalty=400.0)
    with pytest.warns(CoterieWarning, match="drives the shared parameters apart"):
        dry_run(new_run(method, env, Settings(), "unused"))
    with warnings.catch_warnings(action="error"):
        dry_run(new_run(method, env, Settings(communication=Communication(Complete())), "unused"))


def test_who_waits_longer_than_the_mean_says_is_told():
    """Drawn from N(1, 50^2), and at least 1: 20.9 rounds in the mean."""
    env, settings = (
        make_env("spread"),
        Settings(communication=Communication(Complete(), schedule=AsyncIntervals(1, 50))),
    )
    with pytest.warns(CoterieWarning, match=r"listen every 20\.9\d* rounds.* drift"):
        dry_run(new_run(ddpg(penalty=10.0), env, settings, "unused"))


def test_games_that_do_not_fit_get_their_sentence():
    continuous = make_env("spread", continuous=True)
    with pytest.raises(ConfigError, match="chooses among discrete actions"):
        dry_run(
            new_run(
                F2A2SAC(), continuous, Settings(communication=Communication(Complete())), "unused"
            )
        )
    asking = F2A2SAC(opponents=CommunicatedActions())
    with pytest.raises(GraphError, match=r"asks what everybody would do, and not all .* linked"):
        dry_run(new_run(asking, "treasure", Settings(), "unused"))
    dry_run(
        new_run(asking, "treasure", Settings(communication=Communication(Complete())), "unused")
    )
    assert asking.information.sends == (
        "attention",
        REWARD_SCALE,
        POLICIES,
    )


def test_the_past_of_a_step_stays_within_its_episode():
    """Two environments side by side, whose episodes end with the third of six steps."""
    algorithm, (_, scene) = method_of("sac", history=3, batch_size=64), one("sac")

    def recalled(agent, network):
        """What agent 100, 200, ... sees at step t is 100 + t, ..., and the first number of it."""
        memory = replay.empty(jax.tree.map(lambda x: x[0], scene.step), 12)
        for t in range(6):
            two = jax.tree.map(lambda x: x[:2], scene.step)
            seen = Observation(two.view.observation * 0 + agent + t)
            two = two._replace(view=seen, over=jnp.array([t == 2, t == 2]))
            memory = replay.add(memory, two)
        drawn = algorithm.draw(memory, KEY, 2).sequence
        return JointBatch.of(drawn, network, algorithm.information)

    network = networks(family("none", TEAM), joint_observable=True)
    scenes = jax.jit(lift(recalled))(100 * jnp.arange(TEAM), network)
    for agent in range(TEAM):
        mine = jax.tree.map(lambda x, agent=agent: x[agent], scenes)
        now = np.asarray(mine.step.view.observation[:, 0]) - 100 * agent
        for j in range(TEAM):
            np.testing.assert_array_equal(
                mine.view.state.reshape(64, TEAM, SEEN)[:, j, 0], 100 * j + now
            )
        for back in (1, 2, 3):
            expected = (now - back >= 0) & ((now < 3) | (now - back >= 3))
            np.testing.assert_array_equal(mine.before.real[-back], expected)
            seen = mine.before.steps[:, -back, :, 0].T - 100 * np.arange(TEAM)
            np.testing.assert_array_equal(
                seen[expected], (now - back)[expected, None] + np.zeros(TEAM)
            )
        assert mine.until.real[-1].all()  # what a step led to belongs to its episode
        np.testing.assert_array_equal(mine.until.steps[agent, -1, :, 0] - 100 * agent, now)
        np.testing.assert_array_equal(mine.until.real[:-1], mine.before.real[1:])
    with pytest.raises(ConfigError, match="looked up but not declared"):
        jax.jit(lift(recalled))(100 * jnp.arange(TEAM), networks(family("none", TEAM)))


def test_a_recurrent_policy_is_taken_through_the_steps_before():
    """From what it remembered where they begin: of those after an end, what it did then."""
    algorithm, (_, scene) = remembering(method_of("ddpg", burn_in=3)), one("ddpg")
    spec = LearnerSpec(SEEN, Discrete(WIDTH), state=TEAM * SEEN, sizes=(WIDTH,) * TEAM, agents=TEAM)
    policy = algorithm.init(InitKeys.of(jax.random.key(0)), spec)[0].actor_critic.models.policy
    length = algorithm.burn_in + 1
    random = np.random.default_rng(1)
    seen = jnp.asarray(random.normal(size=(length, BATCH, SEEN)), jnp.float32)
    stored = jnp.asarray(random.normal(size=(length, BATCH, policy.body.start().size)), jnp.float32)
    starts = np.arange(BATCH) % length  # the first step of the episode, or of what is known of it
    real = jnp.asarray(np.arange(length)[:, None] >= starts)
    steps = jax.tree.map(lambda x: jnp.broadcast_to(x, (length, *x.shape)), scene.step)
    steps = steps._replace(view=Observation(seen), memory=stored)
    long = JointBatch(
        SampledSequence(steps, real), seen[:, :, None], seen[:, :, None], seen[0, :, None]
    )
    now, then = long.now(policy), long.next(policy)
    for b, first in enumerate(starts):
        memory = stored[first, b]
        for t in range(first, length):
            features, memory = policy.body.step(seen[t, b], memory)
        np.testing.assert_allclose(
            now.log_probs[b],
            policy.choices(features, Observation(seen[-1, b])).log_probs,
            atol=1e-5,
        )
        after = steps.next_view.observation[-1, b]
        features, _ = policy.body.step(after, memory)
        np.testing.assert_allclose(
            then.log_probs[b], policy.choices(features, Observation(after)).log_probs, atol=1e-5
        )


def test_before_the_warmup_nothing_is_learned_and_nothing_is_said():
    """Eight steps in a round, of the 24 that are waited for."""
    waiting = SMALL | {"learning_starts": 24, "rollout_length": 2}
    bare = F2A2DDPG(
        opponents=IgnoredOpponents(), normalize_observations=False, normalize_rewards=False
    )
    early = with_options(bare, **waiting)
    team, round_ = taught(early).team, round_of(early)
    models = team.agents.actor_critic.models
    for rounds in (0, 0, early.replay.updates_per_rollout):
        assert_same(team.agents.actor_critic.models, models)
        team, report = round_(team)
        assert report.rounds.tolist() == [rounds] * 4
        assert (report.bytes > 0).all() == (rounds > 0)
    assert touched(team.agents.actor_critic.models, models) == {0, 1, 2, 3}
