"""Checks of an environment before training: random play, and a sentence for each fault."""

from coterie.envs.checks.episode import Episode, Play
from coterie.envs.checks.rules import HINT, RULES, Rule, apply, difference, time_limit
from coterie.envs.game import Env
from coterie.errors import require

ANOTHER = 1_000_003
"""Distance to a seed that no other episode uses."""


def check_env(env: Env, episodes: int = 3, seed: int = 0, longest: int = 10_000) -> list[str]:
    """Find the faults of `env`, one sentence each with the culprit, the numbers and the usual fix.

    Plays `episodes` with random actions and with seeds from `seed` on, and some of them again.
    A sentence that begins with "hint:" names something that may be meant. Environments of
    PettingZoo are played in this process, as their authors wrote them. An empty list: fit to train
    in.
    """
    require(episodes >= 1, f"episodes must be at least 1, not {episodes}.")
    checks = env.checks()
    if checks.plays is None:
        return checks.faults
    rules = (*RULES, *checks.rules)
    found = _report(*checks.plays, rules, range(seed, seed + episodes), longest)
    return [*checks.faults, *found, *checks.close()]


def _report(
    play: Play, again: Play, rules: tuple[Rule, ...], seeds: range, longest: int
) -> list[str]:
    """Apply all rules to some episodes; `again` plays in an environment that has not been played
    yet."""
    played: list[Episode] = []
    for seed in seeds:
        played.append(play(seed, seed, longest))
        if played[-1].error is not None or not played[-1].moments[-1].over:
            break  # the others would not be better
    sentences = apply(rules, played)
    return [*sentences, *time_limit(played), *_repeated(play, again, played[0], longest)]


def _repeated(play: Play, again: Play, first: Episode, longest: int) -> list[str]:
    """Check that the seed, and nothing else, decides an episode."""
    seed = first.seed
    apart = difference(first, again(seed, seed, longest))
    if apart:
        return [
            f"seed {seed} gives two different episodes under the same actions: {apart}; take all "
            "random numbers from the seed or key of the reset."
        ]
    apart = difference(first, play(seed, seed, longest))
    if apart:
        return [
            f"the episode with seed {seed} depends on what was played before it: {apart}; "
            "set everything anew in reset."
        ]
    other = again(seed + ANOTHER, seed, longest)
    if difference(first, other) is None and other.error is None:
        return [
            f"{HINT}seeds {seed} and {other.seed} give the same episode under the same actions; "
            "if the environment is meant to be random, draw from the seed or key of the reset."
        ]
    return []
