"""The arithmetic bound: how fast training could be if only its dense layers had to be computed.

Every dense product of one update, forward and backward, is counted from its shape and timed alone,
for all agents in one batched product and agent by agent; the faster way counts. Activations are
timed alone, too. Nothing else is in the bound: no environment, no sampling, no advantages, no
optimiser.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Clock = Callable[[], float]
SIDE_BY_SIDE = 8  # independent products in one program, so that starting it costs little


class Product(NamedTuple):
    """`[rows, inner] @ [inner, columns]`, one for each agent."""

    rows: int
    inner: int
    columns: int
    form: str  # "forward" x W, "weight" x' g, or "input" g W'


FORMS = {
    "forward": ("bi,io->bo",),
    "weight": ("bi,bo->io", "ib,bo->io"),  # as it is, or written by its layer as it is read here
    "input": ("bo,io->bi",),
}


def products(rows: int, sizes: Sequence[int], backward: bool) -> list[Product]:
    """The dense products of one pass of `rows` samples through layers of these sizes."""
    found = []
    for depth, (inputs, outputs) in enumerate(pairwise(sizes)):
        found.append(Product(rows, inputs, outputs, "forward"))
        if backward:
            found.append(Product(rows, inputs, outputs, "weight"))
        if backward and depth > 0:  # nobody asks for the gradient of an observation
            found.append(Product(rows, inputs, outputs, "input"))
    return found


class Alone:
    """A compiled computation that is timed on its own, as often as one asks."""

    def __init__(self, function: Callable, arguments: list, share: float):
        self._run = jax.jit(function).lower(*arguments).compile()
        self._arguments = arguments
        self._share = share
        self._taken: list[float] = []

    def measure(self, clock: Clock, repeats: int = 5) -> None:
        """Time it a few more times."""
        for _ in range(repeats):
            began = clock()
            jax.block_until_ready(self._run(*self._arguments))
            self._taken.append(clock() - began)

    @property
    def seconds(self) -> float:
        """The median time of the share of it that was asked for."""
        return self._share * float(np.median(self._taken))


class Part:
    """One line of the bound: things that are computed so many times, each in its fastest way."""

    def __init__(self) -> None:
        self._ways: list[tuple[int, list[Alone]]] = []

    def add(self, count: int, *ways: Alone) -> None:
        """Something that is computed `count` times, in one of several ways."""
        self._ways.append((count, list(ways)))

    def measure(self, clock: Clock = time.perf_counter) -> None:
        """Time everything once more, on the clock or in the processor."""
        for _, ways in self._ways:
            for way in ways:
                way.measure(clock)

    @property
    def seconds(self) -> float:
        """All of it, each at its best rate."""
        return sum(count * min(way.seconds for way in ways) for count, ways in self._ways)


def dense(agents: int, counted: Counter[Product]) -> Part:
    """The counted products, for all agents at once or one by one, whichever is faster."""
    part = Part()
    for product, count in counted.items():
        part.add(count, *_ways(agents, product))
    return part


def activations(agents: int, counted: Counter[tuple[int, int, bool]]) -> Part:
    """Counted layers of tanh, `(rows, width, backward)`, with the derivative if `backward`."""
    part = Part()
    for (rows, width, backward), count in counted.items():
        x = [_numbers((agents, rows, width), seed) for seed in range(SIDE_BY_SIDE)]
        part.add(count, Alone(lambda *xs: [jnp.tanh(y) for y in xs], x, 1 / SIDE_BY_SIDE))
        if backward:
            y = list(zip(x, reversed(x), strict=True))
            derive = Alone(lambda *ps: [g * (1 - t * t) for t, g in ps], y, 1 / SIDE_BY_SIDE)
            part.add(count, derive)
    return part


def _ways(agents: int, product: Product) -> list[Alone]:
    return [way for form in FORMS[product.form] for way in _ways_of(agents, product, form)]


def _ways_of(agents: int, product: Product, form: str) -> tuple[Alone, Alone]:
    shapes = {"b": product.rows, "i": product.inner, "o": product.columns}
    inputs, output = form.split("->")
    left, right = inputs.split(",")
    a, b = tuple(shapes[s] for s in left), tuple(shapes[s] for s in right)
    batched = [(_numbers((agents, *a), i), _numbers((agents, *b), i)) for i in range(SIDE_BY_SIDE)]
    single = [(x[0], y[0]) for x, y in batched]

    def together(*pairs: tuple) -> list:
        return [jnp.einsum(f"n{left},n{right}->n{output}", *pair) for pair in pairs]

    def apart(*pairs: tuple) -> list:
        return [jnp.einsum(form, *pair) for pair in pairs]

    one = 1 / SIDE_BY_SIDE
    return Alone(together, batched, one), Alone(apart, single, agents * one)


def _numbers(shape: tuple[int, ...], seed: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
