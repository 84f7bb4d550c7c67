"""Formulas of the documentation become MathML when the site is built: no reader needs a script."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
"""What `pymdownx.arithmatex` makes of a formula: a `span` in a line, a `div` on its own."""


def on_page_content(html: str, **_: Any) -> str:
    """A page with its formulas as MathML; `mkdocs` calls it."""

    def mathml(found: re.Match[str]) -> str:
        display = "inline" if found[1] == "span" else "block"
        return convert(unescape(found[2]).strip(), display=display)

    return FORMULA.sub(mathml, html)
