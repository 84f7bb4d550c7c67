"""The example of a method of one's own: short, found by its path, right by hand.

That it learns is seen in the probes: contracts and probes hold it to what all methods promise.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np

import examples.f2a2_ppo as example
from coterie.algorithms.f2a2.on_policy import PolicyBatch
from coterie.catalogue import make_algorithm
from coterie.rl.distributions import Categorical
from coterie.training.run import new_run, open_run
from coterie.training.settings import Settings
from coterie.types import Discrete, LearnerSpec, Observation
from examples.f2a2_ppo import F2A2PPO
from tests.options import with_options


def test_it_is_short_and_found_by_its_path(tmp_path):
    assert len(inspect.getsource(example).splitlines()) < 100
    made = make_algorithm("examples.f2a2_ppo:F2A2PPO", clip_eps=0.1)
    assert made == F2A2PPO(clip_eps=0.1)
    run = new_run(made, "spread", Settings(), tmp_path / "run")
    run.create()
    assert open_run(tmp_path / "run").algorithm == made


def test_ratios_are_clipped_and_advantages_are_of_both_critics():
    algorithm = with_options(F2A2PPO(), hidden_sizes=(4, 4), clip_eps=0.2)
    spec = LearnerSpec(2, Discrete(3), state=4, sizes=(3, 3), agents=2)
    critics = algorithm.critics(jax.random.key(4), spec)
    random = np.random.default_rng(0)
    seen = Observation(
        jnp.zeros((1, 6, 2)), state=jnp.asarray(random.normal(size=(1, 6, 4)), jnp.float32)
    )
    actions = jax.nn.one_hot(random.integers(3, size=(1, 6, 2)), 3)
    before = jnp.log(jnp.full((1, 6), 0.2))
    ratio = jnp.array([[0.5, 0.9, 1.0, 1.1, 1.5, 3.0]])

    def gain(log_prob):
        choices = Categorical.of(jnp.zeros((1, 6, 3)))
        case = PolicyBatch(seen, choices, actions, log_prob, before, before, jnp.int32(0))
        return algorithm.actor_objective(critics, case)

    value = critics.joint.value(seen.state, actions.reshape(1, 6, 6))
    base = critics.state.value(critics.state.body.step(seen.state, ())[0])
    advantage = np.asarray(value - base)
    assert (advantage > 0).any() and (advantage < 0).any()
    kept = np.where(advantage > 0, np.minimum(ratio, 1.2), np.maximum(ratio, 0.8))
    np.testing.assert_allclose(gain(before + jnp.log(ratio)), kept * advantage, rtol=1e-4)
    slopes = jax.grad(lambda x: jnp.sum(gain(x)))(before + jnp.log(ratio))
    moving = np.isclose(kept, ratio)
    np.testing.assert_allclose(slopes, np.where(moving, ratio * advantage, 0.0), rtol=1e-4)
