"""Maps: two armies, where they meet, and how long they have."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from coterie.envs.skirmish.units import UNITS
from coterie.errors import ConfigError, brief, nearest, require

Army = tuple[str, ...]
"""Kinds of an army's units, one name each, in the order of the alphabet."""

LARGEST = 200
"""Most units of an army."""
PACKED = 0.6
"""Share of the ground that bodies may take up."""


@dataclass(frozen=True)
class Arena:
    """A rectangle of cells of a map, and the two places where the armies are put.

    low, high: the corners.
    allies, enemies: the middles of the armies at the start.
    """

    low: tuple[float, float] = (0.0, 7.0)
    high: tuple[float, float] = (32.0, 25.0)
    allies: tuple[float, float] = (9.0, 16.0)
    enemies: tuple[float, float] = (23.0, 16.0)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.high[0] - self.low[0], self.high[1] - self.low[1]

    def resized(self, width: float, height: float) -> "Arena":
        """An arena of another size, whose armies stand as far from each other if they can."""
        middle = [(a + b) / 2 for a, b in zip(self.low, self.high, strict=True)]
        factors = [min(1.0, new / old) for new, old in zip((width, height), self.size, strict=True)]

        def moved(place: tuple[float, float]) -> tuple[float, float]:
            x, y = (m + f * (p - m) for m, f, p in zip(middle, factors, place, strict=True))
            return x, y

        low = middle[0] - width / 2, middle[1] - height / 2
        high = middle[0] + width / 2, middle[1] + height / 2
        return Arena(low, high, moved(self.allies), moved(self.enemies))


@dataclass(frozen=True)
class Map:
    """Two armies in an arena; a battle is cut off after `time_limit` steps."""

    allies: Army
    enemies: Army
    time_limit: int
    arena: Arena = Arena()


def army(**units: int) -> Army:
    """The units of an army, in the order of the alphabet.

    >>> army(zealot=1, stalker=2)
    ('stalker', 'stalker', 'zealot')
    """
    return tuple(kind for kind in sorted(units) for _ in range(units[kind]))


def even(both: Army, time_limit: int, arena: Arena = Arena()) -> Map:
    """Two equal armies."""
    return Map(both, both, time_limit, arena)


OPEN = Arena((0.0, 0.0), (32.0, 32.0))
PIT = Arena((7.0, 6.0), (23.0, 21.0), (14.6, 9.49), (14.41, 16.76))
CHAMBER = Arena((7.0, 7.0), (21.0, 25.0), (14.05, 10.35), (13.92, 20.04))
HALL = Arena((5.0, 5.0), (26.0, 27.0), (16.0, 10.4), (16.0, 21.5))

MAPS: dict[str, Map] = {
    "3m": Map(army(marine=3), army(marine=3), 60),
    "8m": Map(army(marine=8), army(marine=8), 120),
    "25m": Map(army(marine=25), army(marine=25), 150),
    "5m_vs_6m": Map(army(marine=5), army(marine=6), 70),
    "8m_vs_9m": Map(army(marine=8), army(marine=9), 120),
    "10m_vs_11m": Map(army(marine=10), army(marine=11), 150),
    "27m_vs_30m": Map(army(marine=27), army(marine=30), 180),
    "MMM": even(army(marauder=2, marine=7, medivac=1), 150),
    "MMM2": Map(army(marauder=2, marine=7, medivac=1), army(marauder=3, marine=8, medivac=1), 180),
    "2s3z": even(army(stalker=2, zealot=3), 120),
    "3s5z": even(army(stalker=3, zealot=5), 150),
    "3s5z_vs_3s6z": Map(army(stalker=3, zealot=5), army(stalker=3, zealot=6), 170),
    "1c3s5z": even(army(colossus=1, stalker=3, zealot=5), 180),
    "3s_vs_3z": Map(army(stalker=3), army(zealot=3), 150, OPEN),
    "3s_vs_4z": Map(army(stalker=3), army(zealot=4), 200, OPEN),
    "3s_vs_5z": Map(army(stalker=3), army(zealot=5), 250, OPEN),
    "2m_vs_1z": Map(army(marine=2), army(zealot=1), 150, HALL),
    "2s_vs_1sc": Map(army(stalker=2), army(spinecrawler=1), 300, CHAMBER),
    "6h_vs_8z": Map(army(hydralisk=6), army(zealot=8), 150, PIT),
    "bane_vs_bane": even(army(baneling=4, zergling=20), 200, HALL),
}
"""Maps of the StarCraft Multi-Agent Challenge, by their names there."""


def map_of(name: str) -> Map:
    """The map of a name; `ConfigError` with the nearest names if there is none.

    >>> map_of("2s4z")
    Traceback (most recent call last):
    coterie.errors.ConfigError: unknown map '2s4z': did you mean '2s3z' or '3s_vs_4z'?
    """
    if name not in MAPS:
        raise _unknown("map", name, list(MAPS))
    return MAPS[name]


def army_of(words: Sequence[str], side: str) -> Army:
    """An army by words `kind=number`; `ConfigError` if one is no kind of unit, or no number.

    >>> army_of(("zealot=1", "stalker=2"), "allies")
    ('stalker', 'stalker', 'zealot')
    """
    units: dict[str, int] = {}
    for word in words:
        kind, _, number = word.partition("=")
        require(
            kind not in units and number.isascii() and number.isdecimal(),
            f"{side} are words kind=number, each kind once, such as marine=8 medivac=1, not "
            f"{brief(' '.join(words))!r}.",
        )
        if kind not in UNITS:
            raise _unknown("unit", kind, list(UNITS))
        units[kind] = int(number[:9])
    _require_army(units, side)
    return army(**units)


def _require_army(units: dict[str, int], side: str) -> None:
    total = sum(units.values())
    require(
        1 <= total <= LARGEST,
        f"{side} must be 1 to {LARGEST} units, not {total:,}: try marine=8.",
    )
    require(
        not all(UNITS[kind].heals for kind, number in units.items() if number),
        f"{side} must have a unit that fights, and {total} of {total} only heal: add marine=1.",
    )


def require_room(arena: Arena, allies: Army, enemies: Army) -> None:
    """Raise `ConfigError` if the armies' bodies do not fit on the ground."""
    width, height = arena.size
    bodies = [UNITS[kind].body for kind in (*allies, *enemies) if not UNITS[kind].body.flies]
    taken = sum(math.pi * body.radius**2 for body in bodies)
    largest = max((2 * body.radius for body in bodies), default=0.0)
    require(
        taken <= PACKED * width * height and largest < min(width, height),
        f"{len(allies)} against {len(enemies)} units take up {taken:.0f} cells, too much for a map "
        f"of {width:g} x {height:g}: try size 32 18.",
    )


def _unknown(kind: str, name: str, known: Sequence[str]) -> ConfigError:
    hint = nearest(name, known) or f"known: {', '.join(known)}."
    return ConfigError(f"unknown {kind} {brief(repr(name))}: {hint}")
