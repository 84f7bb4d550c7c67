"""Units of StarCraft II, with the figures of its patch 4.10.

Times are in the seconds of the game's own data, which have 16 of its loops. Published tables mostly
count "faster" seconds, of which one has 22.4 loops: a speed of 2.25 is 3.15 there.
"""

from dataclasses import dataclass
from typing import Literal

Layer = Literal["ground", "cliffs", "air"]
"""Level on which a body moves; bodies of different layers pass through each other."""

Attribute = Literal["armored", "light", "biological"]


@dataclass(frozen=True)
class Body:
    """Body of a unit; lengths in cells of the map.

    health, shield: points at the start; a shield takes damage first, and without armour.
    radius:       from the centre to the edge that ranges are measured from.
    speed:        cells per second.
    armor:        points that health is spared of each blow.
    separation:   radius within which it pushes others; `radius` if None.
    attributes:   what bonus damage and healing ask for.
    layer:        where it moves.
    regeneration: points of health per second.
    """

    health: float
    radius: float
    speed: float
    shield: float = 0.0
    armor: float = 0.0
    separation: float | None = None
    attributes: tuple[Attribute, ...] = ()
    layer: Layer = "ground"
    regeneration: float = 0.0

    @property
    def flies(self) -> bool:
        """True if it is in the air."""
        return self.layer == "air"


@dataclass(frozen=True)
class Weapon:
    """Attack of a unit.

    damage:       points of a blow.
    period:       seconds from the start of an attack to that of the next one.
    range:        from edge to edge.
    damage_point: seconds from the start of an attack to its blows.
    blows:        number of blows at once, each of which meets the armour.
    bonus:        points of a blow more against an attribute.
    hits_air:     it reaches units in the air.
    splash:       half axes of the ellipse around the target, along the shot and across it, within
                  which all enemies on the ground are hit; only the target if (0, 0).
    dies:         the attack is the end of the unit.
    """

    damage: float
    period: float
    range: float = 0.1
    damage_point: float = 0.0
    blows: int = 1
    bonus: tuple[Attribute, float] = ("armored", 0.0)
    hits_air: bool = False
    splash: tuple[float, float] = (0.0, 0.0)
    dies: bool = False


@dataclass(frozen=True)
class Healing:
    """Healing of friends on the ground that are biological.

    rate:  points of health per second.
    cost:  energy per second.
    range: from edge to edge.
    start, most, regeneration: energy at the start, at most, and per second.
    """

    rate: float = 9.0
    cost: float = 3.0
    range: float = 4.0
    start: float = 50.0
    most: float = 200.0
    regeneration: float = 0.5625


@dataclass(frozen=True)
class Unit:
    """A kind of unit: a body that attacks or heals.

    cooldown_loops: what SMAC divides a cooldown, in loops of the game, by.
    """

    body: Body
    skill: Weapon | Healing
    cooldown_loops: float = 15.0

    @property
    def heals(self) -> bool:
        """True if it heals and does not attack."""
        return isinstance(self.skill, Healing)

    def damage_to(self, other: "Unit") -> float:
        """Points of one blow to another unit, before its armour.

        >>> UNITS["marauder"].damage_to(UNITS["stalker"])
        20.0
        """
        if isinstance(self.skill, Healing):
            return 0.0
        attribute, bonus = self.skill.bonus
        return self.skill.damage + bonus * (attribute in other.body.attributes)

    def can_target(self, other: "Unit") -> bool:
        """True if it can attack an enemy of this kind, or heal a friend of it.

        >>> UNITS["marauder"].can_target(UNITS["medivac"])
        False
        """
        if isinstance(self.skill, Healing):
            return "biological" in other.body.attributes and not other.body.flies
        return self.skill.hits_air or not other.body.flies


MEAT: tuple[Attribute, ...] = ("light", "biological")
ZERG = 0.2734
"""Points of health that Zerg units regain per second."""

UNITS: dict[str, Unit] = {
    "baneling": Unit(
        Body(30, 0.375, 2.5, attributes=("biological",), regeneration=ZERG),
        Weapon(20, 0.833, 0.25, bonus=("light", 15.0), splash=(2.2, 2.2), dies=True),
        cooldown_loops=1,
    ),
    "colossus": Unit(
        Body(200, 1.0, 2.25, 150, 1, 0.75, ("armored",), "cliffs"),
        Weapon(10, 1.5, 7, 0.0833, blows=2, bonus=("light", 5.0), splash=(0.15, 1.4)),
        cooldown_loops=24,
    ),
    "hydralisk": Unit(
        Body(90, 0.625, 2.25, attributes=MEAT, regeneration=ZERG),
        Weapon(12, 0.83, 5, 0.208, hits_air=True),
        cooldown_loops=10,
    ),
    "marauder": Unit(
        Body(125, 0.5625, 2.25, armor=1, attributes=("armored", "biological")),
        Weapon(10, 1.5, 6, bonus=("armored", 10.0)),
        cooldown_loops=25,
    ),
    "marine": Unit(
        Body(45, 0.375, 2.25, attributes=MEAT), Weapon(6, 0.8608, 5, 0.05, hits_air=True)
    ),
    "medivac": Unit(
        Body(150, 0.75, 2.5, armor=1, attributes=("armored",), layer="air"),
        Healing(),
        cooldown_loops=200,
    ),
    "spinecrawler": Unit(
        Body(300, 0.9, 0, armor=2, attributes=("armored", "biological"), regeneration=ZERG),
        Weapon(25, 1.85, 7, 0.333, bonus=("armored", 5.0)),
    ),
    "stalker": Unit(
        Body(80, 0.625, 2.9531, 80, 1, attributes=("armored",)),
        Weapon(13, 1.87, 6, 0.167, bonus=("armored", 5.0), hits_air=True),
        cooldown_loops=35,
    ),
    "zealot": Unit(
        Body(100, 0.5, 2.25, 50, 1, 0.375, MEAT), Weapon(8, 1.2, blows=2), cooldown_loops=22
    ),
    "zergling": Unit(
        Body(35, 0.375, 2.9531, attributes=MEAT, regeneration=ZERG),
        Weapon(5, 0.696, damage_point=0.167),
        cooldown_loops=11,
    ),
}
"""All kinds of units, by name."""
