"""Arguments of somebody else's environment, compared with what its code declares of them.

Many environments take any value in silence: `continuous_actions=5`, or a text where a flag is
meant. What a function or a constructor says of its parameters is enough to notice most of it.
"""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coterie.errors import EnvError, brief, require

LENGTHS = (
    "max_cycles",
    "max_steps",
    "max_episode_steps",
    "episode_length",
    "horizon",
    "time_limit",
)
"""Parameters by which libraries name the steps of an episode."""

ELSEWHERE = "a function of your own that makes the environment (my.module:make) may pass anything"

Parameters = Mapping[str, inspect.Parameter]


def require_declared(
    name: str, make: Callable[..., Any], env: Any, given: Mapping[str, Any]
) -> None:
    """Raise `EnvError` for an argument that is not of the type, or among the choices, declared.

    name: of the environment, for errors.
    make: the function that made `env` of the arguments `given`; it may hand them on to the class.
    """
    places = [_parameters(make), _parameters(type(_innermost(env)))]
    for key, value in given.items():
        parameter = next((place[key] for place in places if key in place), None)
        wrong = _fault(parameter, value) if parameter else None
        wrong = wrong or (_no_mode(env, value) if key == "render_mode" else None)
        require(
            wrong is None,
            f"{name}: {key}={brief(repr(value), 60)}, but {wrong}; {ELSEWHERE}.",
            EnvError,
        )


def fits(value: Any, hint: Any) -> bool:
    """True if a plain value is of a declared type; what is not known here fits.

    >>> fits(1, bool), fits(5, bool), fits("x", str | None), fits(2, float), fits("2", float)
    (True, False, True, True, False)
    """
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return any(fits(value, part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if hint in (None, type(None)):
        return value is None
    if hint is bool:
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))
    if hint in (int, float):
        kinds = int if hint is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, str) if hint is str else True


def _innermost(env: Any) -> Any:
    """The environment inside of all wrappers, or the first one of a batch."""
    inner = getattr(env, "unwrapped", env)
    copies = getattr(inner, "envs", None)
    return _innermost(copies[0]) if isinstance(copies, list | tuple) and copies else inner


def _parameters(make: Any) -> Parameters:
    """The parameters that a function or a class names, with the types that they are declared of."""
    try:
        told = inspect.signature(make).parameters
        hints = typing.get_type_hints(make.__init__ if inspect.isclass(make) else make)
    except Exception:  # of somebody else's code: built in, or of names that are nowhere
        hints = {}
        told = _told(make)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    kept = {key: each for key, each in told.items() if each.kind in named}
    return {key: each.replace(annotation=_hint(each, hints)) for key, each in kept.items()}


def _told(make: Any) -> Parameters:
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError):
        return {}


def _hint(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Any:
    """The type that a parameter is declared of; that of its default, if this is a bool."""
    default, hint = parameter.default, hints.get(parameter.name, Any)
    if hint is Any and isinstance(default, bool):
        return bool
    absent = default is inspect.Parameter.empty
    return hint if absent or default is None or fits(default, hint) else Any


def _fault(parameter: inspect.Parameter, value: Any) -> str | None:
    """Say why a value is none for a parameter, if it is none."""
    default, hint = parameter.default, parameter.annotation
    if value is None and default is None:
        return None
    if not fits(value, hint):
        shown = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
        known = "" if default is inspect.Parameter.empty else f", {default!r} by default"
        return f"it is declared as {shown}{known}"
    none = isinstance(value, int | float) and value < 1
    if parameter.name in LENGTHS and none and isinstance(default, int) and default >= 1:
        return f"an episode has at least 1 step, and {default} by default"
    return None


def _no_mode(env: Any, mode: Any) -> str | None:
    """Say that an environment does not list a render mode, if it lists any."""
    told = getattr(env, "metadata", None)
    modes: Any = told.get("render_modes") if isinstance(told, Mapping) else None
    listed = isinstance(modes, Iterable) and not isinstance(modes, str)
    if mode is None or not listed or mode in list(modes):
        return None
    return f"its render_modes are {', '.join(map(str, modes)) or 'none'}"
