"""Encodings of an environment's own spaces: what it shows as numbers, and numbers as its actions.

An encoding is a small value that a policy file stores; neither JAX nor Gymnasium is imported here.
Each kind stands for a kind of Gymnasium's spaces, and its numbers are in the order of
`gymnasium.spaces.flatten`. `encode` raises `ValueError` with the place of what does not fit.
"""

import abc
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MASK = "action_mask"
"""The key under which PettingZoo's environments give the possible actions."""

Key = str | int


class Encoding(abc.ABC):
    """Base of the kinds of encodings."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Length of an encoded value."""

    @abc.abstractmethod
    def encode(self, value: Any, where: str) -> np.ndarray:
        """Encode what an environment shows as numbers `[size]`; `where` names it in errors."""

    @abc.abstractmethod
    def place(self, index: int) -> str:
        """The place of one of the numbers in what the environment shows, as `['goal'][2]`."""


@dataclass(frozen=True)
class Numbers(Encoding):
    """An array of numbers: a Box, or what a MultiBinary space shows.

    dtype:     of an action.
    low, high: the bounds of each number of an action, flat.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def encode(self, value: Any, where: str) -> np.ndarray:
        array = _array(value, where)
        if array.shape != self.shape:
            raise ValueError(f"{where} has shape {array.shape}, not {self.shape}")
        return array.ravel()

    def place(self, index: int) -> str:
        return "".join(f"[{i}]" for i in np.unravel_index(index, self.shape))

    @property
    def actions(self) -> int:
        """Number of numbers in an action."""
        return self.size

    def decode(self, action: Any) -> np.ndarray:
        """An array of its shape and type, cut to the bounds.

        >>> Numbers((1, 2), "float32", (0.0, 0.0), (1.0, 1.0)).decode(np.array([0.5, 9.0])).tolist()
        [[0.5, 1.0]]
        """
        return np.clip(action, self.low, self.high).reshape(self.shape).astype(self.dtype)


@dataclass(frozen=True)
class Bytes(Encoding):
    """An array of bytes, such as an image: numbers from 0 to 1 for those from 0 to 255."""

    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def encode(self, value: Any, where: str) -> np.ndarray:
        """Shares of the largest byte.

        >>> Bytes((2,)).encode([0, 51], "it").round(3).tolist()
        [0.0, 0.20000000298023224]
        """
        return Numbers(self.shape).encode(value, where) / np.float32(255)

    def place(self, index: int) -> str:
        return Numbers(self.shape).place(index)


@dataclass(frozen=True)
class Choice(Encoding):
    """One of `count` numbers from `start` on: a Discrete space."""

    count: int
    start: int = 0

    @property
    def size(self) -> int:
        return self.count

    def encode(self, value: Any, where: str) -> np.ndarray:
        """A vector of zeros and a one.

        >>> Choice(3, start=1).encode(2, "it").tolist()
        [0.0, 1.0, 0.0]
        """
        number = _array(value, where)
        if number.size != 1 or number.item() - self.start not in range(self.count):
            raise ValueError(
                f"{where} is {value!r}, not one of the numbers {self.start} to "
                f"{self.start + self.count - 1}"
            )
        return one_hot(int(number.item()) - self.start, self.count)

    def place(self, index: int) -> str:
        return ""

    @property
    def actions(self) -> int:
        """Number of actions."""
        return self.count

    def decode(self, action: Any) -> int:
        """The number of an action.

        >>> Choice(3, start=1).decode(2)
        3
        """
        return int(action) + self.start

    def mask(self, given: Any) -> np.ndarray:
        """An environment's mask as truth values, one for each action."""
        return np.asarray(given).astype(bool)


@dataclass(frozen=True)
class Choices(Encoding):
    """Several choices in an array: a MultiDiscrete space, its counts and starts flat; also the
    actions of a MultiBinary space.

    To learners each combination of choices is an action, so that every method of numbered actions
    can play it.
    """

    shape: tuple[int, ...]
    counts: tuple[int, ...]
    starts: tuple[int, ...]
    dtype: str = "int64"

    @property
    def size(self) -> int:
        return sum(self.counts)

    def encode(self, value: Any, where: str) -> np.ndarray:
        array = _array(value, where)
        if array.shape != self.shape:
            raise ValueError(f"{where} has shape {array.shape}, not {self.shape}")
        each = zip(array.ravel().tolist(), self.counts, self.starts, strict=True)
        return _joined(
            Choice(count, start).encode(number, f"{where}{Numbers(self.shape).place(i)}")
            for i, (number, count, start) in enumerate(each)
        )

    def place(self, index: int) -> str:
        ends = np.cumsum(self.counts)
        return Numbers(self.shape).place(int(np.searchsorted(ends, index, side="right")))

    @property
    def actions(self) -> int:
        """Number of combinations."""
        return math.prod(self.counts)

    def decode(self, action: Any) -> np.ndarray:
        """The choices of a combination's number, in an array of its shape and type.

        >>> Choices((2,), (3, 2), (1, 0)).decode(4).tolist()
        [3, 0]
        """
        chosen = np.array(np.unravel_index(int(action), self.counts))
        return (chosen + self.starts).reshape(self.shape).astype(self.dtype)

    def mask(self, given: Any) -> np.ndarray:
        """An environment's mask as truth values, one for each combination; it gives these, or a
        tuple with a mask for each choice.

        >>> Choices((2,), (2, 2), (0, 0)).mask(([1, 0], [1, 1])).tolist()
        [True, True, False, False]
        """
        if not isinstance(given, tuple) or len(given) != len(self.counts):
            return np.asarray(given).astype(bool)
        both = np.ones(1, bool)
        for part in given:
            both = np.logical_and.outer(both, np.asarray(part).astype(bool))
        return both.ravel()


@dataclass(frozen=True)
class Fields(Encoding):
    """Parts by their keys: a Dict space, without its action mask."""

    keys: tuple[Key, ...]
    parts: tuple[Encoding, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def encode(self, value: Any, where: str) -> np.ndarray:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} is {type(value).__name__}, not a dict of {self._keys}")
        missing = [key for key in self.keys if key not in value]
        if missing:
            raise ValueError(f"{where} has no {missing[0]!r}; it needs {self._keys}")
        pairs = zip(self.keys, self.parts, strict=True)
        return _joined(part.encode(value[key], f"{where}[{key!r}]") for key, part in pairs)

    def place(self, index: int) -> str:
        return _place(index, self.keys, self.parts)

    @property
    def _keys(self) -> str:
        return ", ".join(map(repr, self.keys))


@dataclass(frozen=True)
class Row(Encoding):
    """Parts in order: a Tuple space."""

    parts: tuple[Encoding, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def encode(self, value: Any, where: str) -> np.ndarray:
        if not isinstance(value, tuple | list) or len(value) != len(self.parts):
            raise ValueError(f"{where} is {value!r}, not a tuple of {len(self.parts)}")
        pairs = enumerate(zip(self.parts, value, strict=True))
        return _joined(part.encode(each, f"{where}[{i}]") for i, (part, each) in pairs)

    def place(self, index: int) -> str:
        return _place(index, range(len(self.parts)), self.parts)


@dataclass(frozen=True)
class Letters(Encoding):
    """A text of at most `longest` letters out of some: a Text space. Numbers of the letters, then
    one beyond them for each letter that is not there."""

    longest: int
    letters: str

    @property
    def size(self) -> int:
        return self.longest

    def encode(self, value: Any, where: str) -> np.ndarray:
        fits = isinstance(value, str) and len(value) <= self.longest
        if not fits or not set(value) <= set(self.letters):
            raise ValueError(f"{where} is {value!r}, not at most {self.longest} known letters")
        numbers = np.full(self.longest, len(self.letters), np.float32)
        numbers[: len(value)] = [self.letters.index(letter) for letter in value]
        return numbers

    def place(self, index: int) -> str:
        return f"[{index}]"


@dataclass(frozen=True)
class Either(Encoding):
    """A value of one of several parts, after the part's number: a OneOf space."""

    parts: tuple[Encoding, ...]

    @property
    def size(self) -> int:
        return 1 + max(part.size for part in self.parts)

    def encode(self, value: Any, where: str) -> np.ndarray:
        paired = isinstance(value, tuple | list) and len(value) == 2
        if not paired or value[0] not in range(len(self.parts)):
            raise ValueError(f"{where} is {value!r}, not the number of a part and its value")
        mine = self.parts[int(value[0])].encode(value[1], f"{where}[1]")
        # Filled up as Gymnasium does it, with the first number.
        rest = np.full(self.size - 1 - mine.size, mine[0] if mine.size else 0.0, np.float32)
        return np.concatenate([np.array([value[0]], np.float32), mine, rest])

    def place(self, index: int) -> str:
        return "[0]" if index == 0 else "[1]"


ActionEncoding = Numbers | Choice | Choices
"""Encodings of actions: `decode` gives the environment's own from a learner's number, or numbers,
`actions` of them; `mask` reads which of the numbered ones are possible."""


def encoded(encoding: Encoding, value: Any, where: str = "observation") -> np.ndarray:
    """Encode what an environment shows as finite numbers `[size]`, float32.

    Raises `ValueError` that names the place of what does not fit, or is not finite.

    >>> goal = Fields(("goal", "me"), (Numbers((2,)), Choice(2)))
    >>> encoded(goal, {"goal": [0.5, 2.0], "me": 1}).tolist()
    [0.5, 2.0, 0.0, 1.0]
    >>> encoded(goal, {"goal": [0.5, float("nan")], "me": 1})
    Traceback (most recent call last):
    ValueError: observation['goal'][1] is nan
    """
    numbers = encoding.encode(value, where)
    finite = np.isfinite(numbers)
    if not finite.all():
        index = int(np.argmin(finite))
        raise ValueError(f"{where}{encoding.place(index)} is {numbers[index]}")
    return numbers


def one_hot(number: int, count: int) -> np.ndarray:
    """A vector of zeros with a one in place `number`."""
    vector = np.zeros(count, np.float32)
    vector[number] = 1.0
    return vector


def _array(value: Any, where: str) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # too large a number becomes infinite, which is named
            return np.asarray(value, np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"{where} is {value!r:.60}, which holds no numbers") from None


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _place(index: int, keys: Any, parts: tuple[Any, ...]) -> str:
    for key, part in zip(keys, parts, strict=True):
        if index < part.size:
            return f"[{key!r}]{part.place(index)}"
        index -= part.size
    raise IndexError(index)
