"""An algorithm of one's own: an actor-critic whose neighbours average their critics.

coterie train examples.own_algorithm:GossipA2C spread --graph ring --steps 300000
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import optax

from coterie import MLP, Algorithm, Information, InitKeys, Inputs, LearnerSpec, Model, Payload
from coterie.algorithms.base.advantages import values_and_gae
from coterie.algorithms.base.algorithm import ActionOnly
from coterie.rl.masked_stats import mean, standardize
from coterie.rl.networks import Critic, Policy


@dataclass(frozen=True)
class GossipA2C(Algorithm):
    """Advantage actor-critic; after each update critics are averaged with the neighbours'."""

    rollout_length: int = 16
    lr: float = 2e-3
    model: Model = MLP()

    @property
    def information(self) -> Information:
        return Information(payloads=(Payload("critic", lasting=lambda state: state[0][1]),))

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[Any, tuple[()]]:
        own, common = map(jax.random.split, keys)
        policy = Policy.init(own, self.model, Inputs.of(spec), spec.action)
        models = policy, Critic.init(common, self.model, Inputs.of(spec))
        return (models, optax.adam(self.lr).init(eqx.filter(models, eqx.is_array))), ()

    def act(self, state: Any, memory: Any, view: Any, key: jax.Array) -> tuple:
        return ActionOnly(self.policy(state).distribution(view).sample(key)), memory

    def learn(self, state: Any, trajectory: Any, network: Any, key: jax.Array) -> tuple:
        (models, optimizer), view = state, trajectory.view
        value, advantage = values_and_gae(models[1], trajectory, (), 0.97, 0.95)
        gain = standardize(advantage, view.alive)

        def loss(models: tuple[Policy, Critic]) -> jax.Array:
            policy, critic = models
            score = gain * policy.distribution(view).log_prob(trajectory.decision.action)
            error = critic.value(critic.body.step(view.critic_input, ())[0]) - value - advantage
            return mean(0.5 * error**2 - score, view.alive)

        error, gradient = jax.value_and_grad(loss)(models)
        change, optimizer = optax.adam(self.lr).update(gradient, optimizer)
        policy, mine = eqx.apply_updates(models, change)
        critic, network = network.mix(mine, "critic")
        return ((policy, critic), optimizer), network, {"loss": error}

    def policy(self, state: Any) -> Policy:
        return state[0][0]
