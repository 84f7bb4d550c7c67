"""Rollouts for training: each agent's trajectory as it may know it, and the episodes that ended."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from coterie.algorithms import Information, Trajectory
from coterie.envs.game import VectorEnv
from coterie.network import lift
from coterie.rl.quantized import compact, expanded
from coterie.training.action_scaling import ActionScaling
from coterie.training.play import EnvState, Moment, Player, StepKeys, choose, own_views, play_steps
from coterie.types import Observation, ObservationEncoder


class EpisodeStats(NamedTuple):
    """Sums over the episodes that ended: how many, their returns, lengths and closing numbers."""

    count: Int[Array, ""]
    returns: Float[Array, " N"]
    length: Int[Array, ""]
    info: dict[str, Array]


class Public(NamedTuple):
    """Parts of a step that all agents know; see `Trajectory`."""

    actions: Float[Array, "*T G M W"] | None
    shown: dict[str, PyTree] | None
    there: Bool[Array, "*T G N"] | None


def rollout(
    act: Any,
    information: Information,
    vector: VectorEnv,
    units: ActionScaling,
    encoder: ObservationEncoder,
    step: float,
    agents: PyTree,
    start: PyTree,
    stage: EnvState,
    keys: StepKeys,
) -> tuple[EnvState, Trajectory, EpisodeStats]:
    """Play as many steps in every environment as there are keys.

    act:        one agent's `(state, memory, view, key) -> (decision, memory)`.
    encoder:    the form in which agents see each other's observations.
    step:       the step of everybody's observations, which are recorded as bytes; 0 without one.
    agents:     the agents' states, `[N, ...]`.
    start:      the agents' memories at the start of an episode, `[N, ...]`.

    Returns the stage after the last step, the experience of every agent `[N, T, G, ...]` as the
    information rule allows it, and the sums over the episodes that ended.
    """

    def decide(memory: PyTree, view: Observation, keys: Array) -> tuple[Any, PyTree]:
        return lift(act)(agents, memory, view, keys)

    def look(envs: PyTree, view: Observation, state: Array | None) -> Observation:
        return _shown(information, vector, encoder, envs, view, state)

    def record(moment: Moment) -> tuple[Trajectory, Public, EpisodeStats]:
        record = compact(_record(information, moment), step)
        return record, _public(information, vector, units, moment), _ended(moment)

    player = Player(decide, vector, units, start, look)
    before = stage.memory
    stage, (records, public, episodes) = play_steps(player, stage, keys, record)
    trajectory = expanded(jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), records))
    agents_of = trajectory.reward.shape[:1]
    known = jax.tree.map(lambda x: jnp.broadcast_to(x, agents_of + x.shape), public)
    episodes = jax.tree.map(lambda x: jnp.sum(x, axis=0), episodes)
    return stage, trajectory._replace(memory=before, **known._asdict()), episodes


def _shown(
    information: Information,
    vector: VectorEnv,
    encoder: ObservationEncoder,
    envs: PyTree,
    view: Observation,
    state: Array | None,
) -> Observation:
    """The environments' views `[G, N, ...]` as the agents' views `[N, G, ...]`, with what is
    declared."""
    shown = own_views(envs, view, state)
    if not information.state:
        return shown
    if information.state == "observations":
        seen = view._replace(observation=encoder(view.observation))
        return shown._replace(state=_everybodys(vector, envs, seen))
    known = vector.global_state(envs, view) if state is None else state
    agents = view.observation.shape[1]
    return shown._replace(state=jnp.broadcast_to(known, (agents, *known.shape)))


def _everybodys(vector: VectorEnv, envs: PyTree, view: Observation) -> Float[Array, "k G S"]:
    """Observations of all agents, as each agent knows them: zeros for others that are gone."""
    mine = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), (view.observation, view.alive))
    seen, alive = vector.everybody(envs, mine, "observations")
    agents, copies, size = seen.shape
    seats = vector.seats(agents)
    known = jnp.broadcast_to(jnp.swapaxes(seen, 0, 1), (len(seats), copies, agents, size))
    if alive is not None:
        own = jnp.eye(agents, dtype=bool)[seats][:, None]  # its last view is its own, gone or not
        known = jnp.where((alive.T | own)[..., None], known, 0.0)
    return known.reshape(len(seats), copies, -1)


def _record(information: Information, moment: Moment) -> Trajectory:
    """One step as every agent may know it, `[N, G, ...]`."""
    timestep = moment.timestep
    reward = timestep.reward.T
    if information.reward == "team":
        reward = jnp.broadcast_to(jnp.mean(reward, axis=0), reward.shape)
    return Trajectory(
        view=moment.view,
        decision=moment.decision,
        reward=reward,
        terminated=timestep.terminated.T,
        truncated=timestep.truncated.T,
        over=jnp.broadcast_to(timestep.over, reward.shape),
        next_view=moment.next_view,
        memory=(),
    )


def _public(
    information: Information, vector: VectorEnv, units: ActionScaling, moment: Moment
) -> Public:
    """Return the parts of a step that all agents know, as declared."""

    def told(value: PyTree, name: str) -> PyTree:
        """Everybody's, `[G, N, ...]`, of `[k, G, ...]`."""
        every = vector.everybody(moment.envs, value, name)
        return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), every)

    actions, shown, there, present = None, None, None, moment.alive
    if information.actions != "own":
        acted = units.encode(moment.decision.action)
        if present is not None:
            acted = jnp.where(present[..., None], acted, 0.0)
        actions = told(jnp.swapaxes(acted, 0, 1), "actions")
        if information.actions == "mean":
            actions = jnp.mean(actions, axis=1, keepdims=True)
    if information.broadcasts:
        parts = {name: getattr(moment.decision, name) for name in information.broadcasts}
        shown = told(parts, "shown")
    if information.actions == "joint" and present is not None:
        there = told(present.T, "present")
    return Public(actions, shown, there)


def _ended(moment: Moment) -> EpisodeStats:
    over, info = moment.timestep.over & (moment.lengths > 0), moment.timestep.info
    return EpisodeStats(
        jnp.sum(over, dtype=jnp.int32),
        jnp.sum(jnp.where(over[:, None], moment.returns, 0.0), axis=0),
        jnp.sum(jnp.where(over, moment.lengths, 0)),
        {k: jnp.sum(choose(over, v, jnp.zeros_like(v), axis=0), axis=0) for k, v in info.items()},
    )
