"""Messages with other processes, where the mapped network gathers."""

import abc
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Bool, PyTree

from coterie.internal.count import Count

Told = tuple[Sequence[np.ndarray], np.ndarray]
"""Values of all, `[N, ...]` each, zeros of those who are not heard; and who is heard, `[N]`."""


Tell = Callable[[str, int, Sequence[np.ndarray]], Told]
"""A method of a `Wire`."""


class Wire(abc.ABC):
    """Carrier of messages between the processes of a team, a process for one agent or several.

    It is compared by identity, and called once for each exchange, in the program's order. Its
    methods get a payload's name, the round, which is the same in all processes, and what this
    process's agents say, `[k, ...]` each. They raise nothing that a message can bring about, and
    end after a while.
    """

    agents: tuple[int, ...]
    """The agents of the team that live in this process."""

    @abc.abstractmethod
    def exchange(self, name: str, clock: int, said: Sequence[np.ndarray]) -> Told:
        """Tell the neighbors what is said, and hear them."""

    @abc.abstractmethod
    def publish(self, name: str, clock: int, said: Sequence[np.ndarray]) -> Told:
        """Tell all what is said, which a method declares to be known to all, and hear all."""


def over_wire(
    tell: Tell,
    name: str,
    clock: Count,
    said: PyTree,
    agents: int,
) -> tuple[PyTree, Bool[Array, " N"]]:
    """Everybody's value, `[N, ...]`, from what the agents of this process say, `[k, ...]`, and
    whose came; `tell` is a method of a `Wire`."""
    leaves, shape = jax.tree.flatten(said)

    def call(high: Any, low: Any, *leaves: Any) -> tuple[np.ndarray, ...]:
        number = (int(high) << 32) + int(low)
        told, came = tell(name, number, [np.asarray(leaf) for leaf in leaves])
        return *told, came

    whole = [jax.ShapeDtypeStruct((agents, *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
    heard = jax.ShapeDtypeStruct((agents,), jnp.bool_)
    *told, came = io_callback(call, (*whole, heard), clock.high, clock.low, *leaves, ordered=True)
    return jax.tree.unflatten(shape, told), came
