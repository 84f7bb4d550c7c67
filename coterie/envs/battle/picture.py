"""Pictures of a battle: units as squares in their army's colour, the paler the weaker."""

import numpy as np

from coterie.envs.battle.field import HEALTH, Field, Units
from coterie.internal.palette import color_of

WIDTH = 480
"""Pixels of a picture, or fewer, if they are no multiple of the cells."""
GROUND, BRICK = (246, 247, 249), (120, 124, 132)
WEAKEST = 0.25
"""Share of an army's colour that is left of a unit without health."""


def painted(field: Field, units: Units) -> np.ndarray:
    """A picture `[H, W, 3]`: the first army blue, the second red."""
    cell, health = np.asarray(units.cell), np.asarray(units.health)
    picture = np.full((field.size, field.size, 3), GROUND, np.uint8)
    picture[[0, -1]] = picture[:, [0, -1]] = BRICK
    pixels = max(3, WIDTH // field.size)
    picture = picture.repeat(pixels, 0).repeat(pixels, 1)
    columns, rows = (part * pixels for part in field.place(cell))
    for unit in np.flatnonzero(health >= 0.0):
        column, row = columns[unit], rows[unit]
        share = WEAKEST + (1.0 - WEAKEST) * health[unit] / HEALTH
        color = np.array(color_of(int(unit >= len(cell) // 2)))
        shade = share * color + (1.0 - share) * np.array(GROUND)
        picture[row : row + pixels - 1, column : column + pixels - 1] = shade.round()
    return picture
