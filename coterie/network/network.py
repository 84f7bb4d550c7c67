"""A graph in use, seen from one agent: the only way anything leaves or enters an agent."""

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from coterie.errors import ConfigError
from coterie.graph import Graph

AGENTS = "agents"
DEVICES = "devices"


class Traffic(NamedTuple):
    """What one agent has sent of one payload: rounds of exchange, and bytes over all its links."""

    rounds: Int[Array, ""]
    bytes: Int[Array, ""]


class Heard(NamedTuple):
    """What the neighbours sent: values `[K, ...]` and which of the `K` places hold one, `[K]`."""

    values: PyTree
    mask: Bool[Array, " K"]


class Network(eqx.Module):
    """One agent's end of the network; `K` is the largest degree in the graph.

    Every exchange names its payload and returns the network with the exchange counted, so that
    counts are right inside `scan`, too: pass the network on as you pass on a key.

    index:      which agent this is.
    neighbour, weight, linked: its neighbours' indices, weights, and which places are real, `[K]`.
    traffic:    rounds and bytes per payload since the counters were last cleared.
    """

    index: Int[Array, ""]
    neighbour: Int[Array, " K"]
    weight: Float[Array, " K"]
    linked: Bool[Array, " K"]
    traffic: dict[str, Traffic]
    size: int = eqx.field(static=True)
    axes: tuple[str, ...] = eqx.field(static=True)

    @property
    def degree(self) -> Int[Array, ""]:
        """How many neighbours this agent has."""
        return jnp.sum(self.linked)

    def mix(self, value: PyTree, payload: str) -> tuple[PyTree, "Network"]:
        """The weighted average of `value` over this agent and its neighbours.

        `x_i + sum_j w_ij (x_j - x_i)` over the neighbours `j` that are heard, so that the weight
        of one that is not goes to the agent's own value. No gradient flows through a message.
        """
        for leaf in jax.tree.leaves(value):
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                raise ConfigError(
                    f"payload {payload!r} holds {leaf.dtype} numbers, which have no average of "
                    "their own kind: mix floating-point numbers, or use `neighbours`."
                )
        heard, network = self.neighbours(value, payload)

        def average(own: Array, others: Array) -> Array:
            present = _like(heard.mask, others)
            differences = jnp.where(present, others - own, 0)
            return own + jnp.tensordot(self.weight, differences, axes=1).astype(own.dtype)

        return jax.tree.map(average, value, heard.values), network

    def neighbours(self, value: PyTree, payload: str) -> tuple[Heard, "Network"]:
        """Send `value` to every neighbour and hear theirs."""
        value = jax.lax.stop_gradient(value)
        heard = jax.tree.map(lambda x: self._gather(x)[self.neighbour], value)
        return Heard(heard, self.linked), self._count(value, payload)

    def cleared(self) -> "Network":
        """The same network with its counters at zero."""
        zero = jax.tree.map(jnp.zeros_like, self.traffic)
        return dataclasses.replace(self, traffic=zero)

    def _gather(self, value: Array) -> Array:
        """Every agent's value, `[N, ...]`: local agents first, then all devices' blocks."""
        gathered = jax.lax.all_gather(value, self.axes[0])
        for axis in self.axes[1:]:
            gathered = jax.lax.all_gather(gathered, axis, tiled=True)
        return gathered

    def _count(self, value: PyTree, payload: str) -> "Network":
        if payload not in self.traffic:
            raise ConfigError(
                f"payload {payload!r} is sent but not declared; declared: {list(self.traffic)}. "
                "Add it to the algorithm's Information(sends=...)."
            )
        weight = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(value))
        before = self.traffic[payload]
        sent = Traffic(before.rounds + 1, before.bytes + weight * self.degree)
        return dataclasses.replace(self, traffic={**self.traffic, payload: sent})


def networks(graph: Graph, payloads: tuple[str, ...] = (), devices: int = 1) -> Network:
    """Every agent's end of the network over `graph`, stacked on a leading agent axis.

    payloads: the names that may be sent.
    devices:  over how many devices the agents will be split (see `lift`).
    """
    places = max(int(graph.degrees.max()), 1)
    neighbour = np.tile(np.arange(graph.size)[:, None], (1, places))
    linked = np.zeros((graph.size, places), bool)
    for agent in range(graph.size):
        found = np.flatnonzero(graph.adjacency[agent])
        neighbour[agent, : found.size] = found
        linked[agent, : found.size] = True
    weight = np.where(linked, np.take_along_axis(graph.weights, neighbour, axis=1), 0.0)

    def one(index: Array, neighbour: Array, weight: Array, linked: Array) -> Network:
        nothing = Traffic(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))
        return Network(
            index,
            neighbour,
            weight,
            linked,
            traffic=dict.fromkeys(payloads, nothing),
            size=graph.size,
            axes=(AGENTS,) if devices == 1 else (AGENTS, DEVICES),
        )

    return jax.vmap(one)(
        jnp.arange(graph.size),
        jnp.asarray(neighbour, jnp.int32),
        jnp.asarray(weight, jnp.float32),
        jnp.asarray(linked),
    )


def _like(mask: Bool[Array, " K"], values: Array) -> Bool[Array, " K *ones"]:
    return mask.reshape(mask.shape + (1,) * (values.ndim - 1))
