"""ONNX graphs, written down by the formulas of networks: arrays that note what is done to them."""

import importlib
import itertools
from typing import Any

import numpy as np

from coterie.policies.exporting.program import Library
from coterie.rl.forward import Ops

ROWS = 2**31 + 11
"""Rows of a batch of any size, in the shapes of a graph that is being made: a number that no size
in a policy file may have."""
OPSET = 18
"""Version of ONNX's operators: that of ONNX 1.13 (2022), which any runtime in use reads."""


class Graph:
    """Nodes and constants of an ONNX graph in the making."""

    def __init__(self) -> None:
        onnx: Any = importlib.import_module("onnx")
        self.helper, self._of_array = onnx.helper, onnx.numpy_helper.from_array
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._numbers = itertools.count()

    def input(self, name: str, shape: tuple[int, ...], dtype: str) -> "Symbol":
        """An input `[batch, *shape]`."""
        return Symbol(self, name, (ROWS, *shape), np.dtype(dtype))

    def constant(self, value: Any) -> str:
        """The name of a constant array."""
        name = f"constant-{next(self._numbers)}"
        self.constants.append(self._of_array(np.asarray(value, order="C"), name))
        return name

    def node(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """The names of a new node's outputs."""
        names = [f"{kind.lower()}-{next(self._numbers)}" for _ in range(outputs)]
        self.nodes.append(self.helper.make_node(kind, inputs, names, **attributes))
        return names


class Symbol:
    """An array of a graph in the making; what is done to it becomes nodes."""

    __array_ufunc__ = None  # an array of NumPy leaves operations with a symbol to the symbol

    def __init__(self, graph: Graph, name: str, shape: tuple[int, ...], dtype: Any):
        self.graph, self.name, self.shape, self.dtype = graph, name, shape, np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def unary(self, kind: str, **attributes: Any) -> "Symbol":
        """A function of each number."""
        (name,) = self.graph.node(kind, [self.name], **attributes)
        return Symbol(self.graph, name, self.shape, self.dtype)

    def binary(self, kind: str, other: Any, swapped: bool = False) -> "Symbol":
        """A function of two arrays of one type, broadcast."""
        mine, theirs = self.name, self._operand(other)
        shape = np.broadcast_shapes(self.shape, np.shape(other))
        pair = [theirs, mine] if swapped else [mine, theirs]
        (name,) = self.graph.node(kind, pair)
        return Symbol(self.graph, name, shape, self.dtype)

    def _operand(self, other: Any) -> str:
        """The name of another array, or of a constant of this one's type."""
        if isinstance(other, Symbol):
            return other.name
        return self.graph.constant(np.asarray(other, self.dtype))

    def reshape(self, *shape: int) -> "Symbol":
        """Its numbers in another shape, of which one size may be -1."""
        known = np.prod([size for size in shape if size != -1], dtype=object)
        whole = int(np.prod(self.shape, dtype=object))
        sizes = tuple(whole // int(known) if size == -1 else int(size) for size in shape)
        if sizes == self.shape:
            return self
        wanted = np.array([-1 if size == ROWS else size for size in sizes], np.int64)
        (name,) = self.graph.node("Reshape", [self.name, self.graph.constant(wanted)])
        return Symbol(self.graph, name, sizes, self.dtype)

    def astype(self, dtype: Any) -> "Symbol":
        """Its numbers, of another type."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self
        to = self.graph.helper.np_dtype_to_tensor_dtype(wanted)
        (name,) = self.graph.node("Cast", [self.name], to=to)
        return Symbol(self.graph, name, self.shape, wanted)

    def clip(self, low: Any, high: Any) -> "Symbol":
        """The numbers, cut to two bounds."""
        return self.binary("Max", low).binary("Min", high)

    def transposed(self, *axes: int) -> "Symbol":
        """The axes in another order."""
        (name,) = self.graph.node("Transpose", [self.name], perm=axes)
        return Symbol(self.graph, name, tuple(self.shape[axis] for axis in axes), self.dtype)

    def __getitem__(self, place: tuple[Any, int]) -> "Symbol":
        """One entry of the last axis, `x[..., 0]`."""
        _, index = place
        constant = self.graph.constant(np.int64(index))
        (name,) = self.graph.node("Gather", [self.name, constant], axis=-1)
        return Symbol(self.graph, name, self.shape[:-1], self.dtype)

    def __matmul__(self, weight: np.ndarray) -> "Symbol":
        (name,) = self.graph.node("MatMul", [self.name, self.graph.constant(weight)])
        return Symbol(self.graph, name, (*self.shape[:-1], weight.shape[1]), self.dtype)

    def __add__(self, other: Any) -> "Symbol":
        return self.binary("Add", other)

    def __radd__(self, other: Any) -> "Symbol":
        return self.binary("Add", other, swapped=True)

    def __sub__(self, other: Any) -> "Symbol":
        return self.binary("Sub", other)

    def __mul__(self, other: Any) -> "Symbol":
        return self.binary("Mul", other)

    def __rmul__(self, other: Any) -> "Symbol":
        return self.binary("Mul", other, swapped=True)

    def __pow__(self, power: int) -> "Symbol":
        assert power == 2, "the formulas of networks know squares alone"
        return self.binary("Mul", self)

    def __floordiv__(self, other: np.ndarray) -> "Symbol":
        return self.binary("Div", other)  # of whole numbers from 0 on, as those of actions are

    def __mod__(self, other: np.ndarray) -> "Symbol":
        return self.binary("Mod", other)

    def __and__(self, other: np.ndarray) -> "Symbol":
        return self.binary("And", other)


def _mean(x: Symbol) -> Symbol:
    axis = x.graph.constant(np.array([-1], np.int64))
    (name,) = x.graph.node("ReduceMean", [x.name, axis], keepdims=1)
    return Symbol(x.graph, name, (*x.shape[:-1], 1), x.dtype)


def _thirds(x: Symbol) -> list[Symbol]:
    names = x.graph.node("Split", [x.name], outputs=3, axis=-1, num_outputs=3)
    return [Symbol(x.graph, n, (*x.shape[:-1], x.shape[-1] // 3), x.dtype) for n in names]


def _one_hot(x: Symbol, count: int) -> Symbol:
    depth = x.graph.constant(np.int64(count))
    values = x.graph.constant(np.array([0.0, 1.0], np.float32))
    (name,) = x.graph.node("OneHot", [x.name, depth, values], axis=-1)
    return Symbol(x.graph, name, (*x.shape, count), np.float32)


def _convolve(images: Symbol, weight: np.ndarray) -> Symbol:
    """A convolution; ONNX has channels before places, `[B, I, H, W]` with `[O, I, K, K]`."""
    before, rest = divmod(len(weight) - 1, 2)
    first, kernel = images.transposed(0, 3, 1, 2), np.transpose(weight, (3, 2, 0, 1))
    names = [first.name, images.graph.constant(kernel)]
    pads = [before, before, before + rest, before + rest]
    (name,) = images.graph.node("Conv", names, pads=pads)
    shape = (first.shape[0], len(kernel), *first.shape[2:])
    return Symbol(images.graph, name, shape, images.dtype).transposed(0, 2, 3, 1)


def _where(mask: Symbol, values: Symbol, otherwise: float) -> Symbol:
    other = values.graph.constant(np.float32(otherwise))
    (name,) = values.graph.node("Where", [mask.name, values.name, other])
    return Symbol(values.graph, name, values.shape, values.dtype)


def _argmax(x: Symbol) -> Symbol:
    (name,) = x.graph.node("ArgMax", [x.name], axis=-1, keepdims=0)
    return Symbol(x.graph, name, x.shape[:-1], np.int64)


def _repeated(row: np.ndarray, like: Symbol) -> Symbol:
    (shape,) = like.graph.node("Shape", [like.name])
    (name,) = like.graph.node("Expand", [like.graph.constant(row), shape])
    return Symbol(like.graph, name, like.shape, like.dtype)


ONNX = Library(
    Ops(
        {
            "tanh": lambda x: x.unary("Tanh"),
            "relu": lambda x: x.unary("Relu"),
            "selu": lambda x: x.unary("Selu"),
            "leaky_relu": lambda x: x.unary("LeakyRelu", alpha=0.01),
        },
        sigmoid=lambda x: x.unary("Sigmoid"),
        tanh=lambda x: x.unary("Tanh"),
        rsqrt=lambda x: x.unary("Sqrt").unary("Reciprocal"),
        mean=_mean,
        thirds=_thirds,
        one_hot=_one_hot,
        convolve=_convolve,
        clip=lambda x, low, high: x.clip(low, high),
    ),
    where=_where,
    argmax=_argmax,
    repeated=_repeated,
)
"""The functions of ONNX graphs that policies are made of."""
