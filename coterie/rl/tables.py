"""Tables with a row of numbers for every state: looked up, drawn from, written in place."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def row(table: Float[Array, "M *row"], number: Int[Array, ""]) -> Float[Array, "*row"]:
    """The row of a state."""
    # XLA itself clamps what lies outside; to check it twice would cost a third of a step.
    return table.at[number].get(mode="promise_in_bounds")


def with_row(
    table: Float[Array, "M *row"], number: Int[Array, ""], new: Float[Array, "*row"]
) -> Float[Array, "M *row"]:
    """The table with another row in the place of a state's; inside a scan nothing is copied."""
    return table.at[number].set(
        new, mode="promise_in_bounds", unique_indices=True, indices_are_sorted=True
    )


def entry(values: Float[Array, " A"], action: Int[Array, ""]) -> Float[Array, ""]:
    """The number of one action."""
    return jnp.sum(jnp.where(jnp.arange(len(values)) == action, values, 0.0))


def able_only(
    values: Float[Array, " A"], able: Bool[Array, " A"] | None, otherwise: float
) -> Float[Array, " A"]:
    """The numbers of the possible actions, and `otherwise` for the others."""
    return values if able is None else jnp.where(able, values, otherwise)


def drawn(weights: Float[Array, " A"], chance: Float[Array, ""]) -> Int[Array, ""]:
    """The action that a random number in [0, 1) stands for; its probability is its weight's share.

    An action of weight zero is never drawn.

    >>> weights = jnp.array([1.0, 0.0, 3.0])
    >>> [int(drawn(weights, jnp.float32(u))) for u in (0.0, 0.24, 0.25, 0.999)]
    [0, 0, 2, 2]
    """
    sums = jnp.cumsum(weights)
    return jnp.sum(sums <= chance * sums[-1], dtype=jnp.int32)
