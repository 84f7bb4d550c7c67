"""Messages with other processes, where the mapped network gathers."""

import abc
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Bool, PyTree

from coterie.internal.count import Count


class Wire(abc.ABC):
    """What carries messages between the processes of a team, a process for one agent or several.

    It is compared by identity, and called once for each exchange, in the program's order.
    """

    agents: tuple[int, ...]
    """The agents of the team that live in this process."""

    @abc.abstractmethod
    def exchange(
        self, name: str, clock: int, said: Sequence[np.ndarray]
    ) -> tuple[Sequence[np.ndarray], np.ndarray]:
        """Tell the others what this process's agents say, `[k, ...]` each, and hear them.

        name:  of the payload.
        clock: the round, the same in all processes.

        Returns what all say, `[N, ...]` each, zeros of those who are not heard, and who is heard,
        `[N]`. It raises nothing that a message can bring about, and ends after a while.
        """


def over_wire(
    wire: Wire, name: str, clock: Count, said: PyTree, agents: int
) -> tuple[PyTree, Bool[Array, " N"]]:
    """Everybody's value, `[N, ...]`, from what the agents of this process say, `[k, ...]`, and
    whose came."""
    leaves, shape = jax.tree.flatten(said)

    def call(high: np.ndarray, low: np.ndarray, *leaves: np.ndarray) -> tuple[np.ndarray, ...]:
        number = (int(high) << 32) + int(low)
        told, came = wire.exchange(name, number, [np.asarray(leaf) for leaf in leaves])
        return *told, came

    whole = [jax.ShapeDtypeStruct((agents, *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
    heard = jax.ShapeDtypeStruct((agents,), jnp.bool_)
    *told, came = io_callback(call, (*whole, heard), clock.high, clock.low, *leaves, ordered=True)
    return jax.tree.unflatten(shape, told), came
