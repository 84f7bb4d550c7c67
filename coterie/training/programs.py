"""The iteration, compiled: how a team starts, advances by a block, is judged and is checked."""

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from coterie.algorithms import Algorithm
from coterie.envs.game import Env, VectorEnv
from coterie.network import Communication
from coterie.training.action_scaling import action_scaling
from coterie.training.batch_seeds import side_by_side
from coterie.training.evaluate import Scores, evaluator
from coterie.training.play import init_env_state
from coterie.training.setup import Setup
from coterie.training.state import IterationStats, TrainState, init_state, iterations


class Compiled(NamedTuple):
    """Programs that all runs of the same parts share, whatever their seeds are.

    start:    a key to a fresh team.
    advance:  teams, their worlds and a number of updates to the teams after a block of so many, and
              the reports of it, which are 0 beyond them.
    evaluate: a team, a key and a world to the scores of one episode in each environment.
    sound:    the agents' states to whether each array is finite, `[N]` each.
    """

    start: Callable[..., Any]
    advance: Callable[..., Any]
    evaluate: Callable[..., Any]
    sound: Callable[..., Any]

    @staticmethod
    def of(setup: Setup) -> "Compiled":
        """The programs of a setup: those of an equal one, if there are some.

        Environments outside JAX are their run's own, and so is what calls them.
        """
        parts, longest = (setup.algorithm, setup.env, setup.communication), setup.blocks.longest
        if setup.vector.resumable and _hashable(parts):
            return _shared(*parts, setup.vector.copies, setup.judged.copies, longest)
        return _made(*parts, setup.vector, setup.judged, longest)


class Programs:
    """The compiled programs of a setup; each is compiled when it is first used."""

    def __init__(self, setup: Setup):
        self.setup = setup
        self.start, self.advance, self.evaluate, self.sound = Compiled.of(setup)

    @cached_property
    def held(self) -> int:
        """Size in bytes of one team: what learns, and what it remembers."""
        team = jax.eval_shape(self.start, jax.random.key(0))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(team))

    def policies(self, team: TrainState) -> Any:
        """Return the agents' policies without learning, `[N, ...]`."""
        return jax.vmap(self.setup.algorithm.policy)(team.agents)

    def restaged(self, team: TrainState) -> TrainState:
        """Restart environments that a checkpoint cannot hold, also in a run that is not stopped."""
        if self.setup.vector.resumable:
            return team
        self.setup.vector.close(team.stage.envs)
        key = jax.random.fold_in(team.env_key, np.uint32(2**31 + int(team.iteration)))
        return team._replace(stage=init_env_state(self.setup.vector, team.start, key))

    def savable(self, team: TrainState) -> TrainState:
        """Return a team without the state of environments that only this process can hold."""
        known = self.setup.vector.resumable
        return team if known else team._replace(stage=team.stage._replace(envs=()))


@lru_cache(maxsize=8)
def _shared(
    algorithm: Algorithm,
    env: Env,
    communication: Communication,
    num_envs: int,
    episodes: int,
    longest: int,
) -> Compiled:
    """Programs of runs in environments that are values."""
    vector, judged = env.vectorize(num_envs), env.vectorize(episodes)
    return _made(algorithm, env, communication, vector, judged, longest)


def _made(
    algorithm: Algorithm,
    env: Env,
    communication: Communication,
    vector: VectorEnv,
    judged: VectorEnv,
    longest: int,
) -> Compiled:
    def block(team: TrainState, world: PyTree, updates: Int[Array, ""]) -> Any:
        return iterations(algorithm, env, vector.with_constants(world), longest)(team, updates)

    def advance(
        teams: list[TrainState], worlds: list[PyTree], updates: Int[Array, ""]
    ) -> tuple[list[TrainState], list[IterationStats]]:
        """A block of iterations of every team, in the world that they share or in their own."""
        return side_by_side(lambda team, world: block(team, world, updates), teams, worlds)

    def evaluate(team: TrainState, key: Key[Array, ""], world: PyTree) -> Scores:
        """One episode in each of the environments that the team is judged by."""
        scale, policies = action_scaling(env.specs), jax.vmap(algorithm.policy)(team.agents)
        play = evaluator(judged.with_constants(world), scale, algorithm.deterministic_eval)
        return play(policies, key)

    start = partial(init_state, algorithm, env, vector, communication)
    return Compiled(
        jax.jit(start), jax.jit(advance, donate_argnums=0), jax.jit(evaluate), jax.jit(_sound)
    )


def _hashable(parts: tuple[Any, ...]) -> bool:
    """Whether these are values, which an environment of a user's own need not be."""
    try:
        hash(parts)
    except TypeError:
        return False
    return True


def fetched(values: Any) -> Any:
    """Arrays of a device as arrays of the host."""
    return jax.tree.map(np.asarray, jax.device_get(values))


def _sound(agents: PyTree) -> dict[str, Bool[Array, " N"]]:
    """Check for each array of the agents' states, and for each agent, that it is finite."""
    named = jax.tree_util.tree_flatten_with_path(agents)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): jnp.all(
            jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim))
        )
        for path, leaf in named
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
