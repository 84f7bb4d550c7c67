"""Random play in a `JaxEnv`, in compiled blocks, and its own rule."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from coterie.envs.checks.checks import Checks, Plays
from coterie.envs.checks.episode import Episode, Play, round_of
from coterie.envs.checks.shapes import faulty_shapes
from coterie.envs.host.factory import describe
from coterie.envs.timestep import PureEnv, Timestep
from coterie.errors import EnvError
from coterie.internal.memory import require_room
from coterie.types import Observation, are_mixed

ROUNDING = 0.01
"""Share of a quantization step by which numbers may miss a multiple of it."""
BLOCK = 64
"""Steps compiled into one block of random play."""


def checks(env: PureEnv) -> Checks:
    """Return the checks of an environment written in JAX."""
    try:
        faults = faulty_shapes(env)
    except Exception as error:
        return Checks(
            [f"{type(env).__name__} raised {describe(error)} when it was asked for its specs."]
        )
    if faults:
        return Checks(faults)
    seen = jax.tree.leaves(jax.eval_shape(env.reset, jax.random.key(0)))
    require_room(
        2 * BLOCK * sum(leaf.size * leaf.dtype.itemsize for leaf in seen),
        f"{BLOCK} steps of {len(env.specs):,} agents",
        "use fewer agents",
        EnvError,
    )
    rules = tuple(partial(rule, env) for rule in (padded, numbered, quantized))
    return Checks([], Plays(player(env), player(env)), rules)


def player(env: PureEnv) -> Play:
    """A function that plays an episode.

    Each player traces the environment anew, so that what an environment draws while it is traced
    shows as well.
    """
    reset = jax.jit(lambda key: env.reset(key))
    block = jax.jit(lambda state, view, key: _block(env, state, view, key))

    def play(seed: int, choices: int, longest: int) -> Episode:
        episode = Episode(tuple(range(len(env.specs))), seed)
        try:
            state, view = reset(jax.random.key(seed))
            episode.moments.append(round_of(view))
            key = jax.random.key(choices)
            while not episode.moments[-1].over and episode.steps < longest:
                key, here = jax.random.split(key)
                (state, view), timesteps = block(state, view, here)
                _append(episode, jax.device_get(timesteps), longest)
        except Exception as error:
            episode.error = describe(error)
        return episode

    return play


def _block(env: PureEnv, state: PyTree, view: Observation, key: Key[Array, ""]) -> Any:
    def step(carry: Any, key: Key[Array, ""]) -> Any:
        state, view = carry
        state, timestep = env.step(state, _actions(env, view, key))
        return (state, timestep.view), timestep

    return jax.lax.scan(step, (state, view), jax.random.split(key, BLOCK))


def _actions(env: PureEnv, view: Observation, key: Key[Array, ""]) -> Array:
    """Random actions: any that the mask allows, any within the bounds."""
    sizes = [spec.action.size for spec in env.specs]
    spaces = [spec.action for spec in env.specs]
    if any(space.continuous for space in spaces):
        choices = jax.random.uniform(key, (len(sizes), max(sizes)), minval=-1.0, maxval=1.0)
        parts = [s.rescale(row[: s.size]) for s, row in zip(spaces, choices, strict=True)]
        vectors = jnp.stack([jnp.pad(part, (0, max(sizes) - part.size)) for part in parts])
        if not are_mixed(spaces):
            return vectors
        numbers = _numbers(sizes, view, key)[:, None] * (jnp.arange(max(sizes)) == 0)
        numbered = np.array([not space.continuous for space in spaces])
        return jnp.where(numbered[:, None], numbers.astype(jnp.float32), vectors)
    return _numbers(sizes, view, key)


def _numbers(sizes: list[int], view: Observation, key: Key[Array, ""]) -> Array:
    """Random numbered actions, any that the mask allows."""
    possible = jnp.arange(max(sizes)) < jnp.array(sizes)[:, None]
    if view.action_mask is not None:
        possible = view.action_mask
    return jax.random.categorical(key, jnp.where(possible, 0.0, -jnp.inf)).astype(jnp.int32)


def _append(episode: Episode, timesteps: Timestep, longest: int) -> None:
    """Add the steps of a block until the episode is over."""
    for t in range(BLOCK):
        if episode.moments[-1].over or episode.steps >= longest:
            return
        timestep = jax.tree.map(lambda x, t=t: x[t], timesteps)
        episode.moments.append(round_of(timestep.view, timestep))


def padded(env: PureEnv, episode: Episode) -> Iterator[str]:
    """Check that padding is 0 in observations and False in action masks."""
    for step, moment in enumerate(episode.moments):
        for agent, spec in enumerate(env.specs):
            if np.any(np.ravel(moment.observation[agent])[spec.size :]):
                yield (
                    f"the observation of agent {agent} is not 0 beyond its own {spec.size} "
                    f"numbers at step {step}: pad it with zeros."
                )
            if agent in moment.masks and np.any(moment.masks[agent][spec.action.size :]):
                yield (
                    f"the action mask of agent {agent} is True beyond its own {spec.action.size} "
                    f"actions at step {step}: pad it with False."
                )


def numbered(env: PureEnv, episode: Episode) -> Iterator[str]:
    """Check that numbered observations are whole numbers below `states`."""
    for step, moment in enumerate(episode.moments):
        for agent, spec in enumerate(env.specs):
            seen = moment.observation[agent][0]
            if spec.states and (seen != np.floor(seen) or not 0 <= seen < spec.states):
                yield (
                    f"the observation of agent {agent} is {seen:g} at step {step}, but its "
                    f"{spec.states} states are numbered from 0 to {spec.states - 1}: give the "
                    "number of the state."
                )


def quantized(env: PureEnv, episode: Episode) -> Iterator[str]:
    """Check that observations are multiples of the quantization step, from 0 to 255 of them."""
    for step, moment in enumerate(episode.moments):
        for agent, spec in enumerate(env.specs):
            unit = spec.quantization_step
            count = np.ravel(moment.observation[agent]) / (unit or 1.0)
            off = np.abs(count - np.clip(np.round(count), 0.0, 255.0)) > ROUNDING
            if unit and off.any():
                yield (
                    f"the observation of agent {agent} has {unit * count[off][0]:g} at step "
                    f"{step}, which is no multiple of its quantization_step {unit:g} from 0 to "
                    f"{255 * unit:g}, and would be learned from as the nearest one: leave the "
                    "step out, or give another."
                )
