"""Imports by name: the file that an import would run, and modules of the working directory."""

import importlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PETTINGZOO = "pettingzoo:"
GYMNASIUM, GYMNASIUM_VECTOR = "gymnasium:", "gymnasium-vector:"
JAXMARL, JUMANJI, SMAX = "jaxmarl:", "jumanji:", "smax:"
"""What stands before the name that an environment has in another library."""
INSIDE = "Python itself"
"""The place of what has no file."""


def module_in(name: str) -> str:
    """The module that a name of code speaks of; empty if it is a name that a library keeps itself.

    >>> module_in("my.pond:Env"), module_in("pettingzoo:my.pond:make"), module_in("jaxmarl:SMAX")
    ('my.pond', 'my.pond', '')
    >>> module_in("gymnasium-vector:my.pond:make")
    'my.pond'
    >>> module_in("gymnasium:rware:rware-tiny-2ag-v2"), module_in("gymnasium:CartPole-v1")
    ('rware', '')
    """
    if name.startswith((JAXMARL, JUMANJI, SMAX)):
        return ""
    if name.startswith(GYMNASIUM):
        return name.removeprefix(GYMNASIUM).rpartition(":")[0]
    return name.removeprefix(PETTINGZOO).removeprefix(GYMNASIUM_VECTOR).partition(":")[0]


def load(module: str) -> ModuleType:
    """Import a module by its name.

    A module of the working directory is found if no other has its name, so that no file there
    stands in for an installed package.
    """
    top = module.partition(".")[0]
    if top not in sys.modules and _installed(top, None) is None and _here(top) is not None:
        sys.path.append(os.getcwd())
    return importlib.import_module(module)


def origin(module: str) -> str | None:
    """The file that `load` would run, found without running anything; `None` if there is none.

    Where only a package of the name exists, the package's file, which runs first.

    >>> origin("json.decoder").endswith("decoder.py"), origin("no_such_module")
    (True, None)
    """
    if module in sys.modules:
        return _file_of(sys.modules[module])
    name, folders, found = "", None, None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = _installed(name, folders) or (None if folders else _here(name))
        if spec is None:
            break
        found, folders = spec, list(spec.submodule_search_locations or ())
        if not folders:
            break
    if found is not None:
        return _place(found)
    top = sys.modules.get(module.partition(".")[0])
    return None if top is None else _file_of(top)


def _installed(name: str, folders: list[str] | None) -> ModuleSpec | None:
    """The module of this name on Python's path, or in the folders of its package."""
    finders = (finder.find_spec for finder in sys.meta_path if hasattr(finder, "find_spec"))
    found = (find(name, folders, None) for find in finders)
    return next((spec for spec in found if spec is not None), None)


def _here(name: str) -> ModuleSpec | None:
    """The module of this name in the working directory."""
    return PathFinder.find_spec(name, [os.getcwd()])


def _file_of(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return os.path.abspath(file) if file else INSIDE


def _place(spec: ModuleSpec) -> str:
    folders = list(spec.submodule_search_locations or ())
    if spec.has_location and spec.origin:
        return os.path.abspath(spec.origin)
    return os.path.abspath(folders[0]) if folders else INSIDE
