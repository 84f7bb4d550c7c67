"""Pictures of a battle: discs with bars of health and shield, shots, and beams that heal."""

from typing import NamedTuple

import jax
import numpy as np
from PIL import Image, ImageDraw

from coterie.envs.skirmish.forces import Forces
from coterie.envs.skirmish.maps import Arena
from coterie.envs.skirmish.state import Units
from coterie.internal.palette import color_of

WIDTH = 480
"""Pixels of a picture's width."""
FINE = 3
"""Pixels that are drawn for one that is shown, in each direction."""

GROUND, DARK, WHITE = (245, 244, 238), (70, 70, 70), (255, 255, 255)
ALLY, ENEMY = color_of(0), color_of(1)
HEALTH, SHIELD, BEAM = color_of(2), color_of(5), (40, 190, 110)
BAR = 0.22
"""Height of a bar, in cells."""

Point = tuple[float, float]


class Brush(NamedTuple):
    """A drawing in cells of the map: what is drawn on, the corner at the upper left, and the pixels
    of a cell."""

    draw: ImageDraw.ImageDraw
    corner: Point
    scale: float

    def at(self, x: float, y: float) -> Point:
        """Pixels of a place."""
        return (x - self.corner[0]) * self.scale, (self.corner[1] - y) * self.scale

    def disc(self, x: float, y: float, radius: float, color: tuple, edge: tuple) -> None:
        """A disc with an edge."""
        left, upper = self.at(x - radius, y + radius)
        right, lower = self.at(x + radius, y - radius)
        self.draw.ellipse((left, upper, right, lower), color, edge, FINE)

    def line(self, start: Point, end: Point, color: tuple, width: float) -> None:
        """A line, whose width is in cells."""
        self.draw.line((*self.at(*start), *self.at(*end)), color, max(1, round(width * self.scale)))

    def bar(self, x: float, y: float, width: float, share: float, color: tuple) -> None:
        """A bar that is full up to a share, with its left end at a place."""
        for length, paint in ((width, DARK), (share * width, color)):
            left, upper = self.at(x, y + BAR)
            right, lower = self.at(x + length, y)
            if right - left >= 1:
                self.draw.rectangle((left, upper, right, lower), paint)


def paint(forces: Forces, arena: Arena, units: Units) -> np.ndarray:
    """A picture `[H, W, 3]` (0 to 255): allies blue, enemies orange, healers with a cross; over
    each unit its health (green) and shield (blue)."""
    width, height = arena.size
    scale = WIDTH * FINE / width
    size = WIDTH, max(16, round(WIDTH * height / width))
    image = Image.new("RGB", (size[0] * FINE, size[1] * FINE), GROUND)
    brush = Brush(ImageDraw.Draw(image), (arena.low[0], arena.high[1]), scale)
    now = jax.tree.map(np.asarray, units)
    living = np.flatnonzero(now.health > 0)
    for i in np.flatnonzero(now.hit >= 0):
        _strike(brush, forces, now, int(i))
    for i in sorted(living, key=lambda unit: bool(forces.flies[unit])):
        _unit(brush, forces, now, int(i))
    for i in living:
        _bars(brush, forces, now, int(i))
    return np.asarray(image.resize(size, Image.Resampling.BOX))


def _strike(brush: Brush, forces: Forces, units: Units, i: int) -> None:
    """Draw a shot, or a beam that heals."""
    start, end = ((float(units.x[j]), float(units.y[j])) for j in (i, int(units.hit[i])))
    color = ALLY if forces.ally[i] else ENEMY
    brush.line(start, end, BEAM if forces.heals[i] else color, 0.3 if forces.heals[i] else 0.08)


def _unit(brush: Brush, forces: Forces, units: Units, i: int) -> None:
    x, y, radius = float(units.x[i]), float(units.y[i]), float(forces.radius[i])
    brush.disc(x, y, radius, ALLY if forces.ally[i] else ENEMY, DARK)
    if forces.heals[i]:
        arm = 0.6 * radius
        brush.line((x - arm, y), (x + arm, y), WHITE, 0.2)
        brush.line((x, y - arm), (x, y + arm), WHITE, 0.2)


def _bars(brush: Brush, forces: Forces, units: Units, i: int) -> None:
    radius = float(forces.radius[i])
    half = max(radius, 0.5)
    x, y = float(units.x[i]) - half, float(units.y[i]) + radius + 0.1
    brush.bar(x, y, 2 * half, float(units.health[i] / forces.health[i]), HEALTH)
    if forces.shield[i] > 0:
        share = float(units.shield[i] / forces.shield[i])
        brush.bar(x, y + BAR, 2 * half, share, SHIELD)
