"""Metadata of a policy file: whose policy it is, what it perceives and does, and its network."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from coterie.encoding import ActionEncoding, Choice, Choices, Encoding, Numbers
from coterie.errors import RunError, require
from coterie.internal import typed
from coterie.internal.reading import Kind, Metadata
from coterie.spaces import Box, Discrete, MultiDiscrete, OwnSpace

FORMAT = "coterie policy 3"
SUFFIX = ".safetensors"
MOST = 2**31
"""The most numbers that any size in a policy file may stand for."""

FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Architecture:
    """Architecture of a network, as a policy file describes it.

    name: `mlp`, `gru` or `cnn`, or the path `module:Class` of a model of one's own.
    own:  the fields of a model of one's own, as JSON.

    The other fields are those of the models of these names.
    """

    name: str
    hidden_sizes: tuple[int, ...] = ()
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "relu"
    layer_norm: bool = False
    channels: tuple[int, ...] = ()
    kernel: int = 1
    own: str = ""

    @property
    def foreign(self) -> bool:
        """True if it is a model of somebody's own, which is built by its code."""
        return ":" in self.name


@dataclass(frozen=True)
class PolicyMetadata:
    """Metadata of a policy file, enough to play its policy, and to know whose it is.

    name:     the agent's name; `agent` is its place among the `agents` of the team.
    env, method: the environment and the algorithm that it was trained with.
    run, seed, step: the run (a hash of its configuration), the seed, and the environment steps
              after which it was written.
    file:     the name that the file was written under.
    observation, shape: how many numbers it perceives, and what shape they have.
    states:   how many different observations there are, if they are numbered; 0 otherwise.
    normalized: the network normalizes what it perceives.
    action:   its action space, as learners know it.
    sees, acts: the encodings of the environment's own observations and actions, if it has any.
    model:    the architecture of its network.
    greedy:   whether it takes its most likely action (Q-learning) or draws one.
    deviations: the bounds of its deviations, if it is squashed.
    """

    name: str
    env: str
    observation: int
    action: OwnSpace
    model: Architecture
    greedy: bool
    shape: tuple[int, ...] = ()
    states: int = 0
    normalized: bool = False
    deviations: tuple[float, float] | None = None
    sees: Encoding | None = None
    acts: ActionEncoding | None = None
    agent: int = 0
    agents: int = 1
    method: str = ""
    run: str = ""
    seed: int = 0
    step: int = 0
    file: str = ""

    @property
    def identity(self) -> str:
        """Identity in words."""
        name, method, env, run = map(typed.legible, (self.name, self.method, self.env, self.run))
        return (
            f"{name} (agent {self.agent} of {self.agents}) after {self.step} steps of seed "
            f"{self.seed} of {method} on {env}, run {run}"
        )


def to_text(about: PolicyMetadata) -> Metadata:
    """Metadata of a policy as a file's header holds it."""
    return {"policy": json.dumps({"format": FORMAT, **typed.describe(about)})}


def from_text(path: Any, said: Metadata) -> PolicyMetadata:
    """Metadata of a policy from a file's header; a `RunError` names what is wrong in it."""
    try:
        told = dict(json.loads(said.get("policy", "{}")))
    except (TypeError, ValueError, RecursionError) as error:
        raise RunError(f"{path} does not describe a policy: {error}.") from None
    require(
        told.pop("format", None) == FORMAT,
        f"{path} is not a policy file of this version ({FORMAT}).",
        RunError,
    )
    try:
        about = typed.read(told, PolicyMetadata, "policy")
    except (RunError, RecursionError) as error:
        raise RunError(f"{path} does not describe a policy: {error}") from None
    wrong = next(faults(about), None)
    require(wrong is None, f"{path} does not describe a policy: {wrong}.", RunError)
    return about


def faults(about: PolicyMetadata) -> Iterator[str]:
    """Contradictions in the metadata of a policy, in words."""
    sizes = (about.observation, *about.shape, about.agents, *_model_sizes(about.model))
    if not all(0 <= size < MOST for size in (*sizes, about.states, about.step)):
        yield f"sizes are from 0 to {MOST}, and not all of {sizes} are"
    if not 0 <= about.agent < about.agents:
        yield f"agent {about.agent} is not one of {about.agents}"
    if about.shape and math.prod(about.shape) != about.observation:
        yield f"observations of shape {about.shape} are not {about.observation} numbers"
    if about.sees is not None and about.sees.size != about.observation:
        yield f"the encoding of observations has {about.sees.size} numbers, not {about.observation}"
    if about.deviations is not None and not 0.0 < about.deviations[0] <= about.deviations[1]:
        yield f"deviations lie between two bounds above 0, not {about.deviations}"
    yield from _action_faults(about.action, about.acts)
    if not about.model.foreign:
        yield from _model_faults(about)


def _model_sizes(model: Architecture) -> tuple[int, ...]:
    return (*model.hidden_sizes, *model.channels, model.kernel)


def _action_faults(action: OwnSpace, acts: ActionEncoding | None) -> Iterator[str]:
    match action:
        case Discrete(size):
            good = 1 <= size < MOST
        case MultiDiscrete(sizes):
            good = bool(sizes) and all(1 <= size < MOST for size in sizes)
        case Box(size, low, high):
            wide = {len(ends) for ends in (low, high) if isinstance(ends, tuple)}
            good = 1 <= size < MOST and wide <= {size} and bool(np.all(np.less_equal(low, high)))
    if not good:
        yield f"{typed.shown(str(action))} is no space of actions"
    elif acts is not None and not _fits(acts, action):
        yield f"the encoding of actions is not of {typed.shown(str(action))}"


def _fits(acts: ActionEncoding, action: OwnSpace) -> bool:
    """True if an encoding gives the environment's actions for those of a space."""
    match acts, action:
        case Choice(), Discrete(size):
            return acts.count == size
        case Choices(), Discrete(size):
            whole = {math.prod(acts.shape), len(acts.starts)} == {len(acts.counts)}
            several = min(acts.counts, default=0) >= 1 and acts.actions == size
            return whole and several and _is_array(acts.shape, acts.dtype)
        case Numbers(), Box(size):
            whole = {acts.size, len(acts.low), len(acts.high)} == {size}
            return whole and _is_array(acts.shape, acts.dtype)
    return False


def _is_array(shape: tuple[int, ...], dtype: str) -> bool:
    known = dtype in np.sctypeDict and np.dtype(dtype).kind in "biuf"
    return known and min(shape, default=0) >= 0


def _model_faults(about: PolicyMetadata) -> Iterator[str]:
    model = about.model
    if model.name not in ("mlp", "gru", "cnn"):
        yield f"unknown Model {typed.shown(model.name)}: known are mlp, gru, cnn"
    if not all(size >= 1 for size in _model_sizes(model)):
        yield "widths and channels of a network are at least 1"
    if model.name != "mlp" and not model.hidden_sizes:
        yield f"a recurrent unit comes after a dense layer, and a {model.name} has none"
    if model.name == "cnn" and len(about.shape) != 3:
        yield f"a cnn looks at images, not at observations of shape {about.shape}"


def network_kinds(about: PolicyMetadata) -> dict[str, Kind]:
    """The arrays of a policy's network by their names in a file.

    >>> mlp = Architecture("mlp", (8,))
    >>> about = PolicyMetadata("a", "spread", 3, Discrete(5), mlp, False)
    >>> network_kinds(about)[".head.weight"].shape
    (8, 5)
    """
    return {name: Kind(shape, FLOAT) for name, shape in _shapes(about)}


def _shapes(about: PolicyMetadata) -> Iterator[tuple[str, tuple[int, ...]]]:
    model, width = about.model, about.states or about.observation
    body = body_name(about)
    if about.normalized:
        yield ".body.scale.shift", (width,)
        yield ".body.scale.factor", (width,)
    if model.name == "cnn":
        *image, depth = about.shape
        for place, channels in enumerate(model.channels):
            yield f"{body}.convolutions[{place}].weight", (*[model.kernel] * 2, depth, channels)
            yield f"{body}.convolutions[{place}].bias", (channels,)
            depth = channels
        width = math.prod(image) * depth
    for place, hidden in enumerate(model.hidden_sizes):
        yield from _dense(f"{body}.layers[{place}]", width, hidden)
        if model.layer_norm:
            yield f"{body}.norms[{place}].scale", (hidden,)
            yield f"{body}.norms[{place}].shift", (hidden,)
        width = hidden
    if model.name == "gru":
        cell = cell_name(about)
        for name in ("weight_ih", "weight_hh"):
            yield f"{cell}.{name}", (3 * width, width)
        yield f"{cell}.bias", (3 * width,)
        yield f"{cell}.bias_n", (width,)
    yield from _dense(".head", width, about.action.size)
    if about.action.continuous and about.deviations is not None:
        yield from _dense(".log_std", width, about.action.size)
    elif about.action.continuous:
        yield ".log_std", (about.action.size,)


def body_name(about: PolicyMetadata) -> str:
    """Name of the dense layers and convolutions of a network in a file."""
    return ".body" + about.normalized * ".inner" + (about.model.name == "gru") * ".inner"


def cell_name(about: PolicyMetadata) -> str:
    """Name of the recurrent unit of a network in a file."""
    return ".body" + about.normalized * ".inner" + ".cell"


def _dense(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (inputs, outputs)
    yield f"{name}.bias", (outputs,)
