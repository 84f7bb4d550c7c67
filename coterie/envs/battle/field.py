"""The ground of a battle: its cells, where both armies begin, and what units reach."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32

RADIUS = 6
"""Cells that a unit sees in each direction, within a circle."""
SIDE = 2 * RADIUS + 1
"""Height and width of a view."""
HEALTH, DAMAGE, RECOVERY = 10.0, 2.0, 0.1
"""Health of a fresh unit, what a blow takes of it, and what a step gives back."""
EMPTY, WALL = -1, -2
"""Contents of a cell that is no unit's."""

Offsets = Int[np.ndarray, "K 2"]


def within(radius: float) -> Offsets:
    """Offsets `(dx, dy)` within a circle, row by row from the top, as MAgent numbers them.

    >>> within(1).tolist()
    [[0, -1], [-1, 0], [0, 0], [1, 0], [0, 1]]
    """
    reach = np.arange(-int(radius), int(radius) + 1)
    dy, dx = np.meshgrid(reach, reach, indexing="ij")
    inside = dx**2 + dy**2 <= radius**2
    return np.stack([dx[inside], dy[inside]], axis=-1)


MOVES = within(2)
"""Offsets of the 13 moves; the one in the middle is to stay."""
BLOWS = np.delete(within(1.5), 4, axis=0)
"""Offsets of the 8 attacks."""
SEEN = np.hypot(*np.indices((SIDE, SIDE)) - RADIUS) <= RADIUS
"""Cells of a view that lie within the circle, `[13, 13]`."""


class Units(NamedTuple):
    """Both armies, the first one's units first; `M = 2 N`.

    cell:   the numbers of their cells, `[M]`.
    health: from 0 to 10, and below 0 once a unit is dead, `[M]`.
    """

    cell: Int32[Array, " M"]
    health: Float[Array, " M"]

    @property
    def alive(self) -> Bool[Array, " M"]:
        """Mask of the living; a unit that is left with a health of 0 is one of them."""
        return self.health >= 0.0


@dataclass(frozen=True)
class Field:
    """A square of `size` cells a side, the outermost of which are wall.

    Around it lie cells that nobody enters, as far as units see, so that every view is a window.
    Cells are numbered row by row with those.
    """

    size: int

    @property
    def stride(self) -> int:
        """Cells of a row, with those around the square."""
        return self.size + 2 * RADIUS

    @property
    def cells(self) -> int:
        """Number of all cells."""
        return self.stride**2

    def number(self, place: Int[np.ndarray, "*K 2"]) -> Int32[np.ndarray, "*K"]:
        """Numbers of the cells at `(x, y)`; the corner of the walls is at (0, 0)."""
        return ((place[..., 1] + RADIUS) * self.stride + place[..., 0] + RADIUS).astype(np.int32)

    def offset(self, offsets: Offsets) -> Int32[np.ndarray, "*K"]:
        """Differences of cell numbers for offsets `(dx, dy)`."""
        return (offsets[:, 1] * self.stride + offsets[:, 0]).astype(np.int32)

    def place(
        self, cell: Int[Array | np.ndarray, "*K"]
    ) -> tuple[Int[Array | np.ndarray, "*K"], Int[Array | np.ndarray, "*K"]]:
        """Columns `x` and rows `y` of cells."""
        return cell % self.stride - RADIUS, cell // self.stride - RADIUS

    @property
    def armies(self) -> tuple[Offsets, Offsets]:
        """Places of both armies at the start: squares with a gap between any two units, as
        `battle_v4` has them.

        >>> [len(Field(size).armies[0]) for size in (20, 40, 45, 56, 80, 125)]
        [12, 64, 81, 121, 256, 625]
        """
        half, gap = self.size // 2, 3
        side = 2 * math.isqrt(math.floor(self.size**2 * 0.04))
        left, right = self._square(half - gap - side, side), self._square(half + gap, side)
        number = min(len(left), len(right))
        return left[:number], right[:number]

    def _square(self, left: int, side: int) -> Offsets:
        top = (self.size - side) // 2
        places = [(x, y) for x in range(left, left + side, 2) for y in range(top, top + side, 2)]
        inside = [place for place in places if min(place) > 0 and max(place) < self.size - 1]
        return np.array(inside, int).reshape(-1, 2)

    def start(self) -> Units:
        """Both armies at full health."""
        cell = self.number(np.concatenate(self.armies))
        return Units(jnp.asarray(cell), jnp.full(len(cell), HEALTH))

    def occupants(self, units: Units) -> Int32[Array, " C"]:
        """The living unit on each cell, or `EMPTY`, or `WALL`."""
        ground = np.full((self.stride, self.stride), WALL, np.int32)
        ground[RADIUS + 1 : -RADIUS - 1, RADIUS + 1 : -RADIUS - 1] = EMPTY
        return self.placed(units, jnp.asarray(ground.ravel()), jnp.arange(len(units.cell)))

    def placed(self, units: Units, ground: Array, value: Array) -> Array:
        """Values `[M]` on the cells of the living units, on a ground `[C]`."""
        cell = jnp.where(units.alive, units.cell, self.cells)
        value = value.astype(ground.dtype)
        return ground.at[cell].set(value, mode="drop")
