"""Checks of a `JaxEnv` that a compiled loop relies on: it can be traced, and its shapes fit."""

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from coterie.envs.host.factory import describe
from coterie.envs.timestep import PureEnv, Timestep
from coterie.errors import CoterieError
from coterie.types import Observation


def faulty_shapes(env: PureEnv) -> list[str]:
    """Return the faults found before a step is played; an environment with one cannot be played."""
    try:
        made = jax.eval_shape(env.reset, jax.random.key(0))
    except Exception as error:
        return [_untraceable("reset", error)]
    if fault := _no_pair("reset", made, Observation):
        return [fault]
    state, view = made
    try:
        made = jax.eval_shape(env.step, state, any_action(env))
    except Exception as error:
        return [_untraceable("step", error)]
    if fault := _no_pair("step", made, Timestep):
        return [fault]
    after, timestep = made
    return [
        *_view_faults("reset", env, view),
        *_view_faults("step", env, timestep.view),
        *_result_faults(len(env.specs), timestep),
        *_state_faults(state, after),
        *_field_faults(view, timestep.view),
    ]


def any_action(env: PureEnv) -> Array:
    """A joint action, for its shape."""
    sizes = [spec.action.size for spec in env.specs]
    if any(spec.action.continuous for spec in env.specs):
        return jnp.zeros((len(sizes), max(sizes)))
    return jnp.zeros(len(sizes), jnp.int32)


def _untraceable(what: str, error: Exception) -> str:
    if isinstance(error, CoterieError):  # a sentence already
        return str(error)
    kinds = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
    if not isinstance(error, kinds):
        return f"{what} raised {describe(error)} when it was traced."
    return (
        f"{what} cannot be compiled: it needs the value of an array while it is traced "
        f"({type(error).__name__}); use jnp.where or jax.lax.cond for if, and jnp for np."
    )


def _no_pair(what: str, made: Any, kind: type) -> str | None:
    """Return the fault of a result that is not a state and a value of this kind."""
    several = isinstance(made, tuple)
    if several and len(made) == 2 and isinstance(made[1], kind):
        return None
    found = f"{len(made)} values" if several and len(made) != 2 else "another kind"
    return f"{what} must return (state, {kind.__name__}(...)), not {found}."


def _view_faults(what: str, env: PureEnv, view: Observation) -> Iterator[str]:
    agents, widest = len(env.specs), max((spec.shape for spec in env.specs), key=math.prod)
    seen = (agents, *widest)
    yield from _expect(f"{what}: the observation", view.observation, seen, jnp.floating)
    sizes = [spec.action.size for spec in env.specs]
    if view.action_mask is not None:
        shape = (agents, max(sizes))
        yield from _expect(f"{what}: action_mask", view.action_mask, shape, jnp.bool_)
    elif len(set(sizes)) > 1:
        yield (
            f"{what}: there is no action_mask although agents have {min(sizes)} to {max(sizes)} "
            "actions: give one that is False beyond an agent's own."
        )
    if view.alive is not None:
        yield from _expect(f"{what}: present", view.alive, (agents,), jnp.bool_)


def _result_faults(agents: int, timestep: Timestep) -> Iterator[str]:
    yield from _expect("step: the reward", timestep.reward, (agents,), jnp.floating)
    for what in ("terminated", "truncated"):
        yield from _expect(f"step: {what}", getattr(timestep, what), (agents,), jnp.bool_)
    for name, number in timestep.info.items():
        if number.shape not in ((), (agents,)):
            yield f"step: info[{name!r}] has shape {number.shape}, not () or ({agents},)."


def _expect(what: str, array: Any, shape: tuple[int, ...], kind: Any) -> Iterator[str]:
    if array.shape != shape:
        yield f"{what} has shape {array.shape}, not {shape}: one entry per agent comes first."
    if not jnp.issubdtype(array.dtype, kind):
        wanted = "bool" if kind is jnp.bool_ else "float32"
        yield f"{what} is {array.dtype}, not {wanted}: use .astype({wanted})."


def _state_faults(before: PyTree, after: PyTree) -> Iterator[str]:
    """Check that a step keeps the shapes of the state, as a scan needs."""
    if jax.tree.structure(before) != jax.tree.structure(after):
        yield "the state after step has other parts than the state after reset: give it the same."
        return
    for (path, one), two in zip(
        jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        if (one.shape, one.dtype) != (two.shape, two.dtype):
            yield (
                f"state{jax.tree_util.keystr(path)} is {one.dtype}{list(one.shape)} after reset "
                f"but {two.dtype}{list(two.shape)} after step: give it one shape and type."
            )


def _field_faults(before: Observation, after: Observation) -> Iterator[str]:
    for name, one, two in zip(Observation._fields, before, after, strict=True):
        if (one is None) != (two is None):
            yield f"view.{name} is given by only one of reset and step: give it in both or neither."
