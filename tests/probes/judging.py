"""What agents believe that the states of a probe are worth."""

import jax
import jax.numpy as jnp

from coterie.algorithms import NetworkedAC, NetworkedQAC
from coterie.algorithms.base.off_policy import OffPolicy
from coterie.algorithms.base.tabular import Tabular
from coterie.algorithms.f2a2.f2a2 import F2A2
from coterie.algorithms.f2a2.off_policy import F2A2OffPolicy
from coterie.algorithms.f2a2.policy_batch import JointActions
from coterie.envs.game import Observation
from tests.probes.games import ACTIONS, STATES, able


def judged(algorithm, agents, rules):
    """What each agent believes that each state is worth, `[S, N]`; for those without memory."""
    if any(getattr(algorithm, name).recurrent for name in algorithm.recurrent_models):
        return None
    if isinstance(algorithm, Tabular):
        return table_of(algorithm, agents)
    everything = rules.observation.reshape(len(rules.observation), 1, -1)
    first = jnp.tile(jnp.eye(3)[0], (len(everything), 2))  # where values are asked, any will do
    if isinstance(algorithm, F2A2):
        return imagined(algorithm, algorithm.learned(agents), rules)
    if isinstance(algorithm, OffPolicy):
        critics = agents.actor_critic.models.critic
        joint = algorithm.information.state
        seen = jnp.repeat(everything, 2, axis=1) if joint else rules.observation
        acted = first if joint else first[:, :ACTIONS]
        value = jax.vmap(lambda critic, seen: critic.value(seen, acted), (0, 1), 1)
        return value(critics, seen)
    seen = everything if algorithm.information.state else rules.observation
    if isinstance(algorithm, NetworkedAC):
        agents = agents._replace(critic=agents.critic.value)
    if isinstance(algorithm, NetworkedQAC):
        seen = jnp.concatenate([everything, first[:, None]], axis=-1)

    def mine(agent, seen, able):
        judge = agent.critic if hasattr(agent, "critic") else agent.q_network.values
        output = judge.head(judge.body.step(seen, ())[0])
        return (
            output[:, 0]
            if hasattr(agent, "critic")
            else jnp.max(output, -1, where=able, initial=-9)
        )

    seen = jnp.broadcast_to(seen, (len(seen), 2, seen.shape[-1]))
    return jax.vmap(mine, (0, 1, 0), 1)(agents, seen, able())


def imagined(algorithm, models, rules):
    """What critics of everybody's observations and actions think of each state, `[S, N]`."""
    everything = rules.observation.reshape(STATES, -1)
    first = jnp.tile(jnp.eye(3)[0], (STATES, 2, 1))
    if isinstance(algorithm, F2A2OffPolicy):
        first = JointActions(first)
    if hasattr(models.critic[0], "told"):  # and of what everybody's critics tell of them
        told = jax.vmap(lambda c, v, a: c.told(v, a), (0, 1, 1))
        first = first._replace(told=told(models.critic[0], rules.observation, first.taken))

    def mine(models, seen, index):
        view = Observation(seen, state=everything)
        return algorithm.values(models.critic, view, first, index)[0]

    return jax.vmap(mine, (0, 1, 0), 1)(models, rules.observation, jnp.arange(2))


def table_of(algorithm, agents):
    """The same for those with tables: what a draw from the policy, or the best action, is worth."""
    values, preference = agents.rows[:, :, 0], agents.rows[:, :, 1]
    able_in = able()[:, None]
    if algorithm.deterministic_eval:
        return jnp.max(values, -1, where=able_in, initial=-9).T
    chance = jax.nn.softmax(jnp.where(able_in, preference, -jnp.inf))
    return jnp.sum(chance * values, axis=-1).T
