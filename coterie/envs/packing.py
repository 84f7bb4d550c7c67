"""Trees of arrays as one array of 32-bit words, `[G, W]`.

What crosses between a compiled program and NumPy costs by the array, some 45 microseconds each, and
JAX knows no 64-bit numbers unless it is told to. Words carry everything, bit by bit.
"""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, UInt32

from coterie.errors import EnvError

Words = UInt32[np.ndarray, "_ _"]


class Packing:
    """Place of each array of a tree, `[G, ...]`, in the words of its copy.

    >>> packing = Packing.of({"far": np.zeros((1, 3)), "over": np.zeros((1, 2), bool)})
    >>> words = np.zeros((3, packing.width), np.uint32)
    >>> packing.pack({"far": np.eye(3), "over": np.ones((3, 2), bool)}, words)
    >>> words.shape, packing.unpack(words)["far"][1].tolist()
    ((3, 7), [0.0, 1.0, 0.0])
    """

    def __init__(self, like: PyTree):
        """Lay out arrays `like` these, which have no axis of copies."""
        leaves, self.structure = jax.tree.flatten(like)
        self.leaves = tuple(leaves)
        sizes = [-(-math.prod(leaf.shape) * leaf.dtype.itemsize // 4) for leaf in leaves]
        self.places = tuple(itertools.pairwise(itertools.accumulate(sizes, initial=0)))

    @staticmethod
    def of(tree: PyTree) -> "Packing":
        """Lay out arrays like those of a tree."""
        return Packing(jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), tree))

    @property
    def width(self) -> int:
        """Number of words of a copy."""
        return self.places[-1][1] if self.places else 0

    def pack(self, tree: PyTree, words: Words, what: str = "") -> None:
        """Write a tree of NumPy arrays into its `words`; `EnvError` if parts or shapes are others.

        what: what gave the tree, for errors.
        """
        values, structure = jax.tree.flatten(tree)
        if structure != self.structure:
            raise EnvError(f"{what} gives {self._difference(tree)}: give the same parts always.")
        for slot, leaf, value in zip(self._slots(words), self.leaves, values, strict=True):
            shape = (len(words), *leaf.shape)
            if np.shape(value) != shape:
                raise EnvError(
                    f"{what} gives {self._name(leaf)} of shape {np.shape(value)}, not {shape}: "
                    "the environments come first."
                )
            slot[...] = value.reshape(slot.shape)

    def unpack(self, words: Words) -> PyTree:
        """A tree of NumPy arrays from their words, which it shares."""
        arrays = [
            slot.reshape(len(words), *leaf.shape)
            for slot, leaf in zip(self._slots(words), self.leaves, strict=True)
        ]
        return jax.tree.unflatten(self.structure, arrays)

    def read(self, words: UInt32[Array, "G W"]) -> PyTree:
        """A tree of JAX arrays from their words; none of them may have 64 bits."""
        arrays = [
            _read(words[:, start:end], leaf)
            for (start, end), leaf in zip(self.places, self.leaves, strict=True)
        ]
        return jax.tree.unflatten(self.structure, arrays)

    def _slots(self, words: Words) -> list[np.ndarray]:
        """The words of each array, as its own numbers, `[G, numbers]`."""
        return [
            words[:, start:end].view(leaf.dtype)[:, : math.prod(leaf.shape)]
            for (start, end), leaf in zip(self.places, self.leaves, strict=True)
        ]

    def _name(self, leaf: Any) -> str:
        """Path of an array in the tree."""
        first = jax.tree.unflatten(self.structure, self.leaves)
        return next(path for path, found in leaves_by_path(first) if found is leaf)

    def _difference(self, tree: PyTree) -> str:
        """Parts that a tree has and this one has not, or the other way round."""
        first = jax.tree.unflatten(self.structure, self.leaves)
        before, now = ({path for path, _ in leaves_by_path(each)} for each in (first, tree))
        new = f"{', '.join(sorted(now - before))}, which was not there at first"
        gone = f"no {', '.join(sorted(before - now))}, which was there at first"
        return new if now - before else gone if before - now else "another kind of tree"


def leaves_by_path(tree: PyTree) -> list[tuple[str, Any]]:
    """The arrays of a tree, with their paths as text.

    >>> leaves_by_path({"x": 1, "y": (2, 3)})
    [("['x']", 1), ("['y'][0]", 2), ("['y'][1]", 3)]
    """
    found = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in found]


def _read(words: Array, leaf: Any) -> Array:
    if leaf.dtype == np.bool_:
        flags = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(len(words), -1)
        flat = flags[:, : math.prod(leaf.shape)] != 0
    else:
        flat = jax.lax.bitcast_convert_type(words, leaf.dtype)
    return flat.reshape(len(words), *leaf.shape)
