"""Fresh critics of actions: their differences between actions mean nothing, and are small."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import IQL, IndependentCritic, InitKeys
from coterie.algorithms.f2a2.critics import AttentionNetwork
from coterie.algorithms.f2a2.policy_batch import JointActions
from coterie.algorithms.networked.networked_ac import critic_value
from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import ActionCritic, Critic
from coterie.types import Discrete, LearnerSpec, Observation

SIZE, BATCH, TEAM = 5, 16, 3
SEEN = 3.0 * jax.random.normal(jax.random.key(1), (BATCH, 4))
SPEC = LearnerSpec(4, Discrete(SIZE), state=4 * TEAM, sizes=(SIZE,) * TEAM, agents=TEAM)
KEY, EACH = jax.random.key(0), jnp.eye(SIZE)


def joint_critic():
    critic = ActionCritic.init(jax.random.split(KEY), MLP(), Inputs(4), SIZE)
    return jax.vmap(lambda own: critic.value(SEEN, jnp.tile(own, (BATCH, 1))))(EACH).T


def attention():
    critic = AttentionNetwork.init(KEY, SPEC, 16, 2)
    acted = jnp.tile(EACH[0], (BATCH, TEAM, 1))
    return critic.values(jnp.tile(SEEN, TEAM), acted, jnp.int32(1))


def independent():
    critic, part = IndependentCritic().build(KEY, SPEC), IndependentCritic()
    return part.values(
        critic, Observation(SEEN), JointActions(jnp.zeros((BATCH, 1, SIZE))), jnp.int32(0)
    )


def q_network():
    values = IQL(buffer_size=1).init(InitKeys.of(KEY), SPEC)[0].q_network.values
    return values.head(values.body.step(SEEN, ())[0])


@pytest.mark.parametrize("values", [joint_critic, attention, independent, q_network])
def test_a_fresh_critic_prefers_no_action(values):
    """Beside rewards of about 1, for observations of deviation 3."""
    apart = np.std(values(), axis=-1)
    assert apart.shape == (BATCH,)
    assert 0.0 < apart.max() < 0.05


def test_a_fresh_state_value_has_its_scale():
    critic = Critic.init(jax.random.split(KEY), MLP(), Inputs(4))
    assert np.std(critic_value(critic, SEEN)) > 0.5
