"""Whole numbers of 64 bits in compiled programs, which have 32: two halves and a carry."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

LOW = np.uint32(0xFFFF)


class Count(NamedTuple):
    """A whole number from 0 to `2^64 - 1`, or an array of them, as `high * 2^32 + low`.

    >>> far = Count.of(2**32 - 1)
    >>> int(far.plus(Count.of(2)).whole())
    4294967297
    """

    high: UInt32[Array, "*shape"]
    low: UInt32[Array, "*shape"]

    @staticmethod
    def of(number: Any) -> "Count":
        """Split a known number, or an array of known numbers, into its halves."""
        whole = np.asarray(number, np.int64).astype(np.uint64)
        return Count(
            jnp.asarray((whole >> np.uint64(32)).astype(np.uint32)),
            jnp.asarray((whole & np.uint64(2**32 - 1)).astype(np.uint32)),
        )

    def plus(self, other: "Count") -> "Count":
        """Add another number, of a shape that broadcasts."""
        low = jnp.asarray(self.low) + other.low
        return Count(self.high + other.high + (low < other.low).astype(jnp.uint32), low)

    def next(self) -> "Count":
        """The number after it."""
        return self.plus(Count.of(1))

    def where(self, mask: Bool[Array, "*shape"]) -> "Count":
        """Keep the number where the mask is True, 0 elsewhere."""
        return Count(jnp.where(mask, self.high, 0), jnp.where(mask, self.low, 0))

    def sum(self, axis: int) -> "Count":
        """Add up at most 65,536 numbers along an axis."""
        low = jnp.asarray(self.low)
        first = jnp.sum(low & LOW, axis=axis)
        second = jnp.sum(low >> 16, axis=axis) + (first >> 16)
        high = jnp.sum(jnp.asarray(self.high), axis=axis) + (second >> 16)
        return Count(high, (second << 16) | (first & LOW))

    def __mod__(self, divisor: int) -> Int[Array, "*shape"]:
        """The rest of a division by a number below 2^31.

        >>> int(Count.of(2**40 + 5) % 7) == (2**40 + 5) % 7
        True
        """
        rest = jnp.asarray(self.high) % divisor
        if divisor <= 2**16:
            rest = rest * (2**32 % divisor)
        else:
            for _ in range(32):
                rest = (rest + rest) % divisor
        return ((rest % divisor + jnp.asarray(self.low) % divisor) % divisor).astype(jnp.int32)

    def between(self, first: int, last: int) -> Bool[Array, "*shape"]:
        """True if it is at least `first` and below `last`, both below 2^32."""
        low = jnp.asarray(self.low)
        inside = (low >= np.uint32(first)) & (low < np.uint32(last))
        return (jnp.asarray(self.high) == 0) & inside

    def real(self) -> Float[Array, "*shape"]:
        """The number in floating point, to seven digits."""
        return jnp.asarray(self.high, jnp.float32) * 2.0**32 + jnp.asarray(self.low, jnp.float32)

    def whole(self) -> np.ndarray:
        """The number on the host, as integers of 64 bits; no part of a compiled program."""
        high, low = (np.asarray(part).astype(np.int64) for part in self)
        return np.asarray((high << 32) | low)
