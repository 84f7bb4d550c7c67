"""Channels, by which messages are lost, late, cut off, rounded or disturbed on their way.

A channel is a frozen value. Its effect is a pure function of the run's public random key, the round
and the link, so that a run with faults repeats bit for bit, and both ends of a link have the same
fate. An agent knows its message as the channels have changed it: an average takes differences of
the values *sent*, so that the mean is kept whatever a channel does to them.
"""

import abc
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Key, PyTree

from coterie.bounds import AtLeast, Between
from coterie.errors import ConfigError, require
from coterie.internal.parse_spec import spelled
from coterie.internal.parts import Part
from coterie.network.round import Round

ROUNDS = 10**9
"""Longest fault, in rounds; two of them are added in 32 bits."""


class Channel(Part, abc.ABC):
    """Fault or change of messages on their way; a frozen dataclass with some of these methods.

    A channel that defines `loses`, the messages that get lost, also defines `lost`, their share.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        require(
            ("loses" in vars(cls)) == ("lost" in vars(cls)),
            f"channel {cls.__name__} defines one of `loses` and `lost` without the other: which "
            "messages do not arrive, and the largest share of them in any round.",
        )

    def start(self, value: PyTree) -> PyTree:
        """Initial state of the channel for a payload like `value`, kept from round to round."""
        return ()

    def says(self, value: PyTree, past: PyTree, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        """Value that is sent for `value`, and the channel's state; `key` is the agent's own."""
        return value, past

    def loses(self, moment: Round, past: PyTree) -> Bool[Array, " K"]:
        """Mask of the messages that do not arrive; `past` is `None` for a fresh quantity."""
        return jnp.zeros(moment.neighbor.shape, bool)

    def weighs(self, value: PyTree, weight: int) -> int:
        """Bytes of a message that took `weight` before."""
        return weight

    @property
    def gain(self) -> float:
        """Step size of an average towards what was sent."""
        return 1.0

    @property
    def lost(self) -> float:
        """The share of a link's fresh messages that do not arrive, in the worst round for it.

        1 for a link that is cut off for a time.
        """
        return 0.0

    def check(self, size: int) -> None:
        """Raise `ConfigError` if the channel makes no sense for so many agents."""


@dataclass(frozen=True)
class LinkDropout(Channel, name="loss"):
    """A share of the messages is lost, on both ways of a link at once."""

    probability: Annotated[float, Between(0, 1, "0.3 loses three in ten")]
    """The probability that a link is down in a round."""
    burst: Annotated[int, Between(1, ROUNDS, "try 1 or 200")] = 1
    """For how many rounds it stays down: 1 for independent losses."""

    def loses(self, moment: Round, past: PyTree) -> Bool[Array, " K"]:
        # Bursts of different links begin at different times.
        shift = (moment.link * 7919) % self.burst
        period = None if self.burst == 1 else (moment.clock.low + shift) // self.burst
        return moment.chances(period) < self.probability

    @property
    def lost(self) -> float:
        return self.probability


@dataclass(frozen=True)
class Delay(Channel, name="delay"):
    """Messages take up to `rounds` rounds.

    difference: an agent waits until every value is `rounds` old, and moves by a fraction of the
                differences between values of *equal* age, its own included. A quantity that is made
                anew at each step has no such past; of those, late messages are dropped.
    drop:       each message takes 0 to `rounds` rounds, all equally likely; a late one is dropped.

    A late value is never mixed with a fresh one. The fraction is half the largest that is stable,
    `sin(pi / (4 rounds + 2))` on the fastest graph.
    """

    rounds: Annotated[int, Between(1, ROUNDS, "or leave it out")]
    """The longest delay, in rounds of exchange."""
    late: Literal["difference", "drop"] = "difference"
    """What becomes of late values."""

    def start(self, value: PyTree) -> PyTree:
        if self.late == "drop":
            return ()
        kept = jax.tree.map(lambda x: jnp.zeros((self.rounds, *x.shape), x.dtype), value)
        return kept, jnp.zeros((), jnp.int32)

    def says(self, value: PyTree, past: PyTree, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        if not past:
            return value, past
        kept, count = past
        place = count % self.rounds
        said = jax.tree.map(lambda old: old[place], kept)
        kept = jax.tree.map(lambda old, new: old.at[place].set(new), kept, value)
        return said, (kept, count + 1)

    def loses(self, moment: Round, past: PyTree) -> Bool[Array, " K"]:
        if past:
            early = past[1] < self.rounds  # nothing is old enough yet
            return jnp.broadcast_to(early, moment.neighbor.shape)
        return moment.chances() * (self.rounds + 1) >= 1.0

    @property
    def gain(self) -> float:
        if self.late == "drop":
            return 1.0
        return 0.5 * math.sin(math.pi / (4 * self.rounds + 2))

    @property
    def lost(self) -> float:
        return self.rounds / (self.rounds + 1)


@dataclass(frozen=True)
class Partition(Channel, name="partition"):
    """The team falls into groups that do not hear each other, and comes together again."""

    start_round: Annotated[int, AtLeast(0)]
    """The first round in which it is apart."""
    stop_round: Annotated[int, AtLeast(1)]
    """The first round in which it is together again."""
    parts: Annotated[int, AtLeast(2)] = 2
    """Into how many groups of neighbouring indices."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_span(self.start_round, self.stop_round)

    def loses(self, moment: Round, past: PyTree) -> Bool[Array, " K"]:
        apart = moment.clock.between(self.start_round, self.stop_round)
        mine, theirs = (i * self.parts // moment.size for i in (moment.index, moment.neighbor))
        return apart & (mine != theirs)

    @property
    def lost(self) -> float:
        return 1.0

    def check(self, size: int) -> None:
        require(self.parts <= size, f"{size} agents cannot fall into {self.parts} parts.")


@dataclass(frozen=True)
class NodeFailure(Channel, name="silence"):
    """One agent neither speaks nor hears for a time, and returns."""

    agent: Annotated[int, AtLeast(0)]
    """Its index, from 0."""
    start_round: Annotated[int, AtLeast(0)]
    """The first round in which it is silent."""
    stop_round: Annotated[int, AtLeast(1)]
    """The first round in which it is back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_span(self.start_round, self.stop_round)

    def loses(self, moment: Round, past: PyTree) -> Bool[Array, " K"]:
        silent = moment.clock.between(self.start_round, self.stop_round)
        return silent & ((moment.index == self.agent) | (moment.neighbor == self.agent))

    @property
    def lost(self) -> float:
        return 1.0

    def check(self, size: int) -> None:
        require(
            0 <= self.agent < size,
            f"there is no agent {self.agent} to fall silent: indices go from 0 to {size - 1}.",
        )


@dataclass(frozen=True)
class Quantization(Channel, name="quantise"):
    """Numbers are rounded to few bits, up or down at random so that the mean is right.

    Each array is sent as its largest magnitude (32 bits) and whole multiples of a step.
    """

    bits: Annotated[int, Between(2, 16, "try 8")]
    """Bits for each number, its sign included."""

    def says(self, value: PyTree, past: PyTree, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        steps = 2 ** (self.bits - 1) - 1

        def rounded(leaf: Array, key: Key[Array, ""]) -> Array:
            step = jnp.max(jnp.abs(leaf), initial=0.0) / steps
            scaled = leaf / jnp.where(step > 0, step, 1.0)
            return jnp.floor(scaled + jax.random.uniform(key, leaf.shape)) * step

        return _each(rounded, value, key), past

    def weighs(self, value: PyTree, weight: int) -> int:
        return sum(-(-leaf.size * self.bits // 8) + 4 for leaf in jax.tree.leaves(value))


@dataclass(frozen=True)
class Noise(Channel, name="noise"):
    """Numbers are sent with normal noise on them."""

    deviation: Annotated[float, AtLeast(0)]
    """Its standard deviation, in the units of the payload."""

    def says(self, value: PyTree, past: PyTree, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
        def disturbed(leaf: Array, key: Key[Array, ""]) -> Array:
            return leaf + self.deviation * jax.random.normal(key, leaf.shape, leaf.dtype)

        return _each(disturbed, value, key), past


CHANNELS: dict[str, type[Channel]] = Channel.KINDS
"""Every channel that a name can stand for; `module:Class` stands for any other."""


def read_channel(text: str) -> Channel:
    """The channel that a text names.

    >>> read_channel("loss:0.3,burst=20")
    LinkDropout(probability=0.3, burst=20)
    """
    return spelled("channel", text, CHANNELS, Channel)


def _each(change: Any, value: PyTree, key: Key[Array, ""]) -> PyTree:
    """`change` of every array, with a key of its own."""
    arrays, shape = jax.tree.flatten(value)
    for leaf in arrays:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise ConfigError(
                f"a channel cannot round or disturb {leaf.dtype} numbers: send floating-point ones."
            )
    keys = jax.random.split(key, max(len(arrays), 1))
    return jax.tree.unflatten(shape, map(change, arrays, keys))


def _require_span(start: int, stop: int) -> None:
    require(
        start < stop,
        f"a fault lasts from a round to a later one, not from {start} to {stop}: "
        "start_round must be below stop_round.",
    )
