"""Environments of libraries that are written in JAX: how they are found, made and stacked.

These libraries give each agent's arrays under its name, or in a tree of several arrays; a `JaxEnv`
stacks them on a leading agent axis.
"""

import contextlib
import functools
import importlib
import io
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from coterie.envs.host.factory import called, describe
from coterie.errors import EnvError, brief, nearest, require
from coterie.internal.extras import install
from coterie.types import Box

Shape = int | tuple[int, ...]

SHOWN = 20
"""Most names that an error lists."""
STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")


def load(library: str, extra: str) -> ModuleType:
    """Import a library; `EnvError` with the command that installs it, if it is not there.

    Some of them print while they are imported, and keep arrays, which no trace may own.
    """
    with _quietly(), jax.ensure_compile_time_eval():
        try:
            return importlib.import_module(library)
        except ModuleNotFoundError as error:
            raise EnvError(
                f"{extra}:... needs {error.name}, which is not installed: {install(extra)}."
            ) from None
        except Exception as error:
            raise EnvError(f"importing {library} failed: {describe(error)}.") from error


def make(function: Callable[..., Any], name: str, options: Mapping[str, Any]) -> Any:
    """Call a library's function that makes the environment of a name, outside of any trace."""
    with _quietly(), jax.ensure_compile_time_eval():
        return called(name, functools.partial(function, name), options)


def unknown(library: str, kind: str, name: str, known: Collection[str]) -> EnvError:
    """The error for a name that a library does not know, with the nearest ones.

    >>> print(unknown("JaxMARL", "environment", "SMAXX", ["SMAX", "hanabi"]))
    JaxMARL has no environment 'SMAXX': did you mean 'SMAX'?
    """
    some = ", ".join(sorted(known)[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
    hint = nearest(name, known) or f"it has {some}."
    return EnvError(f"{library} has no {kind} {brief(repr(name))}: {hint}")


def seen_shapes(observations: Sequence[PyTree]) -> list[Shape]:
    """Shapes of what the agents see: of an image if all see one of one shape, else a length.

    >>> seen_shapes([{"goal": np.zeros(2), "grid": np.zeros((3, 3))}, np.zeros(4)])
    [11, 4]
    >>> seen_shapes([np.zeros((7, 7, 3))] * 2)
    [(7, 7, 3), (7, 7, 3)]
    """
    if _are_images(observations):
        return [jax.tree.leaves(each)[0].shape for each in observations]
    return [sum(leaf.size for leaf in jax.tree.leaves(each)) for each in observations]


def stacked(observations: Sequence[PyTree]) -> Float[Array, "N ..."]:
    """Stack what the agents see: images of one shape as they are, all else flat, with zeros behind
    what is shorter."""
    if _are_images(observations):
        return jnp.stack([jax.tree.leaves(each)[0] for each in observations]).astype(jnp.float32)
    return _rows([jnp.concatenate(_flat(each)) for each in observations], jnp.float32)


def masks(given: Sequence[Array], sizes: Sequence[int]) -> Bool[Array, "N A"]:
    """Stack the possible actions; where an agent has none, because it is out, all its own are."""
    own = [jnp.ravel(mask)[:size] != 0 for mask, size in zip(given, sizes, strict=True)]
    return _rows([mask | ~jnp.any(mask) for mask in own], jnp.bool_)


def whole(sizes: Sequence[int]) -> Bool[Array, "N A"] | None:
    """Action masks of agents that may always do everything; `None` if they do not differ."""
    if len(set(sizes)) == 1:
        return None
    return jnp.arange(max(sizes)) < jnp.array(sizes)[:, None]


def box(agent: str, shape: tuple[int, ...], low: Any, high: Any) -> Box:
    """The space of actions that are arrays of a shape between `low` and `high`; `EnvError` if there
    are no bounds."""
    ends = [np.broadcast_to(np.asarray(end, np.float64), shape).ravel() for end in (low, high)]
    require(
        all(np.isfinite(end).all() for end in ends),
        f"agent {agent!r} acts by numbers from {low} to {high}, which are no bounds.",
        EnvError,
    )
    return Box(len(ends[0]), *(tuple(map(float, end)) for end in ends))


def numbers(told: Mapping[str, Any], agents: Sequence[str]) -> dict[str, Array]:
    """The entries of an `info` that are one number, or one for each agent, for the log."""
    found = {name: _by_agent(value, agents) for name, value in told.items()}
    shapes = ((), (len(agents),))
    return {
        name: jnp.asarray(value, jnp.float32)
        for name, value in found.items()
        if isinstance(value, jax.Array | np.ndarray | float | int) and np.shape(value) in shapes
    }


def attribute(value: Any, *names: str) -> Any:
    """The first of some attributes that a value has; `None` if there is none."""
    return next((getattr(value, n) for n in names if getattr(value, n, None) is not None), None)


def _by_agent(value: Any, agents: Sequence[str]) -> Any:
    if isinstance(value, Mapping) and set(value) == set(agents):
        return jnp.stack([jnp.asarray(value[agent]) for agent in agents])
    return value


def limit_passed(limit: int | None, steps: Any) -> Bool[Array, ""]:
    """True once as many steps have passed as an environment has at most, if it tells both."""
    if limit is None or steps is None:
        return jnp.array(False)
    return jnp.ravel(steps)[0] >= limit


def _are_images(observations: Sequence[PyTree]) -> bool:
    leaves = [jax.tree.leaves(each) for each in observations]
    shapes = {leaf.shape for each in leaves for leaf in each}
    return all(len(each) == 1 for each in leaves) and [len(s) for s in shapes] == [3]


def _flat(observation: PyTree) -> list[Array]:
    return [jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(observation)]


def _rows(arrays: Iterable[Array], kind: Any) -> Array:
    """Stack vectors, filled up with zeros."""
    rows = list(arrays)
    widest = max(len(row) for row in rows)
    return jnp.stack([jnp.pad(row, (0, widest - len(row))) for row in rows]).astype(kind)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """A context without output, which is for answers; afterwards all streams are as they were.

    JaxMARL prints while it is imported, after it has set `sys.stdout` back to `sys.__stdout__`.
    """
    kept = {name: getattr(sys, name) for name in STREAMS}
    for name in STREAMS:
        setattr(sys, name, io.StringIO())
    try:
        yield
    finally:
        for name, stream in kept.items():
            setattr(sys, name, stream)
