"""Policies as ONNX graphs, and their check by ONNX Runtime."""

import importlib
import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from coterie.errors import ConfigError, require
from coterie.internal.extras import install
from coterie.policies.exporting.program import BATCH, Arrays, Port, Program
from coterie.policies.exporting.symbols import ONNX, OPSET, Graph

FILE = 2**31
"""The most bytes of an ONNX file, a message of Protocol Buffers."""


def to_onnx(program: Program) -> bytes:
    """The program of a policy as an ONNX model; `ConfigError` for what ONNX cannot express."""
    about = program.about
    require(
        not about.model.foreign,
        f"{about.name}'s network is {about.model.name}, whose formula is its own code, and ONNX "
        "has graphs of the networks mlp, gru and cnn alone: take --format stablehlo.",
    )
    require(
        importlib.util.find_spec("onnx") is not None,
        f"--format onnx needs the package onnx: {install('export')}.",
    )
    model = _model(program)
    data = model.SerializeToString()
    require(len(data) < FILE, f"{about.name}'s network is too large for an ONNX file.")
    importlib.import_module("onnx").checker.check_model(model, full_check=True)
    return data


def _model(program: Program) -> Any:
    graph = Graph()
    helper = graph.helper
    inputs = {port.name: graph.input(port.name, port.shape, port.dtype) for port in program.inputs}
    found = program.run(ONNX, inputs)
    for port in program.outputs:
        graph.nodes.append(helper.make_node("Identity", [found[port.name].name], [port.name]))
    made = helper.make_graph(
        graph.nodes,
        "policy",
        [_tensor(helper, port) for port in program.inputs],
        [_tensor(helper, port) for port in program.outputs],
        graph.constants,
    )
    model = helper.make_model(
        made,
        producer_name="coterie",
        producer_version=version("coterie"),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        doc_string=f"The policy of {program.about.identity}.",
    )
    helper.set_model_props(model, program.description(ONNX))
    return model


def _tensor(helper: Any, port: Port) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype))
    return helper.make_tensor_value_info(port.name, kind, [BATCH, *port.shape])


def onnx_caller(data: bytes) -> Callable[[Arrays], dict[str, Any]] | None:
    """A function that calls an ONNX model; `None` if ONNX Runtime is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    runtime: Any = importlib.import_module("onnxruntime")
    try:
        session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but Exception
        raise ConfigError(f"ONNX Runtime cannot load the graph: {error}") from None
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))
