"""The arithmetic bound: how fast training could be if only its dense layers had to be computed.

Every dense product of one update, forward and backward, is counted from its shape and timed alone,
for all agents in one batched product and agent by agent; the faster way counts. Activations are
timed alone, too. Nothing else is in the bound: no game, no sampling, no advantages, no optimiser.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SIDE_BY_SIDE = 8  # independent products in one program, so that starting it costs little


class Product(NamedTuple):
    """`[rows, inner] @ [inner, columns]`, one for each agent."""

    rows: int
    inner: int
    columns: int
    form: str  # "forward" x W, "weight" x' g, or "input" g W'


FORMS = {"forward": "bi,io->bo", "weight": "bi,bo->io", "input": "bo,io->bi"}


def products(rows: int, sizes: Sequence[int], backward: bool) -> list[Product]:
    """The dense products of one pass of `rows` samples through layers of these sizes."""
    found = []
    for depth, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        found.append(Product(rows, inputs, outputs, "forward"))
        if backward:
            found.append(Product(rows, inputs, outputs, "weight"))
        if backward and depth > 0:  # nobody asks for the gradient of an observation
            found.append(Product(rows, inputs, outputs, "input"))
    return found


def seconds_alone(agents: int, counted: Counter[Product]) -> float:
    """The time of all counted products, each at the best rate it reaches alone."""
    return sum(count * _best(agents, product) for product, count in counted.items())


def activation_seconds(agents: int, rows: int, width: int, backward: bool) -> float:
    """The time of one layer's tanh, with its derivative if `backward`."""
    x = [_numbers((agents, rows, width), seed) for seed in range(SIDE_BY_SIDE)]
    forward = _time(lambda *xs: tuple(jnp.tanh(y) for y in xs), x) / SIDE_BY_SIDE
    if not backward:
        return forward
    pairs = list(zip(x, reversed(x), strict=True))
    derived = _time(lambda *ps: tuple(g * (1 - y * y) for y, g in ps), pairs) / SIDE_BY_SIDE
    return forward + derived


def _best(agents: int, product: Product) -> float:
    rows, inner, columns, form = product
    shapes = {"b": rows, "i": inner, "o": columns}
    left, right = FORMS[form].split("->")[0].split(",")
    a, b = tuple(shapes[s] for s in left), tuple(shapes[s] for s in right)
    batched = [(_numbers((agents, *a), i), _numbers((agents, *b), i)) for i in range(SIDE_BY_SIDE)]
    single = [(x[0], y[0]) for x, y in batched]
    together = _time(lambda *ps: tuple(_multiply(form, True, *p) for p in ps), batched)
    apart = agents * _time(lambda *ps: tuple(_multiply(form, False, *p) for p in ps), single)
    return min(together, apart) / SIDE_BY_SIDE


def _multiply(form: str, batched: bool, x: jax.Array, y: jax.Array) -> jax.Array:
    inputs, output = FORMS[form].split("->")
    left, right = inputs.split(",")
    n = "n" if batched else ""
    return jnp.einsum(f"{n}{left},{n}{right}->{n}{output}", x, y)


def _numbers(shape: tuple[int, ...], seed: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def _time(function: Callable, arguments: list, repeats: int = 15) -> float:
    """The median seconds of one call."""
    compiled = jax.jit(function).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))
