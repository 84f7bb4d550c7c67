"""Coterie: teams that learn without a centre, talking only to their neighbours on a graph.

`__init__.pyi` says where each public name is at home; it is imported when it is first asked for, so
that a deployed policy (`coterie.load_policy`) needs NumPy and not JAX.
"""

import ast
import importlib.metadata
import pkgutil
from typing import Any

_STUB = (pkgutil.get_data(__name__, "__init__.pyi") or b"").decode()
_HOMES = {
    alias.name: node.module
    for node in ast.parse(_STUB).body
    if isinstance(node, ast.ImportFrom) and node.module
    for alias in node.names
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("coterie")
    if name not in _HOMES:
        raise AttributeError(f"module 'coterie' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
