"""The reference is made from docstrings: this makes Markdown of them, and asks for all of them.

`mkdocs.yml` names this file twice. As a hook of mkdocs it warns of public names that no page shows,
which ends a strict build. As an extension of griffe, which reads the sources without importing
them, it prepares docstrings: entries `name: words` become lists, examples become code, and a
dataclass gets a list of its fields, those of its bases included.
"""

import ast
import logging
import re
import textwrap
from pathlib import Path

import griffe

ENTRY = re.compile(r"(\w+(?:, \w+)*): +(\S.*)")
DIRECTIVE = re.compile(r"^::: coterie\.(\w+)$", re.MULTILINE)
shown: set[str] = set()


def public_names() -> list[str]:
    """The names that `coterie/__init__.pyi` exports."""
    source = Path(__file__).parents[1] / "coterie" / "__init__.pyi"
    imports = [
        node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ImportFrom)
    ]
    return [name.asname or name.name for node in imports for name in node.names]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Remember which names a page shows."""
    shown.update(DIRECTIVE.findall(markdown))
    return markdown


def on_post_build(**_: object) -> None:
    """Warn of every public name that no page has shown."""
    for name in sorted(set(public_names()) - shown):
        logging.getLogger("mkdocs").warning(
            "coterie.%s is public and in no page of the reference.", name
        )


class Prepare(griffe.Extension):
    """Docstrings of the package as Markdown."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Prepare all of them, once everything is loaded."""
        everything = list(_walk(pkg))
        lists = {each: _fields(each) for each in everything if isinstance(each, griffe.Class)}
        for cls, fields in lists.items():
            if cls.docstring and any(field.docstring for field in fields):
                items = "\n".join(map(_item, fields))
                cls.docstring.value += f"\n\n**Fields**\n\n{items}"
        for field in (field for fields in lists.values() for field in fields):
            field.docstring = None  # it stands in the list
        for each in everything:
            if each.docstring:
                each.docstring.value = markdown_of(each.docstring.value)


def _walk(root: griffe.Object):
    """Everything that is defined in a module or a class, what is imported left out."""
    for member in root.members.values():
        if not member.is_alias:
            yield member
            yield from _walk(member)


def _fields(cls: griffe.Class) -> list[griffe.Attribute]:
    """The fields of a dataclass in their order, those of its bases first."""
    line = [*reversed(cls.mro()), cls]
    if not any("dataclass" in each.labels for each in line):
        return []
    found: dict[str, griffe.Attribute] = {}
    for base in line:
        found |= {name: each for name, each in base.members.items() if _is_field(each)}
    return list(found.values())


def _is_field(member: griffe.Object | griffe.Alias) -> bool:
    """Whether it is a field, and no property or variable of a class."""
    field = not member.is_alias and member.is_attribute and not member.name.startswith("_")
    return field and "instance-attribute" in member.labels and "property" not in member.labels


def _item(field: griffe.Attribute) -> str:
    """A field with its default and its docstring, as an item of a list."""
    default = f" = {field.value}" if field.value is not None else ""
    about = " ".join(field.docstring.value.split()) if field.docstring else ""
    return f"- `{field.name}: {field.annotation}{default}`  \n    {about}".rstrip()


def markdown_of(text: str) -> str:
    """A docstring as Markdown."""
    return "\n\n".join(_paragraph(each) for each in re.split(r"\n\s*\n", text))


def _paragraph(text: str) -> str:
    lines = text.splitlines()
    if lines[0].lstrip().startswith(">>>"):
        return f"```pycon\n{textwrap.dedent(text)}\n```"
    if ENTRY.fullmatch(lines[0]) and all(map(_is_listed, lines)):
        return "\n".join(_entry(line) for line in lines)
    return text


def _is_listed(line: str) -> bool:
    return line.startswith(" ") or bool(ENTRY.fullmatch(line))


def _entry(line: str) -> str:
    match = ENTRY.fullmatch(line)
    return f"- `{match[1]}`: {match[2]}" if match else f"    {line.strip()}"
