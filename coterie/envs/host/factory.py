"""Factories of environments by dotted path; an environment's author writes its factory."""

import ast
import difflib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from coterie.envs.host.declared import require_declared
from coterie.errors import EnvError, brief, require
from coterie.internal.extras import install
from coterie.internal.gymnasium_vector import require_batch
from coterie.internal.imports import load

Options = tuple[tuple[str, Any], ...]

EXTRA = {"pettingzoo": "pettingzoo", "mpe2": "pettingzoo", "gymnasium": "gymnasium"}
"""Extras that install packages of environments."""

MOVED = {"pettingzoo.mpe": "mpe2"}
"""Packages whose environments are now in another one."""

RAISED = (Exception, SystemExit)
"""Errors that an environment's code may raise; to leave the interpreter is one of them."""


def build(factory: str, options: Options, **more: Any) -> Any:
    """A fresh `ParallelEnv` from `factory`, called with `options` (and `more`)."""
    env = called(factory, resolve(factory), dict(options), **more)
    _require_parallel(factory, env)
    return env


def build_batch(factory: str, options: Options, copies: int, **more: Any) -> Any:
    """A fresh vector environment of Gymnasium's kind, with so many copies, from `factory`."""
    env = called(factory, resolve(factory), {"num_envs": copies, **dict(options)}, **more)
    require_batch(factory, env, copies)
    return env


def called(name: str, make: Callable[..., Any], options: Mapping[str, Any], **more: Any) -> Any:
    """Call a function that makes an environment with options, and `more` that are not the user's.

    `EnvError` with what it was given if it fails, or if it is given what it does not declare.
    """
    told = {**options, **more}
    try:
        env = make(**told)
    except RAISED as error:
        given = ", ".join(f"{key}={brief(repr(value))}" for key, value in told.items())
        raise EnvError(
            f"{name}({given}) failed: {brief(describe(error), 600)}; --env-kwargs are its "
            "arguments."
        ) from error
    try:
        require_declared(name, make, env, options)
    except EnvError:
        close(env)
        raise
    return env


def arguments(env_kwargs: Sequence[str]) -> Options:
    """Arguments of a factory, by name: Python's plain values, or else text.

    `ConfigError` if one is no name=value, or if a name comes twice.

    >>> arguments(["N=3", "shape=[2, 3]", "map=maze"])
    (('N', 3), ('shape', [2, 3]), ('map', 'maze'))
    """
    pairs = [option.partition("=") for option in env_kwargs]
    names = [name.strip() for name, _, _ in pairs]
    require(
        all(equals for _, equals, _ in pairs)
        and all(name.isidentifier() and names.count(name) == 1 for name in names),
        f"options are name=value, each name once, not {' '.join(env_kwargs)!r}.",
    )
    return tuple((name, _value(text)) for name, (_, _, text) in zip(names, pairs, strict=True))


def close(env: Any) -> BaseException | None:
    """Close an environment, if it can be closed; the error that this raised, if any."""
    try:
        getattr(env, "close", lambda: None)()
    except RAISED as error:
        return error
    return None


def resolve(factory: str) -> Callable[..., Any]:
    """Import `factory`: `module` (its `parallel_env`), `module:function` or `module.function`.

    >>> float(resolve("numpy.sqrt")(4.0)), float(resolve("numpy:sqrt")(9.0))
    (2.0, 3.0)
    """
    _require_current(factory)
    module, colon, attribute = factory.partition(":")
    require(
        module.partition(".")[0] not in sys.stdlib_module_names,
        f"{factory} is a part of Python itself and makes no environment: name a function that "
        "makes one, as in my.module:make.",
        EnvError,
    )
    found = _attribute(_module(module), attribute, factory) if colon else _module_or_member(factory)
    if isinstance(found, ModuleType):
        found = _attribute(found, "parallel_env", factory)
    require(callable(found), f"{factory} is not a function that makes an environment.", EnvError)
    return found


def describe(error: BaseException) -> str:
    """An exception as part of a sentence: its type, its text and where it was raised.

    >>> describe(KeyError("lamp"))
    "KeyError: 'lamp'"
    """
    text = f"{type(error).__name__}: {error}".strip().rstrip(".")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return text
    return f"{text} ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _value(text: str) -> Any:
    """A plain value from text, or the text."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text.strip()


def _module_or_member(path: str) -> Any:
    parent, _, member = path.rpartition(".")
    try:
        return _module(path)
    except _NoModule:
        if not parent or not hasattr(_module(parent), member):
            raise
        return getattr(_module(parent), member)


class _NoModule(EnvError):
    """The module itself is missing, not something that it imports."""


def _module(path: str) -> ModuleType:
    try:
        return load(path)
    except ModuleNotFoundError as error:
        if error.name in EXTRA:
            raise EnvError(
                f"{path} needs {error.name}, which is not installed: {install(EXTRA[error.name])}."
            ) from None
        if error.name is not None and (path == error.name or path.startswith(error.name + ".")):
            raise _NoModule(_no_module(path)) from None
        raise EnvError(f"importing {path} failed: {describe(error)}.") from error
    except RAISED as error:
        raise EnvError(f"importing {path} failed: {describe(error)}.") from error


def _no_module(path: str) -> str:
    """The sentence for a module that does not exist, with the nearest names of its package."""
    parent, _, name = path.rpartition(".")
    siblings = [module.name for module in pkgutil.iter_modules(_folders(parent))]
    near = difflib.get_close_matches(name, siblings, n=2, cutoff=0.5)
    if not near:
        return f"no module named {path}: is its folder on the Python path?"
    return f"no module named {path}: did you mean {' or '.join(f'{parent}.{n}' for n in near)}?"


def _folders(package: str) -> list[str]:
    if not package:
        return []
    try:
        return list(getattr(importlib.import_module(package), "__path__", []))
    except RAISED:
        return []


def _require_current(path: str) -> None:
    """Raise `EnvError` if there is only another version of the environment `path`, or elsewhere."""
    parent, _, name = path.rpartition(".")
    stem, mark, number = name.rpartition("_v")
    if not mark or not number.isdigit():
        return
    place = MOVED.get(parent, parent)
    known = [module.name for module in pkgutil.iter_modules(_folders(place))]
    versions = [n for n in known if n.startswith(stem + mark) and n[len(stem + mark) :].isdigit()]
    newest = max(versions, key=lambda n: int(n[len(stem + mark) :]), default=name)
    require(
        not versions or (name in versions and place == parent),
        f"{path} is superseded: use {place}.{newest}.",
        EnvError,
    )


def _attribute(module: ModuleType, name: str, factory: str) -> Any:
    require(
        hasattr(module, name),
        f"{factory}: module {module.__name__} has no {name!r}; name a function that makes "
        "an environment, as in my.module:make.",
        EnvError,
    )
    return getattr(module, name)


def _require_parallel(factory: str, env: Any) -> None:
    require(
        not hasattr(env, "agent_selection") and not hasattr(env, "agent_iter"),
        f"{factory} makes an environment in which agents move in turn (AECEnv): "
        "wrap it with pettingzoo.utils.conversions.aec_to_parallel.",
        EnvError,
    )
    needed = ("possible_agents", "reset", "step", "observation_space", "action_space")
    for name in needed:
        require(
            hasattr(env, name),
            f"{factory} makes a {type(env).__name__} without {name!r}: it must be a ParallelEnv.",
            EnvError,
        )
