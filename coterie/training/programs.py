"""The iteration, compiled: how a team starts, advances by a block, is judged and is checked."""

from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key, PyTree

from coterie.training.action_scaling import units
from coterie.training.batch_seeds import side_by_side
from coterie.training.evaluate import Scores, evaluator
from coterie.training.rollout import open_stage
from coterie.training.setup import Setup
from coterie.training.state import Report, Team, assemble, iterations


class Programs:
    """The compiled programs of a setup; each is compiled when it is first used.

    start:    a key to a fresh team.
    advance:  teams and their worlds to the teams after a block, and the reports of it.
    evaluate: a team, a key and a world to the scores of one episode in each game.
    sound:    the agents' states to whether each array is finite, `[N]` each.
    """

    def __init__(self, setup: Setup):
        self.setup = setup
        parts = (setup.algorithm, setup.game, setup.vector, setup.communication)
        self.start = jax.jit(partial(assemble, *parts))
        self.advance = jax.jit(self._block, donate_argnums=0)
        self.evaluate = jax.jit(self._play)
        self.sound = jax.jit(_sound)

    @cached_property
    def held(self) -> int:
        """How many bytes one team takes: what learns, and what it remembers."""
        team = jax.eval_shape(self.start, jax.random.key(0))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(team))

    def policies(self, team: Team) -> Any:
        """What the agents play when they no longer learn, `[N, ...]`."""
        return jax.vmap(self.setup.algorithm.policy)(team.agents)

    def restaged(self, team: Team) -> Team:
        """Games that a checkpoint cannot hold start afresh there, stopped or not."""
        if self.setup.vector.resumable:
            return team
        key = jax.random.fold_in(team.game_key, np.uint32(2**31 + int(team.iteration)))
        return team._replace(stage=open_stage(self.setup.vector, team.start, key))

    def savable(self, team: Team) -> Team:
        """A team without what only this process understands."""
        known = self.setup.vector.resumable
        return team if known else team._replace(stage=team.stage._replace(games=()))

    def _block(self, teams: list[Team], worlds: list[PyTree]) -> tuple[list[Team], list[Report]]:
        """A block of iterations of every team, in the world that they share or in their own."""
        algorithm, game = self.setup.algorithm, self.setup.game

        def block(team: Team, world: PyTree) -> tuple[Team, Report]:
            vector, updates = self.setup.vector.within(world), self.setup.settings.block
            return iterations(algorithm, game, vector, updates)(team)

        return side_by_side(block, teams, worlds)

    def _play(self, team: Team, key: Key[Array, ""], world: PyTree) -> Scores:
        """One episode in each of the games that the team is judged by."""
        judged, scale = self.setup.judged.within(world), units(self.setup.game.specs)
        play = evaluator(judged, scale, self.setup.algorithm.plays_mode)
        return play(self.policies(team), key)


def fetched(values: Any) -> Any:
    """Arrays of a device as arrays of the host."""
    return jax.tree.map(np.asarray, jax.device_get(values))


def _sound(agents: PyTree) -> dict[str, Bool[Array, " N"]]:
    """Whether each array of the agents' states is finite."""
    named = jax.tree_util.tree_flatten_with_path(agents)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): jnp.all(
            jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim))
        )
        for path, leaf in named
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
