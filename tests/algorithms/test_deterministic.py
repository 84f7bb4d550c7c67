"""The deterministic actor-critics: their formulas, what they converge to, what they need."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import DeterministicOff, DeterministicOn, InitKeys
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Timestep
from coterie.errors import ConfigError
from coterie.graph import family
from coterie.network import Communication, lift
from coterie.training.state import init_state, iteration
from coterie.types import LearnerSpec
from tests.exact import deterministic as exact
from tests.support import assert_same, taught, touched

ON, OFF = DeterministicOn, DeterministicOff
SCALE = 4.0  # the environment's units are so many of the agents'


@dataclasses.dataclass(frozen=True)
class Drift(JaxEnv):
    """The environment of `tests.exact.deterministic`, without an end."""

    @property
    def specs(self):
        return (AgentSpec(2, Box(1, -SCALE, SCALE)),) * 2

    def reset(self, key):
        return (key, jnp.zeros((), jnp.int32)), self.view(0)

    def step(self, state, action):
        key, here = state
        key, draw = jax.random.split(key)
        actions = jnp.broadcast_to(action[:, 0], (3, 2))
        there = jax.random.categorical(draw, jnp.log(exact.moves(actions, jnp)[here]))
        never = jnp.zeros(2, bool)
        paid = exact.rewards(actions, jnp)[:, here]
        return (key, there), Timestep(self.view(there), paid, never, never, {})

    def view(self, state):
        return Observation(jnp.broadcast_to(jnp.float32(exact.SEEN)[state], (2, 2)))

    def global_state(self, state, view):
        return view.observation[0]


@dataclasses.dataclass(frozen=True)
class Tug(JaxEnv):
    """One move; agent `i` loses the squared distance of the joint action from its own target."""

    targets = (
        (0.5, -0.5, 0.0),
        (0.1, 0.4, 0.0),
        (0.1, 0.1, -0.5),
    )  # far from where actions are cut

    @property
    def specs(self):
        return (AgentSpec(1, Box(1)),) * 3

    def reset(self, key):
        return jnp.zeros(()), Observation(jnp.ones((3, 1)))

    def step(self, state, action):
        paid = -jnp.sum((action[:, 0] - jnp.array(self.targets)) ** 2, axis=1)
        over = jnp.ones(3, bool)
        return state, Timestep(Observation(jnp.ones((3, 1))), paid, over, ~over, {})


def after(algorithm, env, graph, updates, envs, change=lambda agents: agents):
    """The team after so many updates, compiled as one scan."""
    vector = env.vectorize(envs)
    team = init_state(
        algorithm, env, vector, Communication(family(graph, len(env.specs))), jax.random.key(0)
    )
    team = team._replace(agents=change(team.agents))
    round_ = iteration(algorithm, env, vector)
    scan = jax.jit(lambda t: jax.lax.scan(lambda t, _: (round_(t)[0], None), t, length=updates)[0])
    return jax.device_get(scan(team).agents)


SIGMA = 1.2


@functools.cache
def critics(kind, graph):
    """Both agents' critics after learning under a fixed policy, in the environment's units."""
    algorithm = kind(
        action_noise_std=SIGMA / SCALE,
        critic_lr=0.5,  # constant: what is left is noise, which many environments make small
        actor_lr=1e-30,
    )
    theta = jnp.float32(exact.THETA) / SCALE

    def told(agents):
        where = lambda a: (a.policy.head.weight, a.policy.head.bias)  # noqa: E731
        return eqx.tree_at(where, agents, (theta[:, :2, None], theta[:, 2:]))

    agents = after(algorithm, Drift(), graph, 20_000, 256, told)
    head = agents.critic.slopes[1]
    slopes = np.concatenate([head.weight[..., 0], head.bias], axis=-1) / SCALE
    return slopes, agents.critic.value[0], agents.average


@pytest.mark.parametrize("kind", [ON, OFF])
@pytest.mark.deep
def test_critics_converge_to_the_fixed_point_and_agree(kind):
    """Theorems 4 and 6; without messages they converge, but to something else."""
    slopes, weights = exact.fit(exact.THETA, SIGMA, differential=kind is ON)
    found, values, average = critics(kind, "line")
    np.testing.assert_allclose(found[0], found[1], atol=0.01)
    np.testing.assert_allclose(found, np.stack([slopes, slopes]), atol=0.06)
    np.testing.assert_allclose(values, np.stack([weights, weights]), atol=0.06)
    assert abs(average.mean() - exact.chain(exact.THETA, SIGMA).average) < 0.1  # a short memory
    alone = critics(kind, "none")[0]
    assert np.abs(alone - slopes).max() > 0.3


@pytest.mark.parametrize("kind", [ON, OFF])
def test_a_team_finds_its_optimum_where_everybody_wants_something_else(kind):
    """Each number ends at the mean of the targets; alone, an agent goes to its own."""
    algorithm = kind(action_noise_std=0.2, critic_lr=0.2, actor_lr=0.0005)
    targets = np.array(Tug.targets)

    def actions(graph):
        head = after(algorithm, Tug(), graph, 3_000, 16).policy.head
        return head.weight[:, 0, 0] + head.bias[:, 0]

    np.testing.assert_allclose(actions("line"), targets.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(actions("none"), np.diag(targets), atol=0.05)


def test_without_noise_nothing_is_learned():
    """Features vanish with it: the policy is where it began, however much is paid."""
    with pytest.raises(
        ConfigError, match=r"action_noise_std must be greater than 0, not 0.0: without"
    ):
        ON(action_noise_std=0.0)
    still = ON(action_noise_std=1e-6)
    head = after(still, Tug(), "line", 50, 4).policy.head
    begun = after(still, Tug(), "line", 0, 4).policy.head
    np.testing.assert_allclose(head.weight, begun.weight, atol=1e-7)
    parameters = jax.tree.leaves(after(still, Tug(), "line", 0, 4).policy)
    assert all(np.isfinite(array).all() for array in parameters)


@pytest.mark.parametrize("kind", [ON, OFF])
def test_one_step_is_the_papers_formulas(kind):
    """A linear policy in an environment of two agents, written out."""
    algorithm = kind(action_noise_std=0.3, critic_lr=0.2, actor_lr=0.1, parameter_bound=0.5)
    (agents, trajectory, network, keys), learn, _ = taught(algorithm, Drift(), family("line", 2))
    new, _, metrics = learn(agents, trajectory, network, keys)
    state, following = trajectory.view.state[:, 0], trajectory.next_view.state[:, 0]
    inputs = np.concatenate([state, np.ones((2, 4, 1))], axis=2)
    action = trajectory.decision.action[:, 0, :, 0]  # [N, G]
    heads, slopes = agents.policy.head, agents.critic.slopes[1]
    theta = np.concatenate([heads.weight[..., 0], heads.bias], axis=1)
    played = jnp.float32(heads_at_play(algorithm))
    phi = (action - np.einsum("nk,ngk->ng", played, inputs))[..., None] * inputs  # [N, G, 3]
    moved, climbed = [], []
    for i in range(2):
        omega = np.concatenate([slopes.weight[i, ..., 0], slopes.bias[i]], axis=1)  # [N, 3]
        weights, constant = agents.critic.value[0][i], agents.critic.value[1][i]
        judged = np.einsum("ngk,nk->g", phi, omega) + state[i] @ weights + constant
        target = trajectory.reward[i, 0]
        if kind is ON:
            target = target - agents.average[i] + following[i] @ weights + constant
        delta = target - judged
        moved.append(omega + 0.2 * np.einsum("g,ngk->nk", delta, phi) / 4)
        gram = np.einsum("gk,gl->kl", inputs[i], inputs[i]) / 4
        climbed.append(np.clip(theta[i] + 0.1 * gram @ omega[i], -0.5, 0.5))
        np.testing.assert_allclose(metrics["critic_loss"][i], np.mean(delta**2), rtol=1e-4)
        paid = trajectory.reward[i, 0].mean()
        average = agents.average[i] + 0.2 * (paid - agents.average[i])
        np.testing.assert_allclose(new.average[i], average, rtol=1e-5)
    agreed = (moved[0] + moved[1]) / 2
    head, slope = new.policy.head, new.critic.slopes[1]
    found = np.concatenate([slope.weight[..., 0], slope.bias], axis=2)
    np.testing.assert_allclose(found, [agreed, agreed], atol=1e-5)
    found = np.concatenate([head.weight[..., 0], head.bias], axis=1)
    np.testing.assert_allclose(found, climbed, atol=1e-5)


def test_steps_fall_and_gradients_are_cut():
    """At the third update, from the same lesson."""
    plain = ON(action_noise_std=0.3, actor_lr=0.1)
    lesson, _, _ = taught(plain, Drift(), family("line", 2))

    def change(**options):
        learn = jax.jit(lift(dataclasses.replace(plain, **options).learn))
        new, old = learn(*lesson)[0].policy.head, lesson.agents.policy.head
        return np.concatenate([new.weight - old.weight, (new.bias - old.bias)[:, None]], axis=1)

    np.testing.assert_allclose(change(actor_lr_decay=0.9), change() / 3**0.9, rtol=1e-3, atol=1e-7)
    norms = np.linalg.norm(change(max_grad_norm=1e-3), axis=(1, 2))
    np.testing.assert_allclose(norms, 0.1 * 1e-3, rtol=0.02)


def test_nothing_follows_an_end_and_only_real_numbers_are_pushed():
    (agents, trajectory, network, keys), learn, _ = taught(ON(rollout_length=6))
    before = learn(agents, trajectory, network, keys)[0].critic

    def after(where):
        state = trajectory.next_view.state + 9.0 * where[..., None].astype(np.float32)
        moved = trajectory._replace(next_view=trajectory.next_view._replace(state=state))
        return learn(agents, moved, network, keys)[0].critic

    ends = trajectory.terminated & trajectory.view.alive
    assert ends.any()
    assert_same(after(ends), before)
    assert touched(before, after(~ends & trajectory.view.alive)) == {0, 1, 2, 3}
    pushed = np.abs(trajectory.shown["features"][1].bias[0]).max(axis=(0, 1))  # [N, D]
    assert ((pushed > 0) == (np.arange(4) < np.array([2, 4, 2, 4])[:, None])).all()


def heads_at_play(algorithm):
    """The parameters `[N, 3]` that the lesson was played with, before anything was learned."""
    head = taught(algorithm, Drift(), family("line", 2)).team.agents.policy.head
    return np.concatenate([head.weight[..., 0], head.bias], axis=1)


def test_what_does_not_fit_gets_its_sentence():
    with pytest.raises(
        ConfigError, match="chooses numbers, but this environment's actions are discrete"
    ):
        ON().init(InitKeys.of(jax.random.key(0)), LearnerSpec(2, Discrete(3)))
    with pytest.raises(
        ConfigError, match=r"actor_lr_decay must be at least critic_lr_decay, not 0.0"
    ):
        ON(critic_lr_decay=0.6).check(1)
