"""The help of a verb: its options in groups, each with its sentence and its default."""

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

from coterie.cli.fields import summary
from coterie.cli.options import Node, Option

LEFT = 30
"""Columns for names; what is longer has a line of its own."""
COMMON = (
    ("--json", "Print what is found as JSON on standard output, and nothing else there."),
    ("--quiet", "Show no progress and no advice; errors are still said."),
    ("-h, --help", "Show this help."),
)


def help_of(prog: str, nodes: Sequence[Node], about: str = "") -> str:
    """The help of a command: usage, then one group after the other."""
    lines = [f"usage: coterie {prog} [options]", *([about] if about else [])]
    for node in nodes:
        if node.shown:
            lines += ["", _title(node), *(line for o in node.shown for line in _lines(o))]
    lines += ["", "every command", *(line for row in COMMON for line in _entry(*row))]
    return "\n".join(lines)


def _title(node: Node) -> str:
    about = summary(node.kind)
    return f"{node.title} - {about}" if about else node.title


def _lines(option: Option) -> list[str]:
    left = f"{', '.join(f'--{name}' for name in option.typed)} {option.metavar}"
    return _entry(left.strip(), f"{option.about} {default_words(option)}".strip())


def _entry(left: str, about: str) -> list[str]:
    """A name and its help, side by side or one below the other."""
    width = max(min(shutil.get_terminal_size().columns, 110), 60) - LEFT - 4
    wrapped = textwrap.wrap(about, width, break_on_hyphens=False) or [""]
    below = [" " * (LEFT + 4) + line for line in wrapped]
    if len(left) > LEFT:
        return [f"  {left}", *below]
    return [f"  {left:<{LEFT}}  {wrapped[0]}", *below[1:]]


def default_words(option: Option) -> str:
    """Return the default of an option in words: `(default: 64 64)`."""
    if option.default is MISSING:
        return "(required)"
    if option.spelling:
        shown = option.spelling.shown(option.default)
    elif option.flag:
        shown = "yes" if option.default else "no"
    else:
        shown = _words(option.default)
    return f"(default: {shown or 'nothing'})"


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return " ".join(map(_words, value)) if isinstance(value, tuple) else str(value)
