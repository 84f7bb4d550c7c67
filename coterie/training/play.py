"""The player: one step of a team in its environments, and every loop over it.

Training, evaluations and pictures take the same `Player.step`; they differ in what they record of a
`Moment`, and in how long they play:

play_steps:    a number of steps, in one scan, with a record of each (`rollout`).
play_episodes: until an episode has ended in every environment, with one record that grows
               (`evaluate`).
play_episode:  one episode, step by step, for environments that may live outside JAX (pictures).

`play` is the first of them for policies that no longer learn.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms import ActionOnly, ActOutput
from coterie.envs.game import Env, Timestep, VectorEnv
from coterie.errors import require
from coterie.network import lift
from coterie.rl.networks import Policy
from coterie.training.action_scaling import ActionScaling, action_scaling
from coterie.types import Observation

LONGEST = 10_000
"""Number of steps after which we no longer wait for an episode's end."""

Kept = TypeVar("Kept")


class EnvState(NamedTuple):
    """State of environments in progress, which changes from one step to the next.

    envs:    the environments' own state.
    view:    the agents' observations now, `[G, N, ...]`.
    memory:  each agent's memory of each environment, `[N, G, ...]`.
    returns: the rewards of the running episodes so far, `[G, N]`.
    lengths: their steps so far, `[G]`.
    """

    envs: PyTree
    view: Observation
    memory: PyTree
    returns: Float[Array, "G N"]
    lengths: Int[Array, " G"]


class StepKeys(NamedTuple):
    """Random keys of a step: each agent's key `[N]` and the environments' `[]`; or those of `T`
    steps."""

    agents: Key[Array, "*T N"]
    envs: Key[Array, "*T"]


class Moment(NamedTuple):
    """One step of all environments, as a recorder gets it.

    view:      the observations that the agents acted on, `[N, G, ...]`.
    alive:     True if an agent was there, `[G, N]`; `None` if no agent ever leaves early.
    decision:  their decisions, `[N, G, ...]`.
    envs:      the environments' own state after the step; of a fresh episode where one is over.
    timestep:  the result of the step, before any reset, `[G, N, ...]`; no reward after an agent's
               end.
    next_view: the views it led to, as the agents see them, `[N, G, ...]`.
    returns:   the rewards of the episodes up to this step, `[G, N]`.
    lengths:   their steps up to this one, `[G]`.
    """

    view: Observation
    alive: Bool[Array, "G N"] | None
    decision: Any
    envs: PyTree
    timestep: Timestep
    next_view: Observation
    returns: Float[Array, "G N"]
    lengths: Int[Array, " G"]


def own_views(envs: PyTree, view: Observation, state: Array | None) -> Observation:
    """The environments' views `[G, N, ...]` as the agents' own, `[N, G, ...]`."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), view._replace(state=None))


class Player(NamedTuple):
    """A team, and the environments that it plays in.

    decide: the team's `(memory, view, keys) -> (decision, memory)`, all `[N, ...]`.
    vector: the environments.
    scale:  the border between the agents' units and the environments'.
    start:  the agents' memories at the start of an episode, `[N, ...]`.
    look:   `(envs, view, state)` to the agents' observations, `[N, G, ...]`; the global
            state is `None` before a step.
    """

    decide: Callable[[PyTree, Observation, Key[Array, " N"]], tuple[ActOutput, PyTree]]
    vector: VectorEnv
    scale: ActionScaling
    start: PyTree
    look: Callable[[PyTree, Observation, Array | None], Observation] = own_views

    def begin(self, key: Key[Array, ""]) -> EnvState:
        """Fresh environments."""
        return init_env_state(self.vector, self.start, key)

    def step(self, stage: EnvState, keys: StepKeys) -> tuple[EnvState, Moment]:
        """Decide, step all environments, and begin anew where an episode is over."""
        view = self.look(stage.envs, stage.view, None)
        decision, memory = self.decide(stage.memory, view, keys.agents)
        action = self.scale.to_env(decision.action)
        envs, timestep, following = self.vector.step(stage.envs, action, keys.envs)
        timestep = _earned(timestep, stage.view.alive)
        next_view = self.look(envs, timestep.view, timestep.state)
        returns = stage.returns + timestep.reward
        lengths = stage.lengths + _played(stage.view.alive)
        moment = Moment(
            view, stage.view.alive, decision, envs, timestep, next_view, returns, lengths
        )
        over = timestep.over
        memory = jax.tree.map(lambda m, s: choose(over, s[:, None], m, axis=1), memory, self.start)
        stage = EnvState(
            envs,
            following,
            memory,
            choose(over, jnp.zeros_like(returns), returns, axis=0),
            choose(over, jnp.zeros_like(lengths), lengths, axis=0),
        )
        return stage, moment


def _earned(timestep: Timestep, alive: Bool[Array, "G N"] | None) -> Timestep:
    """A step that pays agents that had left before it nothing, whatever the environment says."""
    if alive is None:
        return timestep
    return timestep._replace(reward=jnp.where(alive, timestep.reward, 0.0))


def _played(alive: Bool[Array, "G N"] | None) -> Int[Array, "*G"]:
    """1 for a step, 0 where nobody is left: where a batch takes a step to begin an episode."""
    return jnp.int32(1) if alive is None else jnp.any(alive, axis=-1).astype(jnp.int32)


def init_env_state(vector: VectorEnv, memory: PyTree, key: Key[Array, ""]) -> EnvState:
    """Fresh environments; `memory` is each agent's memory at the start of an episode, `[N,
    ...]`."""
    envs, view = vector.reset(key)
    copies, agents = view.observation.shape[:2]
    spread = jax.tree.map(
        lambda m: jnp.broadcast_to(m[:, None], (agents, copies, *m.shape[1:])), memory
    )
    return EnvState(envs, view, spread, jnp.zeros((copies, agents)), jnp.zeros(copies, jnp.int32))


def decide(
    policy: Policy, memory: PyTree, view: Observation, key: Key[Array, ""], greedy: bool
) -> tuple[Array, PyTree]:
    """One agent's action in each environment, from its policy alone."""
    choices, memory = policy.step(view, memory)
    return (choices.mode() if greedy else choices.sample(key)), memory


def policy_player(
    policies: Policy, vector: VectorEnv, scale: ActionScaling, greedy: bool
) -> Player:
    """A team that no longer learns, by its policies `[N, ...]`; each acts on what it sees alone.

    greedy: they take their most likely actions instead of drawing them.
    """

    def one(
        policy: Policy, memory: PyTree, view: Observation, key: Array
    ) -> tuple[ActionOnly, PyTree]:
        action, memory = decide(policy, memory, view, key, greedy)
        return ActionOnly(action), memory

    def team(memory: PyTree, view: Observation, keys: Array) -> tuple[ActionOnly, PyTree]:
        return lift(one)(policies, memory, view, keys)

    start = lift(lambda policy: policy.body.start())(policies)
    return Player(team if vector.traced else jax.jit(team), vector, scale, start)


def play_steps(
    player: Player, stage: EnvState, keys: StepKeys, record: Callable[[Moment], Any]
) -> tuple[EnvState, Any]:
    """Play as many steps as there are keys: the stage after them, and their records `[T, ...]`."""

    def step(stage: EnvState, keys: StepKeys) -> tuple[EnvState, Any]:
        stage, moment = player.step(stage, keys)
        return stage, record(moment)

    return jax.lax.scan(step, stage, keys)


def play_episodes(
    player: Player,
    stage: EnvState,
    key: Key[Array, ""],
    record: Callable[[Kept, Moment, Bool[Array, " G"]], Kept],
    kept: Kept,
    longest: int = LONGEST,
) -> tuple[Kept, Bool[Array, " G"]]:
    """Play until an episode has ended in every environment, or `longest` steps were played; then
    let the environments go.

    record: from the record so far, a moment, and a mask of the environments in which the first
            episode still ran in it, to the record from then on.

    Returns the record, and a mask of the environments where an episode has ended, `[G]`. The number
    of steps is not known before, hence no scan.
    """
    agents = stage.returns.shape[1]

    def step(carry: Any) -> Any:
        stage, kept, ended, steps, key = carry
        act_key, env_key, key = jax.random.split(key, 3)
        stage, moment = player.step(stage, StepKeys(jax.random.split(act_key, agents), env_key))
        kept = record(kept, moment, ~ended)
        return stage, kept, ended | moment.timestep.over, steps + 1, key

    def playing(carry: Any) -> Bool[Array, ""]:
        _, _, ended, steps, _ = carry
        return ~jnp.all(ended) & (steps < longest)

    ended = jnp.zeros(player.vector.copies, bool)
    stage, kept, ended, _, _ = jax.lax.while_loop(
        playing, step, (stage, kept, ended, jnp.int32(0), key)
    )
    player.vector.close(stage.envs)
    return kept, ended


def play_episode(
    player: Player,
    stage: EnvState,
    keys: Iterator[StepKeys],
    record: Callable[[Moment], Any],
    longest: int = LONGEST,
) -> list[Any]:
    """One episode of a single copy: the records of its steps.

    Step by step and not in a scan, because what an environment outside JAX paints with is often
    bound to the thread that made it, and JAX calls back from threads of its own.
    """

    def step(stage: EnvState, keys: StepKeys) -> tuple[EnvState, Any, Bool[Array, " G"]]:
        stage, moment = player.step(stage, keys)
        return stage, record(moment), moment.timestep.over

    step = jax.jit(step) if player.vector.traced else step
    records, over = [], False
    while not over and len(records) < longest:
        stage, told, ended = step(stage, next(keys))
        records.append(told)
        over = bool(ended.all())
    return records


def play(
    policies: Policy,
    env: Env,
    key: Key[Array, ""],
    steps: int,
    record: Callable[[Moment], Any] = lambda moment: moment.timestep,
    num_envs: int = 1,
    greedy: bool = False,
) -> Any:
    """Play `steps` steps in `num_envs` environments: what `record` makes of each, `[T, ...]`.

    policies: the team's, `[N, ...]`: `jax.vmap(algorithm.policy)(team.agents)`, or `trained_team`.
    record:   a `Moment` to any tree of arrays; by default what the step led to.

    >>> from coterie import Settings, make_algorithm, make_env, make_update
    >>> start, _ = make_update("ippo", "spread", Settings(num_envs=4))
    >>> team = jax.vmap(make_algorithm("ippo").policy)(start(jax.random.key(0)).agents)
    >>> play(team, make_env("spread"), jax.random.key(1), 5, lambda m: m.timestep.reward).shape
    (5, 1, 3)
    """
    require(steps >= 1, f"steps must be at least 1, not {steps}.")
    player = policy_player(policies, env.vectorize(num_envs), action_scaling(env.specs), greedy)
    reset_key, act_key, env_key = jax.random.split(key, 3)
    keys = StepKeys(
        jax.random.split(act_key, (steps, len(env.specs))), jax.random.split(env_key, steps)
    )
    return play_steps(player, player.begin(reset_key), keys, record)[1]


def choose(over: Bool[Array, " G"], then: Array, otherwise: Array, axis: int) -> Array:
    """Take `then` in the environments that are over, along their `axis`; `otherwise` elsewhere."""
    shape = [1] * otherwise.ndim
    shape[axis] = over.shape[0]
    return jnp.where(over.reshape(shape), then, otherwise)
