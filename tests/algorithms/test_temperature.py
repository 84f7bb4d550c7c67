"""The temperature of soft actor-critics: held, or learned so that the entropy is held."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import F2A2SAC, AutomaticTemperature, FixedTemperature
from coterie.errors import ConfigError
from coterie.rl.distributions import Categorical
from tests.runs import refused
from tests.support import SMALL, taught, touched, with_options

UNIFORM = Categorical.of(jnp.zeros((3, 4)))


def test_the_excess_is_of_what_is_possible_and_of_whom_it_concerns():
    rule = AutomaticTemperature(target=0.25)
    assert rule.excess(UNIFORM, None) == pytest.approx(0.75)
    half = Categorical.of(
        jnp.zeros((3, 4)), jnp.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]) > 0
    )
    assert rule.excess(half, None) == pytest.approx(0.75)  # uniform, or without a choice
    sure = Categorical.of(jnp.array([[0.0, 0, 0, 0], [99.0, 0, 0, 0]]))
    assert rule.excess(sure, None) == pytest.approx(0.25)
    assert rule.excess(sure, jnp.array([False, True])) == pytest.approx(-0.25)
    assert rule.excess(sure, jnp.array([False, False])) == 0.0


@pytest.mark.parametrize("excess, sign", [(0.5, -1), (-0.1, 1), (0.0, 0)])
def test_alpha_falls_while_a_policy_is_too_random_and_rises_while_it_is_too_sure(excess, sign):
    rule = AutomaticTemperature(initial=0.5, lr=0.1)
    state = rule.start()
    assert rule.alpha(state) == pytest.approx(0.5)
    state, metrics = rule.updated(state, jnp.float32(excess))
    assert np.log(rule.alpha(state) / 0.5) == pytest.approx(0.1 * sign, abs=1e-5)
    assert metrics["temperature"] == rule.alpha(state)


def test_it_finds_the_alpha_at_which_a_soft_policy_has_the_entropy_that_is_aimed_at():
    """Of actions with known values: `pi = softmax(Q / alpha)`."""
    rule, values = AutomaticTemperature(target=0.5, lr=0.03), jnp.array([[1.0, 0.5, 0.0, -2.0]])

    def step(state, _):
        excess = rule.excess(Categorical.of(values / rule.alpha(state)), None)
        return rule.updated(state, excess)[0], None

    state, _ = jax.lax.scan(step, rule.start(), None, length=1_000)
    entropy = Categorical.of(values / rule.alpha(state)).entropy()[0]
    assert entropy == pytest.approx(0.5 * np.log(4), abs=1e-3)


def test_a_fixed_temperature_stays():
    rule = FixedTemperature(0.2)
    state, metrics = rule.updated(rule.start(), rule.excess(UNIFORM, None))
    assert rule.alpha(state) == pytest.approx(0.2) and metrics == {}


@pytest.mark.deep
def test_every_agent_has_its_own_and_sends_nothing_of_it():
    small = with_options(F2A2SAC(temperature=AutomaticTemperature(target=0.9)), **SMALL)
    lesson, learn, team = taught(small)
    before = team.agents.actor_critic.extras.temperature
    agents, _, metrics = learn(team.agents, lesson.trajectory, team.network, lesson.keys)
    assert touched(before, agents.actor_critic.extras.temperature) == {0, 1, 2, 3}
    assert metrics["temperature"].shape == (4,)
    assert small.information.sends == F2A2SAC().information.sends


def test_options_of_another_kind_of_temperature_get_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = ["train", "f2a2-sac", "rover-tower", "--temperature"]
    assert "temperature.value" in refused([*train, "automatic", "--temperature.value", "0.1"])
    assert "temperature.target" in refused([*train, "fixed", "--temperature.target", "0.1"])
    with pytest.raises(ConfigError, match="target must lie between 0 and 1, not 2"):
        AutomaticTemperature(target=2.0)
