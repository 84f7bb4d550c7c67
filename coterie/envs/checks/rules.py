"""Rules that every episode of every environment must keep.

A rule looks at one episode and yields sentences; only its first one is reported. A sentence that
begins with `HINT` names what an environment may mean to do; all others name faults.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from coterie.envs.checks.episode import Episode, Round

HINT = "hint: "
LARGEST = float(np.finfo(np.float32).max)
GIVEN = ("observation", "reward", "terminated", "truncated")

Rule = Callable[[Episode], Iterator[str]]


def raised(episode: Episode) -> Iterator[str]:
    """Check that the environment does not raise."""
    if episode.error is not None:
        when = f"step {len(episode.moments)}" if episode.moments else "the reset"
        yield f"{when} of the episode with seed {episode.seed} raised {episode.error}."


def complete(episode: Episode) -> Iterator[str]:
    """Check that each agent that has acted gets an observation, a reward and both flags."""
    for step, before, moment in _steps(episode):
        for what in GIVEN:
            for agent in before.inside:
                if agent not in getattr(moment, what):
                    yield (
                        f"agent {agent!r} gets no {what} at step {step}: give one to every agent "
                        "that has just acted, in its last step too."
                    )


def plain(episode: Episode) -> Iterator[str]:
    """Check that a reward is one number and a flag one bool."""
    for step, before, moment in _steps(episode):
        for agent in before.inside:
            reward = moment.reward[agent]
            if np.shape(reward) != ():
                yield (
                    f"the reward of agent {agent!r} has shape {np.shape(reward)} at "
                    f"step {step}: it must be one number."
                )
            elif np.asarray(reward).dtype.kind not in "biuf":
                yield (
                    f"the reward of agent {agent!r} is {_short(reward)} at step {step}: it must be "
                    "one number, 0 where nothing is paid."
                )
            for what in ("terminated", "truncated"):
                flag = getattr(moment, what)[agent]
                if np.shape(flag) != () or np.asarray(flag).dtype != np.bool_:
                    yield (
                        f"{what} of agent {agent!r} is {flag!r} at step {step}: "
                        "it must be True or False."
                    )


def finite(episode: Episode) -> Iterator[str]:
    """Check that no observation and no reward is NaN, infinite, or beyond float32."""
    for step, moment in enumerate(episode.moments):
        for what in ("observation", "reward"):
            for agent, value in getattr(moment, what).items():
                if not _is_finite(value):
                    yield (
                        f"the {what} of agent {agent!r} is {_short(value)} at step {step}: "
                        f"numbers must be finite, and at most {LARGEST:.2g} (float32); look for "
                        "a division by 0 or the logarithm of 0, or scale it."
                    )


def final(episode: Episode) -> Iterator[str]:
    """Check that no agent goes on after its end, comes back, or leaves without an end."""
    for step, before, moment in _steps(episode):
        ended = {a for a in before.inside if moment.terminated[a] or moment.truncated[a]}
        for agent in moment.inside:
            if agent not in before.inside:
                yield f"agent {agent!r} is back at step {step} although it had left."
            if agent in ended:
                yield (
                    f"agent {agent!r} goes on after step {step} although it was terminated or "
                    "truncated there: take it out of the environment."
                )
        for agent in before.inside:
            if agent not in moment.inside and agent not in ended:
                yield (
                    f"agent {agent!r} is gone after step {step} but neither terminated nor "
                    "truncated: a learner must know which it was."
                )


def playable(episode: Episode) -> Iterator[str]:
    """Check that each agent that acts has a possible action."""
    for step, moment in enumerate(episode.moments):
        for agent, mask in moment.masks.items():
            if agent in moment.inside and not np.any(mask):
                yield (
                    f"the action mask of agent {agent!r} allows nothing after step {step}: "
                    "leave one action possible (doing nothing, say) while it is in the environment."
                )


def unshared(episode: Episode) -> Iterator[str]:
    """Check that no later step changes an observation."""
    if episode.reused is not None:
        agent, step = episode.reused
        yield (
            f"the observation of agent {agent!r} before step {step} was changed by that step: "
            "the environment writes into the array it gave away; return a copy."
        )


def ends(episode: Episode) -> Iterator[str]:
    """Check that an episode ends by itself."""
    unfinished = episode.error is None and not episode.moments[-1].over
    if unfinished:
        yield (
            f"the episode with seed {episode.seed} had not ended after {episode.steps:,} steps of "
            "random play: give the environment a time limit, and report it as truncated."
        )


RULES: tuple[Rule, ...] = (raised, complete, plain, finite, final, playable, unshared, ends)


def apply(rules: tuple[Rule, ...], episodes: list[Episode]) -> list[str]:
    """Return the first sentence of each rule over all episodes; none after an incomplete step."""
    sentences = []
    for rule in rules:
        first = next((s for episode in episodes for s in rule(episode)), None)
        sentences += [first] if first else []
        if first and rule is complete:
            break
    return sentences


def time_limit(episodes: list[Episode]) -> list[str]:
    """Return a hint if all episodes terminate an agent at the same step, as a time limit would."""
    whole = [e for e in episodes if e.error is None and e.moments[-1].over]
    lengths = {e.steps for e in whole}
    if len(whole) < 2 or len(lengths) > 1 or lengths == {1}:
        return []
    for agent in whole[0].agents:
        if all(e.moments[-1].terminated.get(agent, False) for e in whole):
            return [
                f"{HINT}all {len(whole)} episodes end at step {lengths.pop()} with agent {agent!r} "
                "terminated; if that is a time limit, call it truncated, so that learners look "
                "beyond it."
            ]
    return []


def difference(first: Episode, second: Episode) -> str | None:
    """Return the first difference of two episodes, as part of a sentence; `None` if equal."""
    for step, (one, two) in enumerate(zip(first.moments, second.moments, strict=False)):
        for what in GIVEN:
            here, there = getattr(one, what), getattr(two, what)
            for agent in here:
                if not _same(here[agent], there.get(agent)):
                    return (
                        f"the {what} of agent {agent!r} at step {step} is {_short(here[agent])}, "
                        f"then {_short(there.get(agent))}"
                    )
    if first.steps != second.steps:
        return f"one has {first.steps} steps, the other {second.steps}"
    return None


def _steps(episode: Episode) -> Iterator[tuple[int, Round, Round]]:
    pairs = zip(episode.moments, episode.moments[1:], strict=False)
    return ((step, before, after) for step, (before, after) in enumerate(pairs, 1))


def leaves(value: Any) -> list[np.ndarray]:
    """The arrays in an observation, which may be a dict or a tuple."""
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [np.asarray(value)]


def _is_finite(value: Any) -> bool:
    numbers = [leaf for leaf in leaves(value) if leaf.dtype.kind in "fc"]
    return all(bool((np.abs(leaf).astype(np.float64) <= LARGEST).all()) for leaf in numbers)


def _same(one: Any, two: Any) -> bool:
    pairs = zip(leaves(one), leaves(two), strict=False)
    return all(a.tobytes() == b.tobytes() and a.shape == b.shape for a, b in pairs)


def _short(value: Any) -> str:
    """A value as text of one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
