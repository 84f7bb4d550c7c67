"""Fields of a dataclass as its source declares them: annotations and help sentences."""

import ast
import contextlib
import dataclasses
import inspect
import itertools
import re
import typing
from functools import cache
from pathlib import Path
from typing import Any


def summary(kind: Any) -> str:
    """The first line of a docstring."""
    return (kind.__doc__ or "").strip().splitlines()[0] if (kind.__doc__ or "").strip() else ""


@cache
def hints(kind: type) -> dict[str, Any]:
    """The annotations of a class, with what `Annotated` adds."""
    return typing.get_type_hints(kind, include_extras=True)


def default_of(field: dataclasses.Field[Any]) -> Any:
    """A field's default; `MISSING` if it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


@cache
def abouts(kind: type) -> dict[str, str]:
    """Return the help of each field: the string below it, or its line in the class's docstring.

    >>> from coterie.training.settings import Settings
    >>> abouts(Settings)["num_envs"]
    'Environments played side by side.'
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _listed(base) | _below(base)
    return found


def _below(kind: type) -> dict[str, str]:
    """The strings below the fields in a class's source."""
    with contextlib.suppress(OSError, TypeError, SyntaxError):  # some are made without a source
        body = _bodies(inspect.getsourcefile(kind) or "").get(kind.__qualname__.split(".")[-1], [])
        return _strings(body)
    return {}


@cache
def _bodies(path: str) -> dict[str, list[ast.stmt]]:
    """Return the statements of each class in a file."""
    tree = ast.parse(Path(path).read_text())
    return {node.name: node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _strings(body: list[ast.stmt]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one, below in itertools.pairwise(body):
        match one, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
    return found


def _listed(kind: type) -> dict[str, str]:
    """The lines `name: words` of a class's docstring."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        entry = re.match(r"(\w+(?:, \w+)*):\s+(.*)", line)
        if entry:
            name = entry[1].split(", ")[0]
            found |= dict.fromkeys(entry[1].split(", "), entry[2])
        elif line.startswith(" ") and name:
            found[name] += f" {line.strip()}"
        else:
            name = ""
    return found
