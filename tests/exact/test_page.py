"""The examples of the page "Finite games" that show their answers."""

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "finite.md"


def test_the_examples_give_the_answers_shown():
    text = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(text, {}, "finite.md", str(PAGE), 0)
    assert len(examples.examples) > 5
    assert doctest.DocTestRunner().run(examples).failed == 0
