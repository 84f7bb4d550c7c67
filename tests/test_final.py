"""Algorithms and parts are final: what varies is a value, and nothing overrides what works already.

Read from the source, so that nothing has to be imported or built.
"""

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1] / "coterie"
OWN = {"__post_init__", "__init_subclass__"}  # what every class adds to


class Class(NamedTuple):
    """A class of the package, as its source has it."""

    bases: list[str]
    fields: set[str]
    abstract: set[str]
    methods: set[str]
    extended: set[str]


def _abstract(decorator):
    return "abstract" in ast.unparse(decorator)


def read(node):
    """What a class declares, defines, leaves open, and extends by `super()`."""
    functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
    fields = {
        part.target.id
        for part in node.body
        if isinstance(part, ast.AnnAssign) and "ClassVar" not in ast.unparse(part.annotation)
    }
    abstract = {
        f.name for f in functions if "abstract" in " ".join(map(ast.unparse, f.decorator_list))
    }
    extended = {f.name for f in functions if "super()." in ast.unparse(f)}
    bases = [ast.unparse(base) for base in node.bases]
    return Class(bases, fields, abstract, {f.name for f in functions}, extended)


CLASSES = {
    node.name: read(node)
    for path in sorted(ROOT.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ClassDef)
}


def above(name):
    """The package's classes that a class derives from, the nearest first."""
    for base in CLASSES[name].bases:
        if base in CLASSES:
            yield base
            yield from above(base)


def left_open(name):
    """What a class and those above it declare as abstract, and do not define."""
    line = [name, *above(name)]
    asked = set().union(*(CLASSES[each].abstract for each in line))
    told = set().union(*(CLASSES[each].methods - CLASSES[each].abstract for each in line))
    told |= set().union(*(CLASSES[each].fields for each in line))
    return asked - told


KINDS = [n for n in CLASSES if {"Algorithm", "Part"} & {n, *above(n)}]
each = pytest.mark.parametrize("name", KINDS)


@each
def test_nothing_derives_from_what_is_complete(name):
    complete = [base for base in above(name) if base in KINDS and not left_open(base)]
    assert set(complete) <= {"Part", "Channel"}  # a channel may do anything, and need do nothing


@each
def test_no_field_is_declared_twice(name):
    """A field declared again loses the bound that it had, and its place."""
    again = {base: CLASSES[name].fields & CLASSES[base].fields for base in above(name)}
    assert not any(again.values()), again


@each
def test_nothing_extends_a_method_of_its_base(name):
    """What a base does and what it asks for are two things."""
    assert CLASSES[name].extended <= OWN


def test_there_is_something_to_look_at():
    assert len(KINDS) > 60 and left_open("Algorithm") >= {"init", "act", "learn", "policy"}
