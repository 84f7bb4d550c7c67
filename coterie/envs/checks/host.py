"""Random play in a `ParallelEnv`, in this process and without the adapter, and its own rule."""

import copy
import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from coterie.encoding import MASK, Bytes
from coterie.envs.checks.checks import Checks, Plays
from coterie.envs.checks.episode import Episode, Round
from coterie.envs.checks.rules import HINT, leaves
from coterie.envs.host.chance import masks_in, random_actions
from coterie.envs.host.encodings import encoding_of
from coterie.envs.host.factory import RAISED, close, describe
from coterie.envs.host.layout import NUMBERS

LARGE = 30_000
"""Numbers in an observation from which on smaller ones are proposed."""


def checks(used: Any, fresh: Any) -> Checks:
    """Return the checks of a `ParallelEnv`, given it and an equal one; `close` closes both."""

    def finish() -> list[str]:
        failures = [failure for failure in (close(used), close(fresh)) if failure is not None]
        return [f"{HINT}close() raised {describe(each)}; it is ignored." for each in failures[:1]]

    rules = partial(in_space, used), masked_in_time, reported
    plays = Plays(partial(play, used), partial(play, fresh))
    return Checks(list(seen_as(used)), plays, rules, finish)


def seen_as(env: Any) -> Iterator[str]:
    """Say how observations that are images reach the learners, and which ones are large."""
    for agent in env.possible_agents:
        space = env.observation_space(agent)
        size, shape = math.prod(space.shape or ()), space.shape or ()
        if isinstance(encoding_of(space), Bytes):
            flat = f"flat, {size:,} numbers, by other networks than --actor cnn"
            how = f"an image to --actor cnn, and seen {flat}" if len(shape) == 3 else "seen flat"
            yield f"{HINT}agent {agent!r} sees bytes of shape {shape}: divided by 255, {how}."
        if size > LARGE:
            yield (
                f"{HINT}agent {agent!r} sees {size:,} numbers at each step: a factory of your own "
                "can make them fewer, with supersuit's resize_v1(env, 84, 84) and "
                "color_reduction_v0(env)."
            )
        return


def play(env: Any, seed: int, choices: int, longest: int) -> Episode:
    """One episode of at most `longest` steps, its random actions drawn from `choices`."""
    episode = Episode(tuple(env.possible_agents), seed)
    random = np.random.default_rng(choices)
    try:
        raw, infos = env.reset(seed=seed)
        _remember(episode, env, raw, infos, ({}, {}, {}))
        while not episode.moments[-1].over and episode.steps < longest:
            now = episode.moments[-1]
            actions = random_actions(env, now.inside, now.masks, random)
            before = raw
            raw, reward, terminated, truncated, infos = env.step(actions)
            _look_back(episode, before)
            _remember(episode, env, raw, infos, (reward, terminated, truncated))
    except RAISED as error:
        episode.error = describe(error)
    return episode


def _remember(episode: Episode, env: Any, raw: Any, infos: Any, rest: tuple[Any, ...]) -> None:
    """Record copies: an environment may write again into the arrays that it gave."""
    masks = masks_in(env, raw, infos)
    inside = tuple(agent for agent in env.possible_agents if agent in env.agents)
    observation, reward, terminated, truncated = copy.deepcopy((raw, *rest))
    told = Round(inside, observation, reward, terminated, truncated, masks, dict(infos))
    episode.moments.append(told)


def _look_back(episode: Episode, before: dict[Any, Any]) -> None:
    """Note the first step that changed an observation which had been given before it."""
    kept = episode.moments[-1].observation
    for agent, value in before.items():
        if episode.reused is None and _bytes(value) != _bytes(kept[agent]):
            episode.reused = (agent, len(episode.moments))


def _bytes(value: Any) -> list[bytes]:
    return [leaf.tobytes() for leaf in leaves(value)]


def in_space(env: Any, episode: Episode) -> Iterator[str]:
    """Check that every observation is in its space: kind of number, shape, range."""
    for step, moment in enumerate(episode.moments):
        for agent, value in moment.observation.items():
            space = env.observation_space(agent)
            if not space.contains(value):
                yield f"the observation of agent {agent!r} at step {step} {_misfit(value, space)}."


def masked_in_time(episode: Episode) -> Iterator[str]:
    """Check that action masks come with the reset, or with the first step at the latest."""
    known = any(moment.masks for moment in episode.moments[:2])
    for step, moment in enumerate(episode.moments):
        for agent in moment.masks if not known else ():
            yield (
                f"the first {MASK} comes to agent {agent!r} at step {step}: give one with every "
                "reset, or with the first step at the latest."
            )


def reported(episode: Episode) -> Iterator[str]:
    """Check that what agents report in their infos becomes a column of the tables."""
    columns = set().union(*(_columns(moment.infos) for moment in episode.moments[:2]))
    for step, moment in enumerate(episode.moments):
        for agent, info in moment.infos.items():
            for key in info if isinstance(info, Mapping) else ():
                if key not in columns and key != MASK:
                    yield (
                        f"{HINT}info {key!r} of agent {agent!r} at step {step} is no column of the "
                        "tables: columns are the single numbers that every agent reports at the "
                        "reset or after the first step."
                    )


def _columns(infos: Mapping[Any, Any]) -> set[Any]:
    """Return the names under which all agents report a number."""
    each = [{k for k, v in info.items() if isinstance(v, NUMBERS)} for info in infos.values()]
    return set.intersection(*each) if each else set()


def _misfit(value: Any, space: Any) -> str:
    """Say why a value is not in its space, and what to do."""
    if not hasattr(space, "low") or not isinstance(value, np.ndarray):
        return f"is {value!r}, which is not in {space}: correct one of them"
    if value.shape != space.shape:
        return f"has shape {value.shape}, but its space says {space.shape}: correct one of them"
    if value.dtype != space.dtype:
        return f"is {value.dtype}, but its space says {space.dtype}: use .astype({space.dtype})"
    outside = (value < space.low) | (value > space.high)
    worst = value[outside].flat[0] if outside.any() else np.nan
    return f"holds {worst}, outside of {space}: widen the space, or clip"
