"""Lift from one agent's function to the whole team's: the only place that maps over agents."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, PyTree

from coterie.errors import require
from coterie.network.network import AGENTS, DEVICES

FEW = 16
"""Agents whose arrays are to be in a processor's cache at the same time."""


def lift(function: Callable[..., Any], mesh: Mesh | None = None) -> Callable[..., Any]:
    """The team's version of one agent's `function`: all arguments and results get an agent axis.

    With a `mesh` (see `agent_mesh`) the agents are split evenly over its devices; the result is
    the same. A `Network` passed to the lifted function must have been made for as many devices.

    >>> import jax.numpy as jnp
    >>> lift(lambda mine: 2 * mine)(jnp.array([1, 2, 3])).tolist()
    [2, 4, 6]
    """
    mapped = jax.vmap(function, axis_name=AGENTS)
    if mesh is None:
        return mapped
    split = PartitionSpec(DEVICES)
    # The varying-axes check knows nothing of an inner mapped axis and refuses the two-step gather.
    return jax.shard_map(mapped, mesh=mesh, in_specs=split, out_specs=split, check_vma=False)


def chunked(function: Callable[..., Any], few: int | None = None) -> Callable[..., Any]:
    """Wrap one agent's `function` so that, lifted, it is computed for `few` agents at a time.

    A lifted function is computed array by array, everybody's part at once, and a large team's
    arrays do not fit a processor's cache. `function` may neither talk nor be differentiated, and
    all that differs between agents has to be among its arguments. Accelerators get the whole team
    at once.

    few: `FEW` by default.

    >>> import jax.numpy as jnp
    >>> lift(chunked(lambda mine: 2 * mine))(jnp.array([1, 2, 3])).tolist()
    [2, 4, 6]
    """
    if jax.default_backend() != "cpu":
        return function
    one = jax.custom_batching.custom_vmap(function)

    @one.def_vmap
    def mapped(agents: int, differs: Sequence[PyTree], *values: PyTree) -> tuple[PyTree, PyTree]:
        # What does not depend on any argument comes as NumPy's.
        mine, common = eqx.partition(jax.tree.map(jnp.asarray, values), tuple(differs))
        batch = None if few == 1 else few or FEW  # XLA takes twice as long for a batch of one
        told = jax.lax.map(lambda own: function(*eqx.combine(own, common)), mine, batch_size=batch)
        return told, jax.tree.map(lambda _: True, told)

    return one


def agent_mesh(agents: int, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh that splits `agents` evenly over `devices` (JAX devices; all of them if not given)."""
    chosen = list(devices or jax.devices())
    require(
        agents % len(chosen) == 0,
        f"{agents} agents cannot be split evenly over {len(chosen)} devices: "
        "use a number of devices that divides them.",
    )
    return jax.make_mesh((len(chosen),), (DEVICES,), axis_types=(AxisType.Auto,), devices=chosen)


def stack(agents: Sequence[PyTree]) -> PyTree:
    """Agents side by side on a new leading axis; smaller arrays are padded with zeros at the end.

    >>> import jax.numpy as jnp
    >>> stack([jnp.ones(1), jnp.ones(2)]).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return joined([jax.tree.map(lambda x: jnp.asarray(x)[None], agent) for agent in agents])


def joined(groups: Sequence[PyTree]) -> PyTree:
    """Stacked agents as one group, in order; smaller arrays are padded with zeros at the end.

    >>> import jax.numpy as jnp
    >>> joined([jnp.ones((2, 1)), jnp.ones((1, 2))]).tolist()
    [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    return jax.tree.map(_join_padded, *groups)


def unstack(team: PyTree, index: int, like: PyTree) -> PyTree:
    """Agent `index` of a stacked team, cut back to the shapes of `like`."""
    return jax.tree.map(lambda x, y: x[index][tuple(slice(n) for n in y.shape)], team, like)


def _join_padded(*groups: Array) -> Array:
    sizes = zip(*(group.shape[1:] for group in groups), strict=True)
    shape = tuple(max(each) for each in sizes)

    def pad(group: Array) -> Array:
        if group.shape[1:] == shape:
            return group
        room = [(0, want - have) for want, have in zip(shape, group.shape[1:], strict=True)]
        return jnp.pad(group, [(0, 0), *room])

    return jnp.concatenate([pad(group) for group in groups])
