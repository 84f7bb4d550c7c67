"""What networked critics agree on where agents are paid in very different numbers: the mean."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from coterie.algorithms import NetworkedAC, NetworkedQAC
from coterie.algorithms.networked.base import CriticConsensus, observation_actions
from coterie.algorithms.networked.networked_ac import Critics, critic_value
from coterie.centralized import CENTRAL_AC
from coterie.graph import family, uniform
from coterie.network import Communication, Delay, Noise, Payload, Quantization
from coterie.rl.optimizers import rescaled, scales
from coterie.training.state import init_state, iteration
from tests.algorithms.purses import MEAN, Purses
from tests.options import with_options


def helped(critic):
    """What it is worth, to a critic, that all help and not none."""
    inputs = observation_actions(jnp.ones((2, 1)), jnp.eye(2)[:, None])
    none, everybody = critic_value(critic.reward if isinstance(critic, Critics) else critic, inputs)
    return everybody - none


LINEAR = {
    "rollout_length": 4,
    "critic_actions": "mean",
    "hidden_sizes": (),
    "actor_lr": 1e-12,  # the policies stay as they are
    "critic_lr": 0.05,
    "max_grad_norm": 1e6,
    "gae_lambda": 0.0,
    "critic_epochs": 1,
    "discount": 0.95,
}


@functools.cache
def found(algorithm, graph="complete", channels=()):
    """What helping is worth to every agent in the end, and the scales then, `[N]` each."""
    env = Purses()
    vector = env.vectorize(16)
    links = family(graph, 4, uniform) if graph == "complete" else family(graph, 4)
    team = init_state(
        algorithm, env, vector, Communication(links, channels=channels), jax.random.key(0)
    )
    round_ = iteration(algorithm, env, vector)

    def step(team, _):
        team = round_(team)[0]
        return team, jax.vmap(helped)(team.agents.critic)

    team, said = jax.jit(lambda t: jax.lax.scan(step, t, None, length=2000))(team)
    moments = jax.vmap(lambda agent: scales(agent.optimizer[1]))(team.agents)
    return np.mean(said[1500:], axis=0), jax.tree.leaves(moments)


@dataclasses.dataclass(frozen=True)
class OwnScale(CriticConsensus):
    """Critics are averaged, and what divides their gradients is each agent's own."""

    def declared(self, information):
        critic = Payload("critic", lasting=lambda state: state.critic)
        return dataclasses.replace(information, payloads=(critic,))

    def agree(self, mine, network):
        critic, network = network.mix(mine.critic, "critic")
        return mine._replace(critic=critic), network


METHODS = {"ac": NetworkedAC(), "q": NetworkedQAC(), "center": CENTRAL_AC}


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("sgd", marks=pytest.mark.deep)])
@pytest.mark.parametrize("name", METHODS)
def test_a_complete_graph_comes_to_the_critic_of_the_mean_reward(name, optimizer):
    worths, _ = found(with_options(METHODS[name], **LINEAR, optimizer=optimizer))
    np.testing.assert_allclose(worths, MEAN, rtol=0.05)


def test_divided_by_their_own_scale_critics_agree_on_something_else():
    worths, _ = found(with_options(NetworkedAC(consensus=OwnScale()), **LINEAR))
    assert np.ptp(worths) < 0.01
    assert abs(worths[0] - MEAN) > 0.5 * MEAN


@pytest.mark.parametrize(("rounds", "apart"), [(1, 0.1), (5, 0.01)])
def test_on_a_ring_the_mean_of_the_critics_is_that_of_the_mean_reward(rounds, apart):
    worths, moments = found(with_options(NetworkedAC(), **LINEAR, rounds=rounds), "ring")
    np.testing.assert_allclose(worths.mean(), MEAN, rtol=0.05)
    assert np.std(worths) < apart * MEAN
    for moment in moments:
        assert np.std(moment) < 0.05 * np.mean(moment)


def test_several_steps_between_two_averages_change_little():
    worths, _ = found(with_options(NetworkedAC(), **LINEAR | {"critic_epochs": 5}))
    np.testing.assert_allclose(worths, MEAN, rtol=0.05)


@pytest.mark.parametrize(
    "channel",
    [Quantization(4), *(pytest.param(c, marks=pytest.mark.deep) for c in (Delay(10), Noise(0.01)))],
    ids=repr,
)
def test_what_happens_to_messages_does_not_turn_scales_into_nonsense(channel):
    worths, moments = found(with_options(NetworkedAC(), **LINEAR), "ring", (channel,))
    np.testing.assert_allclose(worths.mean(), MEAN, rtol=0.2)
    assert all((moment >= 0).all() for moment in moments)


def test_scales_are_one_number_for_each_array_and_never_negative():
    model = {"body": jnp.ones((2, 3)), "head": jnp.ones(3)}
    adam = optax.chain(optax.clip_by_global_norm(9.0), optax.adam(1.0))
    state = adam.update(model, adam.init(model))[1]
    np.testing.assert_allclose(jax.tree.leaves(scales(state)), 0.001, rtol=1e-4)
    after = rescaled(state, {"body": jnp.array(4.0), "head": jnp.array(-1.0)})
    moments = optax.tree.get(after, "nu")
    np.testing.assert_array_equal(moments["body"], np.full((2, 3), 4.0))
    np.testing.assert_array_equal(moments["head"], np.zeros(3))
    for which in (after, state):
        np.testing.assert_allclose(optax.tree.get(which, "mu")["body"], 0.1, rtol=1e-5)
    plain = optax.sgd(1.0).init(model)
    assert scales(plain) is None
    assert rescaled(plain, None) is plain
