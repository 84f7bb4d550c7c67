"""Random play in a batch of two copies, over some ends of their episodes."""

from collections.abc import Callable

import numpy as np

from coterie.encoding import MASK, Numbers
from coterie.envs.host.layout import Layout
from coterie.envs.host.serve import START, STEP
from coterie.envs.host.sessions import Players
from coterie.errors import EnvError

LONGEST = 1_000
"""Most steps that are played."""
ENDS = 8
"""Most ends of episodes that are waited for."""


def faults(layout: Layout, hire: Callable[[int], Callable[[], Players]]) -> list[str]:
    """Return the sentence of the first fault in which a batch differs from one copy, if any."""
    try:
        _play(layout, hire(2)())
    except EnvError as error:
        return [f"in a batch of two copies: {error}"]
    return []


def _play(layout: Layout, players: Players) -> None:
    records, random = players.records, np.random.default_rng(0)
    records["seed"] = 0, 1
    players.command(START, 0)
    ends = 0
    for _ in range(LONGEST):
        _draw(layout, records, random)
        players.command(STEP, 0)
        ends += bool(np.any(records["terminated"] | records["truncated"]))
        if ends == ENDS:
            break
    players.close()


def _draw(layout: Layout, records: np.ndarray, random: np.random.Generator) -> None:
    """Write random actions that are possible."""
    for i, coding in enumerate(layout.acted):
        for record in records:
            if isinstance(coding, Numbers):
                record["action"][i, : coding.size] = random.uniform(coding.low, coding.high)
                continue
            possible = np.arange(coding.actions)
            if layout.masked:
                possible = np.flatnonzero(record["next"][MASK][i, : coding.actions])
            record["action"][i] = random.choice(possible)
