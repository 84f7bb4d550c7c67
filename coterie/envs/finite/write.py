"""Write numbers that are worked out one by one into a table: in place, a piece at a time."""

from collections.abc import Callable

import numpy as np

PIECE = 2**20
"""How many numbers are made at a time."""

Piece = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The rows of a table `[K, width]` for the states `[K]` and joint actions `[K]`."""


def filled(piece: Piece, states: int, joint: int, width: int, kind: type) -> np.ndarray:
    """The rows for every state and joint action, `[M J, width]`.

    >>> filled(lambda s, a: 10 * s[:, None] + a[:, None], 2, 3, 1, np.int32)[:, 0].tolist()
    [0, 1, 2, 10, 11, 12]
    """
    table = np.empty((states * joint, width), kind)
    length = min(max(1, PIECE // width), len(table))
    for first in range(0, len(table), length):
        # The last piece is as long as the others, so that one compilation serves all.
        index = np.minimum(np.arange(first, first + length), len(table) - 1)
        part = table[first : first + length]
        part[:] = piece(*(x.astype(np.int32) for x in np.divmod(index, joint)))[: len(part)]
    return table
