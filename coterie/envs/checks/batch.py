"""Random play in a `NumpyEnv`: alone, and among other copies."""

from typing import Any

import jax
import numpy as np

from coterie.envs.checks.checks import Checks, Plays
from coterie.envs.checks.episode import Episode, Play, round_of
from coterie.envs.host.factory import RAISED, describe
from coterie.envs.packing import Packing, leaves_by_path
from coterie.envs.timestep import PureBatch, Timestep
from coterie.errors import EnvError, require
from coterie.types import Observation

COMPANY = 3
"""Copies among which one is played to see whether it plays as it does alone."""


def checks(env: PureBatch) -> Checks:
    """Return the checks of an environment written in NumPy.

    An episode is played alone and then among others: a copy that depends on the others differs.
    """
    try:
        state, view = begun(env, np.zeros(1, np.uint32))
        played(env, state, any_actions(env, view, np.random.default_rng(0)))
    except EnvError as error:
        return Checks([str(error)])
    return Checks([], Plays(player(env, 1), player(env, COMPANY)))


def player(env: PureBatch, copies: int) -> Play:
    """A function that plays the last of some copies."""

    def play(seed: int, choices: int, longest: int) -> Episode:
        episode = Episode(tuple(range(len(env.specs))), seed)
        random = np.random.default_rng(choices)
        others = [seed + 1 + other for other in range(copies - 1)]
        try:
            state, view = begun(env, np.array([*others, seed], np.uint32))
            kept = Packing.of((state, view))
            episode.moments.append(round_of(_last(view)))
            while not episode.moments[-1].over and episode.steps < longest:
                _protect(state)
                action = np.repeat(any_actions(env, view, random), copies, axis=0)
                state, timestep = played(env, state, action)
                view = timestep.view
                words = np.empty((copies, kept.width), np.uint32)
                kept.pack((state, view), words, f"step of {type(env).__name__}")
                episode.moments.append(round_of(_last(view), _last(timestep)))
        except EnvError as error:
            cause = error.__cause__
            episode.error = str(error).rstrip(".") if cause is None else describe(cause)
        return episode

    return play


def begun(env: PureBatch, seeds: np.ndarray) -> tuple[Any, Observation]:
    """The result of `reset`, with views in 32-bit numbers; `EnvError` for what it raises, and for
    what are no arrays of the copies."""
    state, view = _called(env, "reset", Observation, seeds)
    made = state, _single(view)
    _require_arrays(f"reset of {type(env).__name__}", made, len(seeds))
    return made


def played(env: PureBatch, state: Any, action: np.ndarray) -> tuple[Any, Timestep]:
    """The result of `step`, with its numbers in 32 bits; `EnvError` as in `begun`."""
    state, timestep = _called(env, "step", Timestep, state, action)
    timestep = timestep._replace(
        view=_single(timestep.view),
        reward=_numbers(timestep.reward),
        terminated=np.asarray(timestep.terminated),
        truncated=np.asarray(timestep.truncated),
        info={name: _numbers(value) for name, value in timestep.info.items()},
    )
    name = f"step of {type(env).__name__}"
    _require_arrays(name, (state, timestep), len(action))
    for flag in ("terminated", "truncated"):
        kind = getattr(timestep, flag).dtype
        require(kind == np.bool_, f"{name} gives {flag} as {kind}, not as bool.", EnvError)
    return state, timestep


def _require_arrays(name: str, tree: Any, copies: int) -> None:
    """Raise `EnvError` unless all leaves are arrays of numbers with the copies in front."""
    for leaf in jax.tree.leaves(tree):
        numbers = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biuf"
        if numbers and leaf.ndim and len(leaf) == copies:
            continue
        path = next(path for path, found in leaves_by_path(tree) if found is leaf)
        shown = f"of shape {leaf.shape}" if numbers else f"as {_kind(leaf)}"
        raise EnvError(
            f"{name} gives {path} {shown}: give NumPy arrays of numbers, with the {copies} "
            "environments in front."
        )


def _kind(leaf: Any) -> str:
    return f"an array of {leaf.dtype}" if isinstance(leaf, np.ndarray) else type(leaf).__name__


def _protect(state: Any) -> None:
    """Let nobody write into a state, as in training."""
    for leaf in jax.tree.leaves(state):
        leaf.flags.writeable = False


def any_actions(env: PureBatch, view: Observation, random: np.random.Generator) -> np.ndarray:
    """Random actions, `[1, N, ...]`: any that the last copy's mask allows, within all bounds."""
    spaces = [spec.action for spec in env.specs]
    widest = max(space.size for space in spaces)
    masks = np.arange(widest) < np.array([space.size for space in spaces])[:, None]
    masks = masks if view.action_mask is None else view.action_mask[-1]
    numbers = np.array([random.choice(np.flatnonzero(mask)) for mask in masks], np.int32)
    if not any(space.continuous for space in spaces):
        return numbers[None]
    action = np.zeros((1, len(spaces), widest), np.float32)
    for row, number, space in zip(action[0], numbers, spaces, strict=True):
        vector = random.uniform(-1.0, 1.0, space.size)
        row[: space.size if space.continuous else 1] = (
            space.rescale(vector) if space.continuous else number
        )
    return action


def _called(env: PureBatch, what: str, kind: type, *given: Any) -> Any:
    name = f"{what} of {type(env).__name__}"
    try:
        made = getattr(env, what)(*given)
    except EnvError:
        raise
    except RAISED as error:
        advice = ": `state` must stay as it is, return new arrays" * ("read-only" in str(error))
        raise EnvError(f"{name} raised {describe(error)}{advice}.") from error
    require(
        isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], kind),
        f"{name} must return (state, {kind.__name__}(...)), not {type(made).__name__}.",
        EnvError,
    )
    return made


def _single(view: Observation) -> Observation:
    return view._replace(observation=_numbers(view.observation))


def _numbers(values: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def _last(tree: Any) -> Any:
    """Arrays of the last copy."""
    return jax.tree.map(lambda x: x[-1], tree)
