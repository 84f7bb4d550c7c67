"""Play, and cut what happened into what each agent may know: the only scan over environment
steps."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms import Information, Trajectory
from coterie.envs.game import Timestep, VectorEnv
from coterie.network import lift
from coterie.training.action_scaling import ActionScaling
from coterie.types import Observation


class EnvState(NamedTuple):
    """Environments in progress: what changes from one step to the next.

    envs:    the environments' own state.
    view:    what the agents see now, `[G, N, ...]`.
    memory:  what each agent remembers of each environment, `[N, G, ...]`.
    returns: the rewards of the running episodes so far, `[G, N]`.
    lengths: their steps so far, `[G]`.
    """

    envs: PyTree
    view: Observation
    memory: PyTree
    returns: Float[Array, "G N"]
    lengths: Int[Array, " G"]


class EpisodeStats(NamedTuple):
    """Sums over the episodes that ended: how many, their returns, lengths and closing numbers."""

    count: Int[Array, ""]
    returns: Float[Array, " N"]
    length: Int[Array, ""]
    info: dict[str, Array]


class Public(NamedTuple):
    """What everybody knows of a step; see `Trajectory`."""

    actions: Float[Array, "*T G M W"] | None
    shown: dict[str, PyTree] | None
    there: Bool[Array, "*T G N"] | None


def init_env_state(vector: VectorEnv, memory: PyTree, key: Key[Array, ""]) -> EnvState:
    """Fresh environments; `memory` is what each agent remembers at the start of an episode, `[N,
    ...]`."""
    envs, view = vector.reset(key)
    copies, agents = view.observation.shape[:2]
    spread = jax.tree.map(
        lambda m: jnp.broadcast_to(m[:, None], (agents, copies, *m.shape[1:])), memory
    )
    return EnvState(envs, view, spread, jnp.zeros((copies, agents)), jnp.zeros(copies, jnp.int32))


def rollout(
    act: Any,
    information: Information,
    vector: VectorEnv,
    units: ActionScaling,
    agents: PyTree,
    start: PyTree,
    stage: EnvState,
    agent_keys: Key[Array, "T N"],
    env_keys: Key[Array, " T"],
) -> tuple[EnvState, Trajectory, EpisodeStats]:
    """`T` steps in every environment.

    act:        one agent's `(state, memory, view, key) -> (decision, memory)`.
    agents:     the agents' states, `[N, ...]`.
    start:      the agents' memories at the start of an episode, `[N, ...]`.

    Returns the stage after the last step, the experience of every agent `[N, T, G, ...]` as the
    information rule allows it, and the sums over the episodes that ended.
    """
    before = stage.memory

    def step(stage: EnvState, keys: tuple[Array, Array]) -> tuple[EnvState, tuple]:
        agent_key, env_key = keys
        view = _shown(information, vector, stage.envs, stage.view, None)
        decision, memory = lift(act)(agents, stage.memory, view, agent_key)
        action = units.to_env(decision.action)
        envs, timestep, following = vector.step(stage.envs, action, env_key)
        over = timestep.over
        next_view = _shown(information, vector, envs, timestep.view, timestep.state)
        returns = stage.returns + timestep.reward
        lengths = stage.lengths + 1
        episodes = _ended(over, returns, lengths, timestep.info)
        present = stage.view.alive
        record = _record(information, view, decision, timestep, next_view, present)
        public = _public(information, units, decision, present)
        stage = EnvState(
            envs,
            following,
            jax.tree.map(lambda m, s: _choose(over, s[:, None], m, axis=1), memory, start),
            _choose(over, jnp.zeros_like(returns), returns, axis=0),
            _choose(over, jnp.zeros_like(lengths), lengths, axis=0),
        )
        return stage, (record, public, episodes)

    stage, (records, public, episodes) = jax.lax.scan(step, stage, (agent_keys, env_keys))
    trajectory = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), records)
    agents_of = trajectory.reward.shape[:1]
    known = jax.tree.map(lambda x: jnp.broadcast_to(x, agents_of + x.shape), public)
    episodes = jax.tree.map(lambda x: jnp.sum(x, axis=0), episodes)
    return stage, trajectory._replace(memory=before, **known._asdict()), episodes


def _shown(
    information: Information,
    vector: VectorEnv,
    envs: PyTree,
    view: Observation,
    state: Array | None,
) -> Observation:
    """The environments' views `[G, N, ...]` as the agents' views `[N, G, ...]`, with what is
    declared."""
    shown = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), view._replace(state=None))
    if not information.state:
        return shown
    if information.state == "observations":
        return shown._replace(state=_everybodys(view))
    known = vector.global_state(envs, view) if state is None else state
    agents = view.observation.shape[1]
    return shown._replace(state=jnp.broadcast_to(known, (agents, *known.shape)))


def _everybodys(view: Observation) -> Float[Array, "N G S"]:
    """What all see, as each agent knows it: of others that are gone, zeros."""
    copies, agents, size = view.observation.shape
    known = jnp.broadcast_to(view.observation, (agents, copies, agents, size))
    if view.alive is not None:
        mine = jnp.eye(agents, dtype=bool)[:, None]  # its last view is its own, gone or not
        known = jnp.where((view.alive | mine)[..., None], known, 0.0)
    return known.reshape(agents, copies, -1)


def _record(
    information: Information,
    view: Observation,
    decision: Any,
    timestep: Timestep,
    next_view: Observation,
    present: Bool[Array, "G N"] | None,
) -> Trajectory:
    """One step as every agent may know it, `[N, G, ...]`."""
    reward = timestep.reward.T
    if information.reward == "team":
        earned = reward if present is None else jnp.where(present.T, reward, 0.0)
        reward = jnp.broadcast_to(jnp.mean(earned, axis=0), reward.shape)
    return Trajectory(
        view=view,
        decision=decision,
        reward=reward,
        terminated=timestep.terminated.T,
        truncated=timestep.truncated.T,
        over=jnp.broadcast_to(timestep.over, reward.shape),
        next_view=next_view,
        memory=(),
    )


def _public(
    information: Information,
    units: ActionScaling,
    decision: Any,
    present: Bool[Array, "G N"] | None,
) -> Public:
    """What everybody knows of a step, as declared."""
    actions = None
    if information.actions != "own":
        actions = units.encode(decision.action)
        if present is not None:
            actions = jnp.where(present[..., None], actions, 0.0)
        if information.actions == "mean":
            actions = jnp.mean(actions, axis=1, keepdims=True)
    parts = {name: getattr(decision, name) for name in information.broadcasts}
    shown = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), parts)
    there = present if information.actions == "joint" else None
    return Public(actions, shown or None, there)


def _ended(
    over: Bool[Array, " G"],
    returns: Float[Array, "G N"],
    lengths: Int[Array, " G"],
    info: dict[str, Array],
) -> EpisodeStats:
    return EpisodeStats(
        jnp.sum(over, dtype=jnp.int32),
        jnp.sum(jnp.where(over[:, None], returns, 0.0), axis=0),
        jnp.sum(jnp.where(over, lengths, 0)),
        {k: jnp.sum(_choose(over, v, jnp.zeros_like(v), axis=0), axis=0) for k, v in info.items()},
    )


def _choose(over: Bool[Array, " G"], then: Array, otherwise: Array, axis: int) -> Array:
    shape = [1] * otherwise.ndim
    shape[axis] = over.shape[0]
    return jnp.where(over.reshape(shape), then, otherwise)
