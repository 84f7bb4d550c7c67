"""Actions of `ParallelEnv`s as numbers: one integer, or a vector within bounds.

An agent that makes several choices at once (`MultiDiscrete`, `MultiBinary`) has one action for each
combination of them, so that every method of numbered actions can play it.
"""

import math
from typing import Any

import numpy as np

from coterie.errors import EnvError, require

MOST = 4096
"""Largest number of combinations of choices that one agent may have."""


def choices(space: Any) -> np.ndarray:
    """Return the number of actions of each choice that an action in a numbered space makes.

    >>> from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete
    >>> [choices(s).tolist() for s in (Discrete(3), MultiDiscrete([3, 2]), MultiBinary(2))]
    [[3], [3, 2], [2, 2]]
    """
    from gymnasium import spaces

    if isinstance(space, spaces.MultiBinary):
        return np.full(math.prod(space.shape), 2)
    return np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)


def count(agent: Any, space: Any) -> int:
    """Number of actions in a numbered space, of numbers in one of a Box."""
    if not hasattr(space, "n") and not hasattr(space, "nvec"):
        return math.prod(space.shape)
    each = choices(space)
    number = math.prod(map(int, each))
    require(
        len(each) == 1 or number <= MOST,
        f"agent {agent!r} acts by {space}, which has {number:,} combinations, and each is an "
        f"action: {MOST:,} are possible; offer fewer choices in a factory of your own.",
        EnvError,
    )
    return number


def decode(space: Any, number: int) -> Any:
    """The action with that number, as its space has it.

    >>> from gymnasium.spaces import Discrete, MultiDiscrete
    >>> decode(Discrete(3, start=1), 2), decode(MultiDiscrete([3, 2], start=[1, 0]), 3)
    (3, array([2, 1]))
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return number + int(space.start)
    made = np.array(np.unravel_index(number, choices(space))).reshape(space.shape)
    return (made + getattr(space, "start", 0)).astype(space.dtype)


def joint_mask(space: Any, given: Any) -> np.ndarray:
    """A mask with an entry for each action; one of several choices is a tuple of masks.

    >>> from gymnasium.spaces import MultiDiscrete
    >>> joint_mask(MultiDiscrete([2, 2]), ([1, 0], [1, 1])).tolist()
    [True, True, False, False]
    """
    several = isinstance(given, tuple) and len(choices(space)) > 1
    mask = np.ones(1, np.bool_)
    for part in given if several else (given,):
        mask = np.logical_and.outer(mask, np.asarray(part, np.bool_))
    return mask.reshape(-1) if several else mask[0]


def any_action(space: Any, mask: Any) -> Any:
    """An action that the mask allows: the first one, or the middle of a Box."""
    if not hasattr(space, "n") and not hasattr(space, "nvec"):
        return ((space.low + space.high) / 2).astype(space.dtype)
    return decode(space, 0 if mask is None else int(np.argmax(joint_mask(space, mask))))


def bounds(agent: Any, space: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest value of each number of an action; nothing where actions are numbered."""
    if _numbered(agent, space):
        return (), ()
    low, high = space.low.ravel(), space.high.ravel()
    require(
        low.size > 0 and bool(np.isfinite(low).all() and np.isfinite(high).all()),
        f"agent {agent!r} acts by {space}, which has no numbers, or none within bounds: "
        "give the Box a finite low and high (gymnasium's RescaleAction shows how).",
        EnvError,
    )
    return tuple(map(float, low)), tuple(map(float, high))


def _numbered(agent: Any, space: Any) -> bool:
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        return True
    usable = isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating)
    require(
        usable,
        f"agent {agent!r} acts by {space}, which is neither Discrete, MultiDiscrete, MultiBinary "
        "nor a Box of floats: change it in a factory of your own.",
        EnvError,
    )
    return False
