"""Evaluation of a trained team: the first episode in each of some environments of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.envs.game import VectorEnv
from coterie.rl.networks import Policy
from coterie.training.action_scaling import ActionScaling
from coterie.training.play import (
    LONGEST,
    EnvState,
    Moment,
    Player,
    StepKeys,
    choose,
    play_episodes,
    policy_player,
)


class Scores(NamedTuple):
    """One episode in each of `E` environments.

    returns: every agent's undiscounted sum of rewards, `[E, N]`.
    lengths: steps, `[E]`.
    info:    the environments' own numbers at the last step, `[E, ...]`.
    ended:   True if the episode ended within the longest length we wait for, `[E]`.
    """

    returns: Float[Array, "E N"]
    lengths: Int[Array, " E"]
    info: dict[str, Array]
    ended: Bool[Array, " E"]


def evaluator(
    vector: VectorEnv, scale: ActionScaling, greedy: bool, longest: int = LONGEST
) -> Callable[[Policy, Key[Array, ""]], Scores]:
    """A function that plays one episode in each environment with the agents' policies, `[N,
    ...]`."""

    def evaluate(policies: Policy, key: Key[Array, ""]) -> Scores:
        player = policy_player(policies, vector, scale, greedy)
        reset_key, key = jax.random.split(key)
        stage = player.begin(reset_key)
        blank = _blank(player, stage, key)
        scores, ended = play_episodes(player, stage, key, _score, blank, longest)
        return scores._replace(ended=ended)

    return evaluate


def _blank(player: Player, stage: EnvState, key: Key[Array, ""]) -> Scores:
    """Scores before the first step; one step is traced to find the environments' `info`."""
    copies, agents = stage.returns.shape
    keys = StepKeys(jax.random.split(key, agents), key)
    told = jax.eval_shape(lambda: player.step(stage, keys)[1].timestep.info)
    return Scores(
        jnp.zeros((copies, agents)),
        jnp.zeros(copies, jnp.int32),
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), told),
        jnp.zeros(copies, bool),
    )


def _score(scores: Scores, moment: Moment, running: Bool[Array, " E"]) -> Scores:
    """The scores after a step, where the first episode still ran in it."""

    def latest(new: Array, old: Array) -> Array:
        return choose(running, new, old, axis=0)

    now = moment.returns, moment.lengths, moment.timestep.info
    return Scores(*jax.tree.map(latest, now, scores[:3]), ended=scores.ended)


@contextmanager
def reraise_env_error(*envs: VectorEnv) -> Iterator[None]:
    """Raise an environment's own error where a compiled program only reports that it failed."""
    try:
        yield
    except jax.errors.JaxRuntimeError:
        for env in envs:
            if env.failure is not None:
                raise env.failure from None
        raise
