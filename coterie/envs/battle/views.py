"""Views of units: the field around them, as images."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from coterie.envs.battle.combat import ACTIONS
from coterie.envs.battle.field import RADIUS, SEEN, SIDE, Field, Units

BRICK = 4.0
"""Number of a wall among the signed shares of health, which are from -1 to 1."""

# A channel of a view is `constant + factor x` where `low < x < high`, and 0 elsewhere, if `x` is
# what is on a cell: the wall, own units and their health, enemy units and their health.
LOW = np.array([2.0, 0.0, 0.0, -2.0, -2.0], np.float32)
HIGH = np.array([8.0, 2.0, 2.0, 0.0, 0.0], np.float32)
CONSTANT = np.array([1.0, 1.0, 0.0, 1.0, 0.0], np.float32)
FACTOR = np.array([0.0, 0.0, 1.0, 0.0, -1.0], np.float32)

View = Float[Array, "K 13 13 C"]


def signs(units: Units) -> Float[np.ndarray, " M"]:
    """1 for the units of the first army, -1 for the other's."""
    half = len(units.cell) // 2
    return np.repeat(np.array([1.0, -1.0], np.float32), half)


def chart(field: Field, units: Units) -> Float[Array, " C"]:
    """The field in one number for each cell: a unit's share of its full health, negative for the
    second army, `BRICK` for a wall, and 0."""
    ground = np.zeros((field.stride, field.stride), np.float32)
    square = ground[RADIUS:-RADIUS, RADIUS:-RADIUS]
    square[[0, -1]] = square[:, [0, -1]] = BRICK
    share = tenth(units.health)
    signed = jnp.where(signs(units) < 0, -share, share)
    return field.placed(units, jnp.asarray(ground.ravel()), signed)


def tenth(x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`x / 10`, rounded as a quotient is: compilers multiply by 0.1 instead, which is not the same.

    >>> float(tenth(jnp.float32(8.200001))) == float(np.float32(8.200001) / np.float32(10))
    True
    """
    first = x * 0.1
    left = (x - 8.0 * first) - 2.0 * first  # exact, for these numbers differ by less than a half
    return first + left * 0.1


def images(
    field: Field, board: Float[Array, " C"], units: Units, which: slice
) -> Float[Array, "K 13 13 5"]:
    """The five channels of the board around some units: walls, own units, their health, enemy
    units, their health; the dead see nothing.

    Every number is read and worked out by itself, in one flat row: learners are shown rows, and
    from rows of cells compilers make them at half the speed.
    """
    reach = np.arange(-RADIUS, RADIUS + 1, dtype=np.int32)
    around = np.repeat(reach[:, None] * field.stride + reach, len(LOW))
    there = board.at[units.cell[which, None] + around].get(mode="promise_in_bounds")
    sign, alive = signs(units)[which, None], units.alive[which, None]
    x = jnp.where(there > 2.0, there, there * sign)
    low, high, constant, factor = (np.tile(each, SIDE**2) for each in (LOW, HIGH, CONSTANT, FACTOR))
    within = (low < x) & (x < high) & np.repeat(SEEN, len(LOW)) & alive
    return jnp.where(within, constant + factor * x, 0.0).reshape(-1, SIDE, SIDE, len(LOW))


def look(
    field: Field,
    units: Units,
    which: slice,
    minimap: bool = False,
    last: tuple[Int[Array, " M"], Float[Array, " M"]] | None = None,
) -> View:
    """Views of some units of one army or both, `[K, 13, 13, C]` with C from 5 to 31.

    minimap: insert both armies' densities behind the channels of each, and append the place.
    last:    the last action and reward of every unit, to append.
    """
    view = images(field, chart(field, units), units, which)
    if minimap:
        maps = minimaps(field, units, which)
        view = jnp.concatenate([view[..., :3], maps[..., :1], view[..., 3:], maps[..., 1:]], -1)
    more = [_told(*(x[which] for x in last))] if last is not None else []
    more += [_place(field, units, which)] if minimap else []
    planes = [jnp.broadcast_to(x[:, None, None], (*view.shape[:3], x.shape[-1])) for x in more]
    return jnp.concatenate([view, *planes], axis=-1) if planes else view


def minimaps(field: Field, units: Units, which: slice) -> Float[Array, "K 13 13 2"]:
    """The share of the own army, and of the enemy's, in each of 13 x 13 squares of the field, and 1
    more in both where the unit is."""
    x, y = (place // -(-field.size // SIDE) for place in field.place(units.cell))
    half = len(units.cell) // 2
    cell = jnp.where(units.alive, (signs(units) < 0) * SIDE**2 + y * SIDE + x, 2 * SIDE**2)
    counts = jnp.zeros(2 * SIDE**2).at[cell].add(1.0, mode="drop").reshape(2, SIDE, SIDE)
    alive = jnp.sum(units.alive.reshape(2, half), axis=1)
    share = counts / jnp.maximum(alive, 1)[:, None, None]
    maps = jnp.stack([jnp.moveaxis(share, 0, -1), jnp.moveaxis(share[::-1], 0, -1)])
    mine = jax.nn.one_hot(y[which] * SIDE + x[which], SIDE**2).reshape(-1, SIDE, SIDE, 1)
    return maps[(signs(units)[which] < 0).astype(int)] + mine


def _told(action: Int[Array, " K"], reward: Float[Array, " K"]) -> Float[Array, "K F"]:
    """The last action, one-hot and zeros at the start, and the last reward."""
    return jnp.concatenate([jax.nn.one_hot(action, ACTIONS), reward[:, None]], axis=-1)


def _place(field: Field, units: Units, which: slice) -> Float[Array, "K 2"]:
    """The column and the row, as shares of the size."""
    x, y = field.place(units.cell[which])
    return jnp.stack([x, y], axis=-1) / field.size
