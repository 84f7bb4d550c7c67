"""Play without learning: what a trained team is worth, in environments of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.envs.game import VectorEnv
from coterie.network import lift
from coterie.rl.networks import Policy
from coterie.training.action_scaling import ActionScaling
from coterie.types import Observation

LONGEST = 10_000


class Scores(NamedTuple):
    """One episode in each of `E` environments.

    returns: every agent's undiscounted sum of rewards, `[E, N]`.
    lengths: steps, `[E]`.
    info:    the environments' own numbers at the last step, `[E, ...]`.
    ended:   whether the episode ended within the longest length we wait for, `[E]`.
    """

    returns: Float[Array, "E N"]
    lengths: Int[Array, " E"]
    info: dict[str, Array]
    ended: Bool[Array, " E"]


def decide(
    policy: Policy, memory: PyTree, view: Observation, key: Key[Array, ""], greedy: bool
) -> tuple[Array, PyTree]:
    """One agent's action in each environment, from its policy alone."""
    choices, memory = policy.step(view, memory)
    return (choices.mode() if greedy else choices.sample(key)), memory


def evaluator(
    vector: VectorEnv, scale: ActionScaling, greedy: bool, longest: int = LONGEST
) -> Callable[[Policy, Key[Array, ""]], Scores]:
    """A function that plays one episode in each environment with the agents' policies, `[N,
    ...]`."""

    def play(policy: Policy, memory: PyTree, view: Observation, key: Array) -> tuple[Array, PyTree]:
        return decide(policy, memory, view, key, greedy)

    def evaluate(policies: Policy, key: Key[Array, ""]) -> Scores:
        reset_key, key = jax.random.split(key)
        envs, view = vector.reset(reset_key)
        copies, agents = view.observation.shape[:2]
        memory = jax.tree.map(
            lambda m: jnp.zeros((agents, copies, *m.shape), m.dtype),
            jax.eval_shape(lambda: jax.tree.map(lambda p: p[0], policies.body).start()),
        )

        def chosen(view: Observation, memory: PyTree, key: Array) -> tuple[Array, PyTree]:
            shown = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), view._replace(state=None))
            action, memory = lift(play)(policies, memory, shown, jax.random.split(key, agents))
            return scale.to_env(action), memory

        def step(carry: Any) -> Any:
            envs, view, memory, scores, key = carry
            act_key, env_key, key = jax.random.split(key, 3)
            action, memory = chosen(view, memory, act_key)
            envs, timestep, view = vector.step(envs, action, env_key)
            running = ~scores.ended
            kept = {
                name: jnp.where(_like(running, new), new, scores.info[name])
                for name, new in timestep.info.items()
            }
            scores = Scores(
                scores.returns + jnp.where(running[:, None], timestep.reward, 0.0),
                scores.lengths + running,
                kept,
                scores.ended | timestep.over,
            )
            return envs, view, memory, scores, key

        def playing(carry: Any) -> Bool[Array, ""]:
            scores = carry[3]
            return ~jnp.all(scores.ended) & (jnp.max(scores.lengths) < longest)

        def told() -> dict[str, Array]:
            action, _ = chosen(view, memory, key)
            return vector.step(envs, action, key)[1].info

        scores = Scores(
            jnp.zeros((copies, agents)),
            jnp.zeros(copies, jnp.int32),
            jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(told)),
            jnp.zeros(copies, bool),
        )
        return jax.lax.while_loop(playing, step, (envs, view, memory, scores, key))[3]

    return evaluate


@contextmanager
def reraise_env_error(*envs: VectorEnv) -> Iterator[None]:
    """Where a compiled program can only say that it failed, raise what the environment said."""
    try:
        yield
    except jax.errors.JaxRuntimeError:
        for env in envs:
            if env.failure is not None:
                raise env.failure from None
        raise


def _like(flag: Bool[Array, " E"], array: Array) -> Array:
    return flag.reshape(flag.shape + (1,) * (array.ndim - 1))
