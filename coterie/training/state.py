"""A team in training: everything that one seed of a run carries from block to block."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms import Algorithm, Information, InitKeys, Trajectory
from coterie.envs.game import Env, VectorEnv
from coterie.errors import EnvError, require
from coterie.internal.count import Count
from coterie.network import Communication, Network, Traffic, joined, lift, networks
from coterie.training.action_scaling import action_scaling
from coterie.training.play import EnvState, StepKeys, init_env_state
from coterie.training.rollout import EpisodeStats, rollout
from coterie.training.scales import Scales, dividing, observe, start_scales
from coterie.types import (
    AgentSpec,
    LearnerSpec,
    Observation,
    ObservationEncoder,
    are_mixed,
    common_step,
    in_mixed_team,
    kinds,
)

MASK = "action mask"
"""The entry of a report that is about masks."""


class TrainState(NamedTuple):
    """State of one seed while it trains; checkpoints hold exactly this.

    agents, start: the agents' states and first memories, `[N, ...]`.
    scales:    each agent's scales of what it sees and is paid, `[N, ...]`.
    keys:      each agent's own random stream, `[N]`.
    network:   each agent's end of the network, `[N, ...]`.
    stage:     the environments in progress.
    env_key:   the environments' random stream.
    iteration: updates so far.
    """

    agents: PyTree
    scales: Scales
    start: PyTree
    keys: Key[Array, " N"]
    network: Network
    stage: EnvState
    env_key: Key[Array, ""]
    iteration: Int[Array, ""]


class IterationStats(NamedTuple):
    """Report of one iteration to the host.

    metrics:  the algorithm's numbers, one per agent, `[N]`.
    sent:     the bytes that each agent sent, over links, to a centre and to all others, `[N]`;
              `bytes` on the host.
    observed: the bytes it is assumed to know of others without a message, `[N]`: their
              observations and actions, the state, the team's reward, as they are declared;
              `observed_bytes` on the host.
    rounds:   its rounds of exchange, `[N]`.
    traffic:  the traffic of the links, per payload.
    consensus_error: the team's distance from agreement, per payload that it is to agree on: the
              root of the mean squared distance of a number from its mean over the agents.
    episodes: sums over the episodes that ended.
    sound:    True if an agent's observations and rewards were finite, and if its action masks, if
              there are any, always allowed something, `[N]` each.
    """

    metrics: dict[str, Array]
    sent: Count
    observed: Count
    rounds: Int[Array, " N"]
    traffic: dict[str, Traffic]
    consensus_error: dict[str, Float[Array, ""]]
    episodes: EpisodeStats
    sound: dict[str, Bool[Array, " N"]]

    @property
    def bytes(self) -> Int[np.ndarray, "*B N"]:
        """The bytes that each agent sent, as integers of 64 bits."""
        return self.sent.whole()

    @property
    def observed_bytes(self) -> Int[np.ndarray, "*B N"]:
        """The bytes that each agent is assumed to know without a message."""
        return self.observed.whole()


def resolve_specs(env: Env, vector: VectorEnv, algorithm: Algorithm) -> tuple[LearnerSpec, ...]:
    """The agents' specs, with the global state and the masks that they will really be shown."""
    information = algorithm.information
    envs, view = jax.eval_shape(vector.reset, jax.random.key(0))
    specs, state, encoder = env.specs, 0, ObservationEncoder.of(env.specs)
    sizes = tuple(spec.action.size for spec in specs)
    widest = encoder.states or view.observation.shape[-1], max(sizes)
    if information.state == "observations":
        require(
            encoder.states > 0 or not any(spec.states for spec in specs),
            "this method sees all observations side by side, and some agents' are numbered and "
            "others' are not: give none of them `states`, or all.",
            EnvError,
        )
        state = len(specs) * widest[0]
    elif information.state:
        state = jax.eval_shape(vector.global_state, envs, view).shape[-1]
    require(
        len(set(sizes)) == 1 or view.action_mask is not None,
        f"agents have actions of different sizes, {min(sizes)} to {max(sizes)}, and no mask says "
        "which entries are whose: give Observation.action_mask (`coterie check` looks at the "
        "rest).",
        EnvError,
    )
    mixed, step = are_mixed([spec.action for spec in env.specs]), common_step(specs)
    seen = {"own": (), "mean": (max(sizes),), "joint": sizes}[information.actions]
    return tuple(
        LearnerSpec(
            observation=spec.size,
            action=in_mixed_team(spec.action) if mixed else spec.action,
            shape=spec.shape,
            states=spec.states,
            state=state,
            masked=view.action_mask is not None,
            leaves=view.alive is not None,
            sizes=seen,
            num_envs=vector.copies,
            agents=len(specs),
            normalized=algorithm.normalize_observations and not spec.states,
            quantization_step=step,
            widest=widest,
        )
        for spec in specs
    )


def init_state(
    algorithm: Algorithm,
    env: Env,
    vector: VectorEnv,
    communication: Communication,
    key: Key[Array, ""],
) -> TrainState:
    """A fresh team: every agent its own parameters, optimiser, memory and random stream; what the
    team is to agree on is drawn alike."""
    specs = resolve_specs(env, vector, algorithm)
    agents_key, env_key, stage_key, network_key, common_key = jax.random.split(key, 5)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(agents_key, jnp.arange(len(specs)))
    agents, start = _started(algorithm, specs, keys, common_key)
    return TrainState(
        agents,
        start_scales(algorithm, specs),
        start,
        keys,
        networks(
            communication.among(len(specs)),
            algorithm.information.sends,
            schedule=communication.schedule,
            channels=communication.channels,
            shared=jax.vmap(algorithm.information.lasting)(agents),
            key=network_key,
            joint_observable=algorithm.information.joint_observable,
        ),
        init_env_state(vector, start, stage_key),
        env_key,
        jnp.ones((), jnp.int32),
    )


def _started(
    algorithm: Algorithm,
    specs: tuple[LearnerSpec, ...],
    keys: Key[Array, " N"],
    common: Key[Array, ""],
) -> tuple[PyTree, PyTree]:
    """Every agent's state and first memory, `[N, ...]`; all agents of a kind are made at once."""

    def init(spec: LearnerSpec, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        return algorithm.init(InitKeys(jax.random.fold_in(key, 0), common), spec)

    alike = kinds(specs)
    made = [
        jax.lax.map(functools.partial(init, spec), keys[np.array(who)])
        for spec, who in alike.items()
    ]
    if len(made) == 1:
        return made[0]
    place = np.argsort(np.concatenate(list(alike.values())))
    return jax.tree.map(lambda x: x[place], joined(made))


def iteration(
    algorithm: Algorithm, env: Env, vector: VectorEnv
) -> Callable[[TrainState], tuple[TrainState, IterationStats]]:
    """Return a function for one iteration: play `rollout_length` steps, then learn from them."""
    parts = phases(algorithm, env, vector)
    return lambda team: advance(parts, team, keys_of(team, algorithm.rollout_length, 1)[0])


def iterations(
    algorithm: Algorithm, env: Env, vector: VectorEnv, most: int
) -> Callable[..., tuple[TrainState, IterationStats]]:
    """Return a function of a team, and of a number of iterations that is at most (and by default)
    `most`; its report is stacked, `[most, ...]`, and 0 beyond the iterations that were done."""
    # Compiled as a function of its own it is traced once, for its shapes and in the loop.
    turn = jax.jit(functools.partial(advance, phases(algorithm, env, vector)))

    def block(team: TrainState, updates: ArrayLike = most) -> tuple[TrainState, IterationStats]:
        keys = keys_of(team, algorithm.rollout_length, most)
        said = jax.eval_shape(turn, team, keys[0])[1]
        blank = jax.tree.map(lambda each: jnp.zeros((most, *each.shape), each.dtype), said)

        def once(
            done: Int[Array, ""], so_far: tuple[TrainState, IterationStats]
        ) -> tuple[TrainState, IterationStats]:
            team, reports = so_far
            team, report = turn(team, keys[done])
            return team, jax.tree.map(lambda all, one: all.at[done].set(one), reports, report)

        return jax.lax.fori_loop(0, updates, once, (team, blank))

    return block


def keys_of(
    team: TrainState, rollout_length: int, updates: int
) -> Key[Array, "updates steps streams"]:
    """The keys of the next updates: every agent's and the environments', to learn and for each
    step.

    They are made at once: where a step is mostly overhead, to make them in it takes a fifth of it.
    And each stream's lie side by side while they are made, so that they are hashed as vectors.
    """
    steps = updates * (rollout_length + 1)
    numbers = team.iteration * (rollout_length + 1) + jnp.arange(steps)
    everybody = jnp.concatenate([team.keys, team.env_key[None]])
    fold = jax.vmap(jax.random.fold_in, (None, 0))
    keys = jax.vmap(fold, (0, None))(everybody, numbers)
    return keys.T.reshape(updates, rollout_length + 1, -1)


class Phases(NamedTuple):
    """The phases of an iteration: compiled together in training, apart where only one is asked.

    play:   a team and the keys of the steps to the stage after them, every agent's trajectory,
            `[N, T, G, ...]`, and the sums over the episodes that ended.
    divide: the agents' states, scales, trajectories and the network, `[N, ...]` each, to the same
            in the units of reward that hold from here on.
    learn:  the agents' states, their trajectories, the network and keys, `[N, ...]` each, to their
            new states, the network and metrics.
    observe: their states, scales and trajectories to their states and scales after them.
    report: the agents, the network, the trajectories, the metrics and the episodes to the report of
            the iteration.
    """

    play: Callable[[TrainState, StepKeys], tuple[EnvState, Trajectory, EpisodeStats]]
    divide: Callable[..., tuple[PyTree, Scales, Trajectory, Network]]
    learn: Callable[..., tuple[PyTree, Network, dict[str, Array]]]
    observe: Callable[..., tuple[PyTree, Scales]]
    report: Callable[..., IterationStats]


def phases(algorithm: Algorithm, env: Env, vector: VectorEnv) -> Phases:
    """The phases of an iteration of a team in these environments."""
    information, scale = algorithm.information, action_scaling(env.specs)
    encoder, step = ObservationEncoder.of(env.specs), common_step(env.specs)
    steps = algorithm.rollout_length * vector.copies
    central = _central_bytes(information, env) * steps

    def play(team: TrainState, keys: StepKeys) -> tuple[EnvState, Trajectory, EpisodeStats]:
        world = vector, scale, encoder, step, team.agents, team.start, team.stage
        return rollout(algorithm.act, information, *world, keys)

    def report(
        agents: PyTree,
        network: Network,
        trajectory: Trajectory,
        metrics: dict[str, Array],
        episodes: EpisodeStats,
    ) -> IterationStats:
        traffic = {} if information.central else network.traffic  # a centre need not send
        links = traffic.values()
        public = central + _shown_bytes(trajectory.shown, len(env.specs)) * steps
        observed = _observed_bytes(information, env, trajectory) * steps
        lasting = jax.vmap(information.lasting)(agents)
        return IterationStats(
            metrics,
            functools.reduce(Count.plus, (t.carried.sum(-1) for t in links), Count.of(public)),
            Count.of(observed),
            sum((t.rounds for t in links), jnp.zeros_like(network.index)),
            traffic,
            {name: _apart(value) for name, value in lasting.items()},
            episodes,
            {
                "observation": _sound(trajectory.view.observation),
                "reward": _sound(trajectory.reward),
                **_possible(trajectory.view),
            },
        )

    return Phases(play, lift(dividing(algorithm)), lift(algorithm.learn), lift(observe), report)


def advance(
    phases: Phases, team: TrainState, keys: Key[Array, "steps streams"]
) -> tuple[TrainState, IterationStats]:
    """An iteration: play, then learn; `keys` are those of the update and then of each step."""
    stage, trajectory, episodes = phases.play(team, StepKeys(keys[1:, :-1], keys[1:, -1]))
    network = jax.vmap(Network.cleared)(team.network)
    agents, scales, paid, network = phases.divide(team.agents, team.scales, trajectory, network)
    agents, network, metrics = phases.learn(agents, paid, network, keys[0, :-1])
    agents, scales = phases.observe(agents, scales, trajectory)
    metrics = metrics | scales.metrics
    report = phases.report(agents, network, trajectory, metrics, episodes)
    changed = {"agents": agents, "scales": scales, "network": network, "stage": stage}
    return team._replace(**changed, iteration=team.iteration + 1), report


def _sound(values: Array) -> Bool[Array, " N"]:
    return jnp.isfinite(jnp.sum(jnp.abs(values), axis=tuple(range(1, values.ndim))))


def _possible(view: Observation) -> dict[str, Bool[Array, " N"]]:
    """True if an agent could always do something while it was there; nothing without masks."""
    if view.action_mask is None:
        return {}
    free = jnp.any(view.action_mask, axis=-1)
    free = free if view.alive is None else free | ~view.alive
    return {MASK: jnp.all(free, axis=tuple(range(1, free.ndim)))}


def _apart(value: PyTree) -> Float[Array, ""]:
    """The root of the mean squared distance of the agents' numbers from their mean."""
    leaves = jax.tree.leaves(value)
    squares = [jnp.sum((leaf - jnp.mean(leaf, axis=0)) ** 2) for leaf in leaves]
    return jnp.sqrt(sum(squares, jnp.zeros(())) / sum(leaf.size for leaf in leaves))


def _shown_bytes(shown: dict[str, PyTree] | None, agents: int) -> int:
    """Bytes that an agent sends at each step to show all the others its values."""
    each = [math.prod(x.shape[4:]) * x.dtype.itemsize for x in jax.tree.leaves(shown)]
    return (agents - 1) * sum(each)


def _central_bytes(information: Information, env: Env) -> np.ndarray:
    """Bytes sent to a centre at each step, `[N]`: each agent's observation, action and reward."""
    if not information.central:
        return np.zeros(len(env.specs), np.int64)
    return np.array([4 * sum(map(_numbers, members)) for members in env.members])


def _observed_bytes(information: Information, env: Env, trajectory: Trajectory) -> np.ndarray:
    """Bytes that each agent is assumed to know of others at each step, `[N]`, 4 bytes a number.

    A centre is told all of it, which is counted as bytes sent to it.
    """
    if information.central:
        return np.zeros(len(env.specs), np.int64)
    seen = np.array([spec.size for spec in env.specs])
    acted = np.array([spec.action.numbers for spec in env.specs])
    numbers = np.full(len(env.specs), int(information.reward == "team"))
    if information.state == "observations":
        numbers += seen.sum() - seen
    elif information.state:
        assert trajectory.view.state is not None  # it is declared
        numbers += trajectory.view.state.shape[-1]
    if information.actions == "joint":
        numbers += acted.sum() - acted
    elif information.actions == "mean":
        numbers += max(spec.action.size for spec in env.specs)
    return 4 * numbers


def _numbers(spec: AgentSpec) -> int:
    return spec.size + spec.action.numbers + 1
