"""Algorithms with other options, wherever in their parts these are."""

import dataclasses
from typing import Any

from coterie.internal.parts import Part
from coterie.rl.models import GRU, MLP


def with_options(algorithm: Any, **options: Any) -> Any:
    """The algorithm with those of the options that it, or a part of it, has."""
    changes = {}
    for field in dataclasses.fields(algorithm):
        now = getattr(algorithm, field.name)
        if field.name in options:
            changes[field.name] = options[field.name]
        elif isinstance(now, Part):
            changes[field.name] = with_options(now, **options)
    return dataclasses.replace(algorithm, **changes)


def remembering(algorithm: Any) -> Any:
    """The algorithm with a memory in all of its models that may have one."""
    models = {name: getattr(algorithm, name) for name in algorithm.recurrent_models}
    gated = {name: GRU(model.hidden_sizes, model.activation) for name, model in models.items()}
    return dataclasses.replace(algorithm, **gated)


def forgetful(algorithm: Any) -> Any:
    """The algorithm without a memory."""
    models = {name: getattr(algorithm, name) for name in algorithm.recurrent_models}
    plain = {name: MLP(model.hidden_sizes, model.activation) for name, model in models.items()}
    return dataclasses.replace(algorithm, **plain)
