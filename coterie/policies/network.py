"""Networks of policy files, in NumPy."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from coterie.internal.reading import Arrays
from coterie.policies.metadata import PolicyMetadata, body_name, cell_name
from coterie.rl import forward
from coterie.rl.forward import NUMPY


class Outputs(NamedTuple):
    """Outputs of a network for one step, arrays of the library that it is computed with.

    values:  the logits of actions, or their means, `[A]`.
    log_std: the logarithms of the deviations of actions that are numbers, `[A]`.
    memory:  the memory after the step.
    """

    values: Any
    log_std: Any
    memory: Any


@runtime_checkable
class PolicyNetwork(Protocol):
    """Protocol for the network of a trained policy."""

    def start(self) -> Any:
        """The memory at the start of an episode."""
        ...

    def step(self, x: np.ndarray, memory: Any) -> Outputs:
        """Outputs for an observation `[F]`."""
        ...


class Dense(NamedTuple):
    """A dense layer, see `forward.dense`."""

    weight: np.ndarray
    bias: np.ndarray
    numbered: bool = False


class Convolution(NamedTuple):
    """A convolution, see `forward.convolution`."""

    weight: np.ndarray
    bias: np.ndarray


class LayerNorm(NamedTuple):
    """A normalization, see `forward.layer_norm`."""

    scale: np.ndarray
    shift: np.ndarray


class Cell(NamedTuple):
    """A gated recurrent unit, see `forward.gated`."""

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias: np.ndarray
    bias_n: np.ndarray


class InputScale(NamedTuple):
    """A shift and a factor of inputs, see `forward.normalized`."""

    shift: np.ndarray
    factor: np.ndarray


class Layers(NamedTuple):
    """Convolutions and dense layers, see `forward.layers`."""

    layers: tuple[Dense, ...]
    activation: str
    convolutions: tuple[Convolution, ...]
    norms: tuple[LayerNorm, ...]
    image: tuple[int, ...]


class Network(NamedTuple):
    """A body and a head; `second` gives the deviations, or is their logarithms."""

    scale: InputScale | None
    body: Layers
    cell: Cell | None
    head: Dense
    second: Dense | np.ndarray | None
    deviations: tuple[float, float]

    @staticmethod
    def of(arrays: Arrays, about: PolicyMetadata) -> "Network":
        """The network that metadata describes, of these arrays (`metadata.network_kinds`)."""
        model, numbered = about.model, about.states > 0
        inner = body_name(about)

        def layer(kind: Any, name: str, *more: Any) -> Any:
            fields = kind._fields[: len(kind._fields) - len(more)]
            return kind(*(arrays[f"{name}.{field}"] for field in fields), *more)

        places = range(len(model.hidden_sizes))
        body = Layers(
            tuple(layer(Dense, f"{inner}.layers[{i}]", numbered and i == 0) for i in places),
            model.activation,
            tuple(
                layer(Convolution, f"{inner}.convolutions[{i}]") for i in range(len(model.channels))
            ),
            tuple(layer(LayerNorm, f"{inner}.norms[{i}]") for i in places if model.layer_norm),
            about.shape,
        )
        scale = layer(InputScale, ".body.scale") if about.normalized else None
        cell = layer(Cell, cell_name(about)) if model.name == "gru" else None
        head = layer(Dense, ".head", numbered and not places)
        second = arrays.get(".log_std")
        if about.action.continuous and about.deviations is not None:
            second = layer(Dense, ".log_std", numbered and not places)
        return Network(scale, body, cell, head, second, about.deviations or (1.0, 1.0))

    def start(self) -> Any:
        """The memory at the start of an episode."""
        return () if self.cell is None else np.zeros(len(self.cell.bias_n), np.float32)

    def step(self, x: np.ndarray, memory: Any) -> Outputs:
        """Outputs for an observation `[F]`."""
        return self.outputs(x, memory, NUMPY)

    def outputs(self, x: Any, memory: Any, ops: forward.Ops) -> Outputs:
        """Outputs for observations `[..., F]`, in the library that `ops` are of."""
        seen = x if self.scale is None else forward.normalized(self.scale, x, ops)
        features = forward.layers(self.body, seen, ops)
        if self.cell is not None:
            features = memory = forward.gated(self.cell, features, memory, ops)
        values, log_std = forward.dense(self.head, features, ops), self.second
        if isinstance(log_std, Dense):
            log_std = forward.log_deviation(log_std, features, self.deviations, ops)
        return Outputs(values, log_std, memory)
