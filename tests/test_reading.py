"""What somebody reads to follow a method: few files, and not long ones."""

import inspect
import sys
from pathlib import Path

import pytest

from coterie.algorithms import Algorithm
from coterie.catalogue import ALGORITHMS

FILES, LINES = 4, 600
WINGS = "coterie.algorithms."


def wing_modules(names):
    """Modules of the families of methods; the base of them all is read once, with the docs."""
    return {n for n in names if n.startswith(WINGS) and not n.startswith(WINGS + "base")}


def to_read(method: type[Algorithm]) -> set[str]:
    """Modules of a method's classes, and of the functions of its family that these call.

    Parts (a consensus, a model) are values behind an interface, which its docstrings explain.
    """
    classes = wing_modules(each.__module__ for each in method.__mro__)
    called = {
        value.__module__
        for module in classes
        for value in vars(sys.modules[module]).values()
        if inspect.isfunction(value)
    }
    return classes | wing_modules(called)


def lines_of(module: str) -> int:
    return len(Path(inspect.getfile(sys.modules[module])).read_text().splitlines())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_method_is_read_in_four_files_and_six_hundred_lines(name):
    modules = to_read(type(ALGORITHMS[name]))
    lines = {module: lines_of(module) for module in sorted(modules)}
    assert len(lines) <= FILES and sum(lines.values()) <= LINES, lines
