"""Check of an exported policy: its outputs on random inputs beside those of the policy itself."""

from collections.abc import Callable
from typing import Any

import numpy as np

from coterie.errors import RunError, require
from coterie.policies.exporting.program import NEVER, Arrays, Program
from coterie.policies.network import Outputs

TOLERANCE = 1e-6
"""The largest difference from ours, as a share of the largest number in the outputs, or of 1."""
ROWS = 64
"""Observations that an export is checked with."""

Caller = Callable[[Arrays], dict[str, Any]]


def difference(program: Program, call: Caller) -> float:
    """The largest difference of an exported program from the policy, on random inputs.

    It is that of any output, as a share of the largest number in them or of 1; of discrete actions
    another one passes if it is as likely. Raises `RunError` above `TOLERANCE`.
    """
    inputs = random_inputs(program)
    found = {name: np.asarray(value) for name, value in call(inputs).items()}
    wanted = ours(program, inputs)
    known = [np.where(mine == NEVER, 0.0, mine) for mine in wanted.values()]
    scale = max(1.0, *(float(np.abs(array).max()) for array in known))
    alike = _alike(program, wanted)
    off = 0.0
    for name, mine in wanted.items():
        apart = np.abs(mine - found[name].astype(mine.dtype)).reshape(len(mine), -1).max(axis=1)
        off = max(off, float(np.where(alike & (name == "action"), 0.0, apart).max()) / scale)
    require(
        off <= TOLERANCE,
        f"the exported policy of {program.about.name} is off by {off:.2g} on random inputs, more "
        f"than {TOLERANCE:g}: nothing was written.",
        RunError,
    )
    return off


def _alike(program: Program, wanted: Arrays) -> np.ndarray:
    """Rows in which another action is as likely: of some choice the two best logits are equal."""
    if "logits" not in wanted:
        return np.zeros(len(wanted["action"]), bool)
    choices = len(program.about.action.each or (1,))
    logits = wanted["logits"]
    best = np.sort(logits.reshape(len(logits), choices, -1), axis=-1)[..., -2:]
    return (best[..., -1] - best[..., 0] <= 10 * TOLERANCE).any(axis=-1) & (best.shape[-1] == 2)


def random_inputs(program: Program, rows: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of a program: observations, masks that allow an action, memories."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for port in program.inputs:
        size = (rows, *port.shape)
        if port.dtype == "bool":
            found[port.name] = random.random(size) < 0.7
            found[port.name][~_possible(program, found[port.name])] = True
        elif port.name == "observation" and program.about.states:
            found[port.name] = random.integers(program.about.states, size=size).astype(np.float32)
        else:
            limit = 1.0 if port.name == "memory" else 3.0
            found[port.name] = random.uniform(-limit, limit, size).astype(np.float32)
    return found


def _possible(program: Program, masks: np.ndarray) -> np.ndarray:
    """The rows of masks in which every choice has an action."""
    sizes = np.array(program.about.action.each or (program.about.action.size,))
    able = np.arange(sizes.max()) < sizes[:, None]
    return (masks.reshape(len(masks), *able.shape) & able).any(axis=-1).all(axis=-1)


def ours(program: Program, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs of a policy as it is deployed, one observation after the other."""
    rows = range(len(inputs["observation"]))
    each = [_row(program, {name: array[i] for name, array in inputs.items()}) for i in rows]
    return {port.name: np.stack([row[port.name] for row in each]) for port in program.outputs}


def _row(program: Program, inputs: Arrays) -> dict[str, np.ndarray]:
    policy, mask = program.policy, inputs.get("action_mask")
    found = policy.network.step(inputs["observation"].ravel(), inputs.get("memory", ()))
    told = {"action": policy.action_of(found, mask), "next_memory": found.memory}
    return {
        name: np.asarray(value)
        for name, value in (told | _parameters(program, found, mask)).items()
    }


def _parameters(program: Program, found: Outputs, mask: Any) -> dict[str, Any]:
    if found.log_std is not None:
        return {"mean": found.values, "log_std": found.log_std}
    sizes = np.array(program.about.action.each or (program.about.action.size,))
    able = (np.arange(sizes.max()) < sizes[:, None]).ravel()
    return {"logits": np.where(mask & able, found.values, np.float32(NEVER))}
