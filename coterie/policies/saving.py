"""Policies of JAX and their files: writing them, reading them back, and models of one's own."""

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from coterie.encoding import ActionEncoding, Encoding
from coterie.errors import CoterieError, RunError, require
from coterie.internal.files import from_arrays, kinds_of, to_arrays, write_arrays
from coterie.internal.parts import describe, read
from coterie.internal.reading import (
    Arrays,
    Kind,
    Metadata,
    read_arrays,
    require_finite,
)
from coterie.internal.trust import reading
from coterie.policies.metadata import Architecture, PolicyMetadata, from_text, to_text
from coterie.policies.network import Network, Outputs, PolicyNetwork
from coterie.rl.models import Inputs, Model
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec, alone


def policy_metadata(
    spec: LearnerSpec,
    policy: Policy,
    greedy: bool,
    encodings: tuple[Encoding, ActionEncoding] | None = None,
    **identity: Any,
) -> PolicyMetadata:
    """Metadata of a trained policy.

    encodings: of the environment's own observations and actions.
    identity:  the fields of `PolicyMetadata` that say whose it is.
    """
    sees, acts = encodings or (None, None)
    return PolicyMetadata(
        observation=spec.observation,
        action=alone(spec.action),
        model=architecture(policy.model),
        greedy=greedy,
        shape=spec.shape,
        states=spec.states,
        normalized=spec.normalized,
        deviations=policy.deviations,
        sees=sees,
        acts=acts,
        **identity,
    )


def architecture(model: Model) -> Architecture:
    """A model as a policy file describes it."""
    told = describe(model)
    name = told.pop("kind")
    if ":" in name:
        return Architecture(name, own=json.dumps(told))
    fields = {field: tuple(v) if isinstance(v, list) else v for field, v in told.items()}
    return Architecture(name, **cast(dict[str, Any], fields))


def save_policy(path: Path, policy: Policy, about: PolicyMetadata) -> None:
    """Write one agent's policy, whole or not at all."""
    write_arrays(path, to_arrays(policy), to_text(dataclasses.replace(about, file=path.name)))


def read_policy(path: Path, wanted: PolicyMetadata, like: Policy) -> tuple[Policy, PolicyMetadata]:
    """Read the policy that `wanted` tells, shaped `like`, and its metadata.

    Its step may be any if `wanted` has -1. Raises `RunError` that says whose the file is, if it is
    another's.
    """

    def kinds(said: Metadata) -> dict[str, Kind]:
        _require_same(path, from_text(path, said), wanted)
        return kinds_of(like)

    arrays, said = read_arrays(path, kinds)
    require_finite(arrays, str(path))
    return from_arrays(arrays, like, str(path)), from_text(path, said)


def _require_same(path: Path, found: PolicyMetadata, wanted: PolicyMetadata) -> None:
    step = found.step if wanted.step < 0 else wanted.step
    wanted = dataclasses.replace(wanted, file=path.name, step=step)
    require(
        found.identity == wanted.identity,
        f"{path} is of {found.identity}, not of {wanted.identity}: it was swapped or is of another "
        "time, or run.json was changed.",
        RunError,
    )
    for field in dataclasses.fields(wanted):
        mine, theirs = getattr(found, field.name), getattr(wanted, field.name)
        require(
            mine == theirs,
            f"{path} has the {field.name} {mine!r:.80}, but the run's is {theirs!r:.80}: the file "
            "or run.json was changed.",
            RunError,
        )


class JaxNetwork:
    """A network of a policy in JAX, whatever its model, as `Network` is one in NumPy."""

    def __init__(self, policy: Policy):
        self._policy = policy
        self._step = jax.jit(self.outputs)

    def start(self) -> Any:
        """The memory at the start of an episode."""
        return self._policy.body.start()

    def step(self, x: np.ndarray, memory: Any) -> Outputs:
        """Outputs for an observation `[F]`."""
        values, log_std, memory = self._step(jnp.asarray(x), memory)
        return Outputs(np.asarray(values), None if log_std is None else np.asarray(log_std), memory)

    def outputs(self, x: Any, memory: Any, ops: Any = None) -> Outputs:
        """Outputs for observations `[..., F]`; a body calls JAX itself, whatever `ops` are."""
        features, memory = self._policy.body.step(x, memory)
        return Outputs(*self._policy.outputs(features), memory)


def network_of(policy: Policy, about: PolicyMetadata) -> PolicyNetwork:
    """The network of a trained policy, as a file of it would give it."""
    foreign = about.model.foreign
    return JaxNetwork(policy) if foreign else Network.of(to_arrays(policy), about)


def own_network(arrays: Arrays, about: PolicyMetadata, where: str) -> PolicyNetwork:
    """The network of a model of somebody's own; its code is run, if it is trusted."""
    return JaxNetwork(from_arrays(arrays, _blank(about, where), where))


def own_kinds(about: PolicyMetadata, where: str) -> dict[str, Kind]:
    """The arrays of a network of a model of somebody's own; its code is run, if it is trusted."""
    return kinds_of(_blank(about, where))


def restore_policy(path: Path) -> tuple[Policy, PolicyMetadata]:
    """Read one agent's policy file into JAX, whatever its model, and its metadata."""

    def kinds(said: Metadata) -> dict[str, Kind]:
        return kinds_of(_blank(from_text(path, said), str(path)))

    arrays, said = read_arrays(path, kinds)
    require_finite(arrays, str(path))
    about = from_text(path, said)
    return from_arrays(arrays, _blank(about, str(path)), str(path)), about


def _blank(about: PolicyMetadata, where: str) -> Policy:
    """A policy of the right shape, numbers to be filled in."""
    try:
        with reading(Path(where)):
            model = read({"kind": about.model.name, **_model_fields(about.model)}, Model)
        return eqx.filter_eval_shape(lambda: _fresh(about, model))
    except CoterieError as error:
        raise RunError(f"{where}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{where} does not describe a policy: {error!r}.") from None


def _model_fields(told: Architecture) -> dict[str, Any]:
    """The fields of a model, as they are written down."""
    if told.foreign:
        return json.loads(told.own)
    known = {field.name for field in dataclasses.fields(Model.KINDS[told.name])}
    return {name: value for name, value in vars(told).items() if name in known}


def _fresh(about: PolicyMetadata, model: Model) -> Policy:
    keys = jax.random.split(jax.random.key(0))
    inputs = Inputs.of(about)
    if about.deviations is not None and about.action.continuous:
        return Policy.squashed(keys, model, inputs, about.action, about.deviations)
    return Policy.init(keys, model, inputs, about.action)
