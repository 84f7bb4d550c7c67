"""Policies as StableHLO, by `jax.export`."""

import dataclasses
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from coterie.errors import require
from coterie.internal.extras import install
from coterie.policies.exporting.program import BATCH, Arrays, Library, Program
from coterie.rl.layers import JAX

PLATFORMS = ("cpu", "cuda", "tpu")
"""The kinds of devices that an exported program runs on."""

LIBRARY = Library(
    JAX,
    where=jnp.where,
    argmax=lambda x: jnp.argmax(x, axis=-1),
    repeated=lambda row, like: jnp.broadcast_to(row, like.shape),
    held=lambda dtype: str(jax.dtypes.canonicalize_dtype(dtype)),
)
"""The functions of JAX that policies are made of."""


def to_stablehlo(program: Program) -> bytes:
    """The program of a policy as `jax.export` serializes it; its `fun_name` describes it."""
    require(
        find_spec("flatbuffers") is not None,
        f"--format stablehlo needs the package flatbuffers: {install('export')}.",
    )
    (batch,) = export.symbolic_shape(BATCH)
    inputs = {
        port.name: jax.ShapeDtypeStruct((batch, *port.shape), np.dtype(port.dtype))
        for port in program.inputs
    }

    def policy(inputs: dict[str, Any]) -> dict[str, Any]:
        return program.run(LIBRARY, inputs)

    made = export.export(jax.jit(policy), platforms=PLATFORMS)(inputs)
    told = json.dumps(program.description(LIBRARY))
    return bytes(dataclasses.replace(made, fun_name=told).serialize())


def stablehlo_caller(data: bytes) -> Callable[[Arrays], dict[str, Any]]:
    """A function that calls a program which `to_stablehlo` has made."""
    return jax.jit(export.deserialize(bytearray(data)).call)
