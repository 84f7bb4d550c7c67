"""Encodings of Gymnasium's spaces: of what agents observe, and of their actions."""

import math
from typing import Any

import numpy as np

from coterie.encoding import (
    MASK,
    ActionEncoding,
    Bytes,
    Choice,
    Choices,
    Either,
    Encoding,
    Fields,
    Letters,
    Numbers,
    Row,
)
from coterie.errors import EnvError, require

MOST = 4096
"""Largest number of combinations of choices that one agent may have."""


def observed(agent: Any, space: Any) -> Encoding:
    """Return the encoding of `agent`'s observations.

    A Dict with an `action_mask` is read as PettingZoo means it: the mask is not perceived.
    """
    require(
        space.is_np_flattenable,
        f"agent {agent!r} observes {space}, which is not a vector of fixed size: use a Box.",
        EnvError,
    )
    encoding = encoding_of(space)
    if isinstance(encoding, Fields) and MASK in encoding.keys:
        parts = {k: p for k, p in zip(encoding.keys, encoding.parts, strict=True) if k != MASK}
        return Fields(tuple(parts), tuple(parts.values()))
    return encoding


def encoding_of(space: Any) -> Encoding:
    """Return the encoding of what one of Gymnasium's spaces holds: arrays flattened, bytes from 0
    to 255 as numbers from 0 to 1, numbers of a choice one-hot."""
    from gymnasium import spaces

    match space:
        case spaces.Box():
            whole = space.dtype == np.uint8 and space.high.size > 0 and space.high.max() == 255
            return Bytes(space.shape) if whole else Numbers(space.shape, space.dtype.name)
        case spaces.MultiBinary():
            return Numbers(space.shape, space.dtype.name)
        case spaces.Discrete():
            return Choice(int(space.n), int(space.start))
        case spaces.MultiDiscrete():
            return _choices(space)
        case spaces.Text():
            return Letters(space.max_length, "".join(space.character_list))
        case spaces.Dict():
            return Fields(tuple(space.spaces), tuple(map(encoding_of, space.spaces.values())))
        case spaces.Tuple():
            return Row(tuple(map(encoding_of, space.spaces)))
        case spaces.OneOf():
            return Either(tuple(map(encoding_of, space.spaces)))
    raise EnvError(f"{space} is no space that Coterie knows: use a Box.")


def acted_by(agent: Any, space: Any) -> ActionEncoding:
    """Return the encoding of `agent`'s actions: an integer, or a vector within bounds.

    An agent that makes several choices at once (`MultiDiscrete`, `MultiBinary`) has one action for
    each combination of them.

    >>> from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete
    >>> [acted_by("a", s).actions for s in (Discrete(3), MultiDiscrete([3, 2]), MultiBinary(2))]
    [3, 6, 4]
    """
    from gymnasium import spaces

    match space:
        case spaces.Discrete():
            return Choice(int(space.n), int(space.start))
        case spaces.MultiDiscrete():
            return _few(agent, space, _choices(space))
        case spaces.MultiBinary():
            size = math.prod(space.shape)
            made = Choices(space.shape, (2,) * size, (0,) * size, space.dtype.name)
            return _few(agent, space, made)
        case spaces.Box() if np.issubdtype(space.dtype, np.floating):
            return _bounded(agent, space)
    raise EnvError(
        f"agent {agent!r} acts by {space}, which is neither Discrete, MultiDiscrete, MultiBinary "
        "nor a Box of floats: change it in a factory of your own."
    )


def _choices(space: Any) -> Choices:
    counts, starts = space.nvec.ravel().tolist(), space.start.ravel().tolist()
    return Choices(space.nvec.shape, tuple(counts), tuple(starts), space.dtype.name)


def _few(agent: Any, space: Any, made: Choices) -> Choices:
    """Refuse too many combinations."""
    require(
        made.actions <= MOST,
        f"agent {agent!r} acts by {space}, which has {made.actions:,} combinations, and each is an "
        f"action: {MOST:,} are possible; offer fewer choices in a factory of your own.",
        EnvError,
    )
    return made


def _bounded(agent: Any, space: Any) -> Numbers:
    """Refuse a Box without numbers, or without bounds."""
    low, high = space.low.ravel(), space.high.ravel()
    require(
        low.size > 0 and bool(np.isfinite(low).all() and np.isfinite(high).all()),
        f"agent {agent!r} acts by {space}, which has no numbers, or none within bounds: "
        "give the Box a finite low and high (gymnasium's RescaleAction shows how).",
        EnvError,
    )
    return Numbers(space.shape, space.dtype.name, tuple(low.tolist()), tuple(high.tolist()))
