"""Metrics of a block of training: rows of numbers for a table, checked for NaN and infinity."""

import numpy as np

from coterie.errors import EnvError, NonFiniteError
from coterie.network import Traffic
from coterie.training.evaluate import Scores
from coterie.training.state import MASK, IterationStats

Row = dict[str, float]

ENV = "run `coterie check` on the environment"
INFO = "info/"
"""What stands before an environment's own names in the tables, for they may be any."""
RATES = "lower --actor-lr or --max-grad-norm"


def training_row(report: IterationStats, names: tuple[str, ...]) -> Row:
    """One row for a block: means over its iterations, for the team and for every agent.

    The team's return is the mean of its agents' returns; it is blank (NaN) when no episode ended.
    """
    episodes = report.episodes
    count = int(np.sum(episodes.count))
    per = 1.0 / count if count else np.nan
    row = {"episodes": float(count), "episode_length": float(np.sum(episodes.length)) * per}
    row |= _for_all("episode_return", np.sum(episodes.returns, axis=0) * per, names)
    for name, values in episodes.info.items():
        row[f"{INFO}{name}"] = float(np.mean(np.sum(values, axis=0)) * per)
    for name, values in sorted(report.metrics.items()):
        row |= _for_all(name, np.mean(values, axis=0), names)
    row |= _for_all("bytes", np.sum(report.bytes, axis=0), names)
    row["observed_bytes"] = float(np.mean(np.sum(report.observed_bytes, axis=0)))
    row["rounds"] = float(np.max(np.sum(report.rounds, axis=0)))
    for payload, traffic in report.traffic.items():
        row |= _payload_row(payload, traffic)
    for payload, distance in report.consensus_error.items():
        row[f"{payload}/consensus_error"] = float(np.mean(distance))
    return row


def _payload_row(payload: str, traffic: Traffic) -> Row:
    """Traffic of one payload in a block: an agent's mean bytes, its rounds, and the share lost."""
    sent, lost = int(np.sum(traffic.sent)), int(np.sum(traffic.lost))
    return {
        f"{payload}/bytes": float(np.mean(np.sum(traffic.bytes, axis=0))),
        f"{payload}/rounds": float(np.max(np.sum(traffic.rounds, axis=0))),
        f"{payload}/lost": lost / sent if sent else 0.0,
    }


def evaluation_row(scores: Scores, names: tuple[str, ...], sent: np.ndarray) -> Row:
    """One row for an evaluation: means over its episodes.

    sent: the bytes that each agent has sent so far, `[N]`; the row has their mean.
    """
    row = _for_all("episode_return", np.mean(scores.returns, axis=0), names)
    row["bytes"] = float(np.mean(sent))
    row["episode_length"] = float(np.mean(scores.lengths))
    for name, values in scores.info.items():
        row[f"{INFO}{name}"] = float(np.mean(values))
    return row


def require_sound(report: IterationStats, names: tuple[str, ...], first: int) -> None:
    """Raise `NonFiniteError` naming the agent and the quantity that is no longer finite, or
    `EnvError` naming the agent that may do nothing at all.

    first: the number of the report's first iteration.
    """
    for name, sound in report.sound.items():
        flags = np.asarray(sound)
        if name == MASK:
            _require_possible(flags, names, first)
        else:
            _require_finite(flags, name, names, first, ENV)
    for name, values in report.metrics.items():
        _require_finite(np.isfinite(np.asarray(values)), name, names, first, RATES)


def require_sound_state(sound: dict[str, np.ndarray], names: tuple[str, ...], updates: int) -> None:
    """Raise `NonFiniteError` naming the agent and the array that is no longer finite.

    sound: True where an agent's array is finite, `[N]` for each array.
    """
    for name, flags in sound.items():
        _require_finite(flags[None], name, names, updates, RATES)


def _require_possible(flags: np.ndarray, names: tuple[str, ...], first: int) -> None:
    for when, agent in np.argwhere(~flags)[:1]:
        raise EnvError(
            f"agent {agent} ({names[agent]}): its action mask allows nothing in update "
            f"{first + when}: leave one action possible (doing nothing, say) while it is in the "
            f"environment; {ENV}."
        )


def _require_finite(
    flags: np.ndarray, name: str, names: tuple[str, ...], first: int, advice: str
) -> None:
    bad = np.argwhere(~flags)
    if len(bad) == 0:
        return
    when, agent = bad[0]
    raise NonFiniteError(
        f"agent {agent} ({names[agent]}): {name} is not finite in update {first + when}; "
        f"{advice}; checkpoints hold only what was finite."
    )


def _for_all(name: str, values: np.ndarray, names: tuple[str, ...]) -> Row:
    each = {f"{name}/{agent}": float(v) for agent, v in zip(names, values, strict=True)}
    return {name: float(np.mean(values)), **each}
