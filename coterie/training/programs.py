"""The iteration, compiled: how a team starts, advances by a block, is judged and is checked."""

from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from coterie.training.action_scaling import action_scaling
from coterie.training.batch_seeds import side_by_side
from coterie.training.evaluate import Scores, evaluator
from coterie.training.play import init_env_state
from coterie.training.setup import Setup
from coterie.training.state import IterationStats, TrainState, init_state, iterations


class Programs:
    """The compiled programs of a setup; each is compiled when it is first used.

    start:    a key to a fresh team.
    advance:  teams, their worlds and a number of updates to the teams after a block of so many, and
              the reports of it, which are 0 beyond them.
    evaluate: a team, a key and a world to the scores of one episode in each environment.
    sound:    the agents' states to whether each array is finite, `[N]` each.
    """

    def __init__(self, setup: Setup):
        self.setup = setup
        parts = (setup.algorithm, setup.env, setup.vector, setup.communication)
        self.start = jax.jit(partial(init_state, *parts))
        self.advance = jax.jit(self._block, donate_argnums=0)
        self.evaluate = jax.jit(self._play)
        self.sound = jax.jit(_sound)

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

    def _block(
        self, teams: list[TrainState], worlds: list[PyTree], updates: Int[Array, ""]
    ) -> tuple[list[TrainState], list[IterationStats]]:
        """A block of iterations of every team, in the world that they share or in their own."""
        setup = self.setup

        def block(team: TrainState, world: PyTree) -> tuple[TrainState, IterationStats]:
            vector, most = setup.vector.with_constants(world), setup.blocks.longest
            return iterations(setup.algorithm, setup.env, vector, most)(team, updates)

        return side_by_side(block, teams, worlds)

    def _play(self, team: TrainState, key: Key[Array, ""], world: PyTree) -> Scores:
        """One episode in each of the environments that the team is judged by."""
        judged, scale = (
            self.setup.judged.with_constants(world),
            action_scaling(self.setup.env.specs),
        )
        play = evaluator(judged, scale, self.setup.algorithm.deterministic_eval)
        return play(self.policies(team), key)


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
