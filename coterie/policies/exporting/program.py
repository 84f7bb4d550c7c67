"""The program of an exported policy: from named inputs to named outputs, for any library."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from coterie.encoding import Choice, Choices
from coterie.policies.metadata import PolicyMetadata, to_text
from coterie.policies.network import Outputs
from coterie.policies.trained import TrainedPolicy
from coterie.rl import forward

BATCH = "batch"
"""The name of the first axis of every array: any number of observations at once."""
NEVER = -1e9
"""The logit of an impossible action."""

Arrays = Mapping[str, Any]


class Library(NamedTuple):
    """A library's functions that a policy is made of.

    ops:      those of its network.
    where:    `(mask, values, otherwise)`.
    argmax:   the number of the largest entry of the last axis, int64 or int32.
    repeated: `(row, like)`: a row `[A]` once for each row of an array `[B, A]`.
    held:     the type that numbers of a type are held in, by its name.
    """

    ops: forward.Ops
    where: Callable[[Any, Any, float], Any]
    argmax: Callable[[Any], Any]
    repeated: Callable[[Any, Any], Any]
    held: Callable[[str], str] = str


@dataclass(frozen=True)
class Port:
    """An input or output of a program: `[batch, *shape]` of a type."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Program:
    """The program of one agent's policy: its distribution, and its most likely action.

    Inputs are `observation`, `action_mask` where actions are numbered, and `memory` of a recurrent
    network, zero at the start of an episode. Outputs are `logits` (masked), or `mean` and
    `log_std`, then `action`, the most likely one in the environment's own units, and
    `next_memory`.
    """

    policy: TrainedPolicy

    @property
    def about(self) -> PolicyMetadata:
        """The metadata of the policy."""
        return self.policy.metadata

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs, in order."""
        about, memory = self.about, self._memory
        ports = [Port("observation", about.shape or (about.observation,))]
        if not about.action.continuous:
            ports.append(Port("action_mask", (about.action.size,), "bool"))
        return (*ports, *([Port("memory", memory)] if memory else []))

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs, in order."""
        size, memory = (self.about.action.size,), self._memory
        names = ["mean", "log_std"] if self.about.action.continuous else ["logits"]
        ports = [*(Port(name, size) for name in names), self._action]
        return (*ports, *([Port("next_memory", memory)] if memory else []))

    @property
    def _memory(self) -> tuple[int, ...]:
        """The shape of what the network remembers; nothing if it remembers nothing."""
        return np.shape(self.policy.network.start()) if self.recurrent else ()

    @property
    def recurrent(self) -> bool:
        """True if the network remembers the episode."""
        return not isinstance(self.policy.network.start(), tuple)

    @property
    def _action(self) -> Port:
        acts, action = self.about.acts, self.about.action
        if isinstance(acts, Choice) or (acts is None and not (action.continuous or action.each)):
            return Port("action", (), "int64")
        if acts is not None:
            return Port("action", acts.shape, acts.dtype)
        return Port("action", (action.numbers,), "float32" if action.continuous else "int64")

    def description(self, library: Library) -> dict[str, str]:
        """Description beside the program: whose policy it is, and what goes in and out."""
        about = self.about
        fields = ("name", "agent", "agents", "env", "method", "run", "seed", "step")
        identity = {field: str(getattr(about, field)) for field in fields}
        ports = {"inputs": self.inputs, "outputs": self.outputs}
        told = {
            side: json.dumps([[p.name, library.held(p.dtype), [BATCH, *p.shape]] for p in each])
            for side, each in ports.items()
        }
        return identity | told | to_text(about)

    def run(self, library: Library, inputs: Arrays) -> dict[str, Any]:
        """The outputs for a batch, in the library whose functions these are."""
        seen = inputs["observation"]
        rows = seen.reshape(seen.shape[0], self.about.observation)
        network: Any = self.policy.network
        found: Outputs = network.outputs(rows, inputs.get("memory", ()), library.ops)
        told = self._continuous(found, library) if found.log_std is not None else {}
        told = told or self._numbered(found.values, inputs["action_mask"], library)
        return told | ({"next_memory": found.memory} if self.recurrent else {})

    def _continuous(self, found: Outputs, library: Library) -> dict[str, Any]:
        about, log_std = self.about, found.log_std
        if np.ndim(log_std) == 1:
            log_std = library.repeated(log_std, found.values)
        meant = library.ops.tanh(found.values) if about.deviations else found.values
        action = about.action.rescale(meant)
        if about.acts is not None:
            ends = (np.asarray(end, np.float32) for end in (about.acts.low, about.acts.high))  # type: ignore[union-attr]
            action = library.ops.clip(action, *ends)  # type: ignore[arg-type]
        return {"mean": found.values, "log_std": log_std, "action": self._shaped(action, library)}

    def _numbered(self, values: Any, mask: Any, library: Library) -> dict[str, Any]:
        action, acts = self.about.action, self.about.acts
        sizes = np.array(action.each or (action.size,))
        able = (np.arange(sizes.max()) < sizes[:, None]).ravel()
        logits = library.where(mask & able if action.each else mask, values, NEVER)
        batch = values.shape[0]
        chosen = library.argmax(logits.reshape(batch, len(sizes), int(sizes.max())))
        if isinstance(acts, Choices):  # a combination's number, as its digits
            places = [math.prod(acts.counts[i + 1 :]) for i in range(len(acts.counts))]
            chosen = chosen // np.array(places) % np.array(acts.counts) + np.array(acts.starts)
        elif isinstance(acts, Choice):
            chosen = chosen + acts.start
        return {"logits": logits, "action": self._shaped(chosen, library)}

    def _shaped(self, action: Any, library: Library) -> Any:
        port = self._action
        return action.reshape(action.shape[0], *port.shape).astype(library.held(port.dtype))
