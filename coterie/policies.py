"""Policy files, one per agent: from an observation to an action, without any other agent."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from coterie.errors import CoterieError, RunError, require
from coterie.internal.files import from_arrays, read_arrays, to_arrays, write_arrays
from coterie.internal.parts import describe, read
from coterie.internal.trust import reading
from coterie.rl.models import Inputs, Model
from coterie.rl.networks import Policy
from coterie.types import Box, Discrete, LearnerSpec, MultiDiscrete, Observation, Space

FORMAT = "coterie policy 2"
SUFFIX = ".safetensors"
KINDS: dict[str, type[Space]] = {
    "box": Box,
    "discrete": Discrete,
    "multi-discrete": MultiDiscrete,
}


@dataclasses.dataclass(frozen=True)
class PolicyMetadata:
    """Metadata of a policy file, enough to build its policy again.

    name:     the agent's name.
    env:      the environment it was trained for.
    observation, shape: how many numbers it perceives, and what shape they have.
    action:   its action space, in the environment's units.
    model:    the architecture of its network.
    greedy:   whether it takes its most likely action (Q-learning) or draws one.
    states:   how many different observations there are, if they are numbered; 0 otherwise.
    deviations: the bounds of its deviations, if it is squashed.
    """

    name: str
    env: str
    observation: int
    action: Space
    model: Model
    greedy: bool
    shape: tuple[int, ...] = ()
    states: int = 0
    deviations: tuple[float, float] | None = None


def policy_metadata(
    name: str, env: str, spec: LearnerSpec, policy: Policy, greedy: bool
) -> PolicyMetadata:
    """Metadata of a trained policy."""
    return PolicyMetadata(
        name,
        env,
        spec.observation,
        spec.action,
        policy.model,
        greedy,
        spec.shape,
        spec.states,
        policy.deviations,
    )


def save_policy(path: Path, policy: Policy, about: PolicyMetadata) -> None:
    """Write one agent's policy, whole or not at all."""
    kind = next(name for name, space in KINDS.items() if isinstance(about.action, space))
    fields = {field.name: getattr(about, field.name) for field in dataclasses.fields(about)}
    told = {"action": dataclasses.asdict(about.action), "model": describe(about.model)}
    described = {"format": FORMAT, "kind": kind, **fields, **told}
    write_arrays(path, to_arrays(policy), {"policy": json.dumps(described)})


class TrainedPolicy:
    """A trained policy: call it with an observation and it answers with an action.

    It remembers the episode if its network is recurrent: call `reset` when a new one starts.
    """

    def __init__(self, policy: Policy, about: PolicyMetadata, greedy: bool, seed: int):
        self.card = about
        self._policy = policy
        self._greedy = greedy
        self._key = jax.random.key(seed)
        self._decide = jax.jit(self._answer)
        self.reset()

    def reset(self) -> None:
        """Forget the episode."""
        self._memory = self._policy.body.start()

    def __call__(
        self, observation: ArrayLike, action_mask: ArrayLike | None = None
    ) -> int | np.ndarray:
        """The action for an observation `[F]`, or an image: a number, or a vector in its units.

        A numbered observation is the vector `[1]` of its number; several choices are a vector of
        their numbers.

        action_mask: which of its `A` actions are possible, `[A]`; all of them by default.
        """
        seen = np.asarray(observation, np.float32)
        shape = self.card.shape or (self.card.observation,)
        wanted = f"{shape[0]} numbers" if len(shape) == 1 else f"arrays of shape {shape}"
        require(
            seen.shape == shape,
            f"{self.card.name} perceives {wanted}, but the observation has shape {seen.shape}.",
        )
        seen = seen.reshape(-1)
        known = range(self.card.states or 1)
        require(
            self.card.states == 0 or seen[0] in known,
            f"{self.card.name} knows the observations 0 to {known[-1]}, not {seen[0]:g}.",
        )
        mask = None if action_mask is None else jnp.asarray(action_mask, bool)
        if mask is not None:
            require(
                mask.shape == (self.card.action.size,),
                f"{self.card.name} has {self.card.action.size} actions, "
                f"but the mask has shape {mask.shape}.",
            )
        self._key, key = jax.random.split(self._key)
        action, self._memory = self._decide(self._memory, Observation(jnp.asarray(seen), mask), key)
        return self.card.action.plain(action)

    def _answer(self, memory: Any, view: Observation, key: Array) -> tuple[Array, Any]:
        choices, memory = self._policy.step(view, memory)
        action = choices.mode() if self._greedy else choices.sample(key)
        return self.card.action.rescale(action), memory


def load_policy(path: str | Path, greedy: bool | None = None, seed: int = 0) -> TrainedPolicy:
    """Load one agent's policy file.

    greedy: take the most likely action instead of drawing one; by default as it was trained
            (policies draw, Q-learning takes the best).
    seed:   of the random stream that it draws from.

    Raises `RunError` if the file is missing, damaged or not a policy.
    """
    policy, about = read_policy(path)
    return TrainedPolicy(policy, about, about.greedy if greedy is None else greedy, seed)


def read_policy(path: str | Path) -> tuple[Policy, PolicyMetadata]:
    """Read a policy file: the policy, and its metadata."""
    path = Path(path)
    require(
        path.suffix == SUFFIX and not path.is_dir(),
        f"{path} is not a policy file: name one agent's, RUN/seed-0/policies/agent-0{SUFFIX}.",
        RunError,
    )
    arrays, metadata = read_arrays(path)
    try:
        described = json.loads(metadata.get("policy", "{}"))
        require(
            described.get("format") == FORMAT,
            f"{path} is not a policy file of this version ({FORMAT}).",
            RunError,
        )
        with reading(path):
            about = _read_card(described)
        like = _blank(about)
    except RunError:
        raise
    except CoterieError as error:
        raise RunError(f"{path}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} does not describe a policy: {error!r}.") from None
    return from_arrays(arrays, like, str(path)), about


def _read_card(described: dict[str, Any]) -> PolicyMetadata:
    fields = {field.name: described[field.name] for field in dataclasses.fields(PolicyMetadata)}
    bounds: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in fields["action"].items()
    }
    fields["action"] = KINDS[described["kind"]](**bounds)
    fields["model"] = read(fields["model"], Model)
    fields["shape"] = tuple(map(int, fields["shape"]))
    if fields["deviations"] is not None:
        low, high = fields["deviations"]
        fields["deviations"] = float(low), float(high)
    return PolicyMetadata(**fields)


def _blank(about: PolicyMetadata) -> Policy:
    """A policy of the right shape, numbers to be filled in."""

    def build() -> Policy:
        keys = jax.random.split(jax.random.key(0))
        inputs = Inputs.of(about)
        if about.deviations is not None and about.action.continuous:
            return Policy.squashed(keys, about.model, inputs, about.action, about.deviations)
        return Policy.init(keys, about.model, inputs, about.action)

    return eqx.filter_eval_shape(build)
