"""A graph in use, seen from one agent: the only way anything leaves or enters an agent."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.errors import ConfigError
from coterie.graph import Graph
from coterie.internal.count import Count
from coterie.network.channels import Channel
from coterie.network.link_schedule import LinkPlan, Seats, tries
from coterie.network.round import Round
from coterie.network.schedules import Schedule, Static, union
from coterie.network.wire import Tell, Wire, over_wire

AGENTS = "agents"
DEVICES = "devices"
COMMON = np.uint32(2**32 - 1)  # no round and no channel has this number


class Traffic(NamedTuple):
    """Counts of one agent's exchanges of one payload.

    rounds:  rounds of exchange.
    sent:    messages to each neighbour, `[K]`.
    carried: their bytes, `[K]`, counted in 64 bits.
    lost:    messages from each neighbour that were due and did not arrive, `[K]`.
    """

    rounds: Int[Array, "*N"]
    sent: Int[Array, "*N K"]
    carried: Count
    lost: Int[Array, "*N K"]

    @property
    def bytes(self) -> Int[np.ndarray, "*N"]:
        """Bytes sent, over all links; on the host."""
        return self.carried.whole().sum(axis=-1)


class Inbox(NamedTuple):
    """Result of one exchange.

    received: what the neighbours sent, `[K, ...]`.
    arrived: which of the `K` places hold a value, `[K]`.
    sent:   what this agent sent, which a channel may have changed.
    weight: what each neighbour's value weighs in an average, `[K]`.
    """

    received: PyTree
    arrived: Bool[Array, " K"]
    sent: PyTree
    weight: Float[Array, " K"]


class Network(eqx.Module):
    """One agent's end of the network; `K` is the largest number of neighbours anybody has.

    Every exchange names its payload and returns the network with the exchange counted, so that
    counts are right inside `scan`, too: pass the network on as you pass on a key.

    index:     which agent this is.
    neighbour: its neighbours' indices, `[K]`; its own where a place holds nobody.
    plan:      who is linked in which round, and with which weights.
    key:       a random key that everybody has.
    clock:     rounds of exchange since the run began.
    past:      what the channels keep of each payload.
    traffic:   what was exchanged per payload since the counters were last cleared.
    channels:  what can happen to messages, in this order.
    joint_observable: whether what everybody sees and does is known to all.
    wire:      what carries messages to other processes, where some of the team live; `None` if all
               live in this one.
    """

    index: Int[Array, ""]
    neighbor: Int[Array, " K"]
    plan: LinkPlan
    key: Key[Array, ""]
    clock: Count
    past: dict[str, tuple[PyTree, ...]]
    traffic: dict[str, Traffic]
    channels: tuple[Channel, ...] = eqx.field(static=True)
    size: int = eqx.field(static=True)
    axes: tuple[str, ...] = eqx.field(static=True)
    joint_observable: bool = eqx.field(static=True, default=False)
    wire: Wire | None = eqx.field(static=True, default=None)

    @property
    def degree(self) -> Int[Array, ""]:
        """Number of this agent's neighbours, over all rounds."""
        return jnp.sum(self.neighbor != self.index)

    @property
    def isolated(self) -> bool:
        """True if nothing may be sent, and nothing that others see or do is known."""
        return not self.traffic and not self.joint_observable

    @property
    def rounds_to_deliver(self) -> int:
        """Number of rounds until every neighbour has heard a value, all but surely.

        For certain where links take turns; with a probability of 99 % where chance rules. What is
        cut off for certain is not said again for that.
        """
        heard = math.prod(1.0 - channel.lost for channel in self.channels if channel.lost < 1.0)
        return self.plan.turns * tries(heard)

    def mix(self, value: PyTree, payload: str) -> tuple[PyTree, "Network"]:
        """The weighted average of `value` over this agent and its neighbours.

        `x_i + g sum_j c_ij (m_j - m_i)` over the neighbours `j` that are heard, with `m` what is
        said: the values themselves and `g = 1`, unless a channel changes them. So the weight of one
        that is not heard goes to the agent's own value, and symmetric weights keep the mean of all.
        No gradient flows through a message.
        """
        for leaf in jax.tree.leaves(value):
            if not jnp.issubdtype(leaf.dtype, jnp.inexact):
                raise ConfigError(
                    f"payload {payload!r} holds {leaf.dtype} numbers, which have no average of "
                    "their own kind: mix floating-point numbers, or use `neighbors`."
                )
        heard, network = self._exchange(value, payload)
        gain = 1.0
        if payload in self.past:
            for channel in self.channels:
                gain *= channel.gain

        def average(own: Array, said: Array, others: Array) -> Array:
            present = expand_mask(heard.arrived, others)
            differences = jnp.where(present, others - said, 0)
            change = jnp.tensordot(gain * heard.weight, differences, axes=1)
            return own + change.astype(own.dtype)

        return jax.tree.map(average, value, heard.sent, heard.received), network

    def gossip(self, value: PyTree, payload: str, rounds: int) -> tuple[PyTree, "Network"]:
        """`value` after so many rounds of `mix`: towards the mean of all agents."""

        def once(carry: tuple[PyTree, Network], _: None) -> tuple[tuple[PyTree, Network], None]:
            value, network = carry
            return network.mix(value, payload), None

        return jax.lax.scan(once, (value, self), None, length=rounds)[0]

    def neighbors(self, value: PyTree, payload: str) -> tuple[Inbox, "Network"]:
        """Send `value` to every neighbour and hear theirs."""
        return self._exchange(jax.lax.stop_gradient(value), payload)

    def gather_public(self, value: PyTree) -> PyTree:
        """Gather everybody's `value`, `[N, ...]`, which all know anyway: no message, not counted.

        Data that all know need not be stored once for each agent: each one stores its own part.
        """
        if not self.joint_observable:
            raise ConfigError(
                "what others saw or did is looked up but not declared: add it to the algorithm's "
                'Information(state="observations") or Information(actions="joint").'
            )
        tell = self.wire and self.wire.publish
        return self._told(jax.lax.stop_gradient(value), "public", tell)[0]

    def shared_key(self, number: Int[Array, ""]) -> Key[Array, ""]:
        """A random key that everybody has, another for each number: what all should draw alike."""
        return jax.random.fold_in(jax.random.fold_in(self.key, COMMON), number)

    def cleared(self) -> "Network":
        """Network with its counters at zero."""
        zero = jax.tree.map(jnp.zeros_like, self.traffic)
        return dataclasses.replace(self, traffic=zero)

    def _exchange(self, value: PyTree, payload: str) -> tuple[Inbox, "Network"]:
        """Run one round: every agent sends its value and receives the messages that arrive."""
        self._require_declared(payload)
        base = Round(self.key, self.clock, self.index, self.neighbor, self.size)
        turn, plan = self.plan.turn(base, lambda x: self._of_neighbors(x, f"{payload}:links")[0])
        kept = self.past.get(payload)
        lost, after = jnp.zeros_like(turn.hears), []
        weight = _weight(value)
        for place, channel in enumerate(self.channels):
            moment = base._replace(key=jax.random.fold_in(self.key, place + 1))
            past = None if kept is None else kept[place]
            lost = lost | channel.loses(moment, past)
            value, past = channel.says(value, () if past is None else past, moment.own)
            after.append(past)
            weight = channel.weighs(value, weight)
        values, came = self._of_neighbors(jax.lax.stop_gradient(value), payload)
        lost = lost | ~came
        before = self.traffic[payload]
        traffic = Traffic(
            before.rounds + 1,
            before.sent + turn.sends,
            before.carried.plus(Count.of(weight).where(turn.sends)),
            before.lost + (turn.hears & lost),
        )
        network = dataclasses.replace(
            self,
            plan=plan,
            clock=self.clock.next(),
            past=self.past if kept is None else {**self.past, payload: tuple(after)},
            traffic={**self.traffic, payload: traffic},
        )
        return Inbox(values, turn.hears & ~lost, value, turn.weight), network

    def _of_neighbors(self, value: PyTree, name: str) -> tuple[PyTree, Bool[Array, " K"]]:
        """Each neighbour's value, `[K, ...]`, and whose came."""
        told, came = self._told(value, name, self.wire and self.wire.exchange)
        return jax.tree.map(lambda x: x[self.neighbor], (told, came))

    def _told(
        self, value: PyTree, name: str, tell: Tell | None
    ) -> tuple[PyTree, Bool[Array, " N"]]:
        """Everybody's value, `[N, ...]`, and whose came: all within a process do."""
        here = jax.tree.map(self._gather, value)
        if tell is None:
            return here, jnp.ones(self.size, bool)
        clock = jax.tree.map(lambda x: self._gather(x)[0], self.clock)  # the same for all
        return over_wire(tell, name, clock, here, self.size)

    def _gather(self, value: Array) -> Array:
        """Every agent's value, `[N, ...]`: local agents first, then all devices' blocks.

        Of the team's agents, those who live in this process.
        """
        gathered = jax.lax.all_gather(value, self.axes[0])
        for axis in self.axes[1:]:
            gathered = jax.lax.all_gather(gathered, axis, tiled=True)
        return gathered

    def _require_declared(self, payload: str) -> None:
        if payload not in self.traffic:
            raise ConfigError(
                f"payload {payload!r} is sent but not declared; declared: {list(self.traffic)}. "
                f"Add Payload({payload!r}) to the algorithm's Information(payloads=(...,))."
            )


def networks(
    graph: Graph,
    payloads: Sequence[str] = (),
    devices: int = 1,
    *,
    schedule: Schedule = Static(),
    channels: Sequence[Channel] = (),
    shared: Mapping[str, PyTree] | None = None,
    key: Key[Array, ""] | None = None,
    joint_observable: bool = False,
) -> Network:
    """Every agent's end of the network over `graph`, stacked on a leading agent axis.

    payloads: the names that may be sent.
    devices:  over how many devices the agents will be split (see `lift`).
    schedule: which links are up in which round.
    channels: what can happen to messages, in this order.
    shared:   the payloads that last from round to round, `[N, ...]` each, of which a channel may
              keep a past; any other payload is a fresh quantity at each step.
    key:      what chances are drawn with, the same for all agents.
    joint_observable: whether all know what everybody sees and does (`Network.gather_public`).
    """
    candidates = union(schedule, graph)
    neighbor = _neighbors(candidates.adjacency)
    places = neighbor.shape[1]
    key = jax.random.key(0) if key is None else key

    def one(index: Array, neighbor: Array, plan: LinkPlan, shared: Mapping[str, PyTree]) -> Network:
        zero, zeros = jnp.zeros((), jnp.int32), jnp.zeros(places, jnp.int32)
        carried = Count.of(np.zeros(places))
        return Network(
            index,
            neighbor,
            plan,
            key=key,
            clock=Count.of(0),
            past={name: tuple(c.start(value) for c in channels) for name, value in shared.items()},
            traffic=dict.fromkeys(payloads, Traffic(zero, zeros, carried, zeros)),
            channels=tuple(channels),
            size=graph.size,
            axes=(AGENTS,) if devices == 1 else (AGENTS, DEVICES),
            joint_observable=joint_observable,
        )

    return jax.vmap(one)(
        jnp.arange(graph.size),
        jnp.asarray(neighbor),
        schedule.plan(graph, Seats(neighbor)),
        dict(shared or {}),
    )


def _neighbors(adjacency: Bool[np.ndarray, "N N"]) -> Int[np.ndarray, "N K"]:
    """Each agent's neighbours in order; the agent itself where a place holds nobody."""
    size, places = len(adjacency), max(int(adjacency.sum(axis=1).max()), 1)
    neighbor = np.tile(np.arange(size, dtype=np.int32)[:, None], (1, places))
    for agent in range(size):
        found = np.flatnonzero(adjacency[agent])
        neighbor[agent, : found.size] = found
    return neighbor


def _weight(value: PyTree) -> int:
    """Size of a message, in bytes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(value))


def expand_mask(mask: Bool[Array, " K"], values: Array) -> Bool[Array, " K *ones"]:
    """A mask of neighbours that goes with something of each of them, `[K, ...]`."""
    return mask.reshape(mask.shape + (1,) * (values.ndim - 1))
