"""Several repetitions as one batch: for learners whose steps are mostly overhead."""

import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import PyTree


def side_by_side(
    work: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    items: list[PyTree],
    worlds: list[PyTree],
) -> tuple[list[PyTree], list[PyTree]]:
    """Do `work` for each of `items`, as one batch if there are several.

    worlds: one for each of `items`, or a single one that they share.

    >>> side_by_side(lambda x, w: (x + w, -x), [jnp.ones(()), jnp.zeros(())], [jnp.ones(())])[0]
    [Array(2., dtype=float32), Array(1., dtype=float32)]
    """
    if len(items) == 1:
        result, said = work(items[0], worlds[0])
        return [result], [said]
    shared = len(worlds) == 1
    world = worlds[0] if shared else _stacked(worlds)
    results, said = jax.vmap(work, (0, None if shared else 0))(_stacked(items), world)
    return _apart(results, len(items)), _apart(said, len(items))


def _stacked(trees: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _apart(tree: PyTree, count: int) -> list[PyTree]:
    return [jax.tree.map(operator.itemgetter(i), tree) for i in range(count)]
