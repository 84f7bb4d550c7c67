"""The documentation runs: its Python as it stands, its commands as far as their options."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
from latex2mathml.converter import convert

import coterie
from coterie.catalogue import ALGORITHMS, ENVS
from coterie.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    found = [line.split("#")[0].strip() for line in lines]
    return sorted({line for line in found if line.startswith(("coterie train", "coterie compare"))})


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec", dont_inherit=True), names)
    assert "run" in names and (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "py")], ids=lambda p: p.name)
def test_code_that_is_only_shown_is_that_of_an_example(page: Path):
    examples = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
    assert all(any(block in text for text in examples) for block in blocks(page, "py"))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "pycon")], ids=lambda p: p.name)
def test_the_examples_of_a_page_give_the_answers_shown(page: Path):
    text = "\n".join(blocks(page, "pycon"))
    examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert len(examples.examples) > 5
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("command", commands())
def test_the_options_of_a_command_exist(command: str, capsys: pytest.CaptureFixture):
    words = shlex.split(command)[1:]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])
    assert stopped.value.code == 0
    options = {word for word in words if word.startswith("--")}
    shown = capsys.readouterr().out
    assert all(option in shown for option in options)


@pytest.mark.parametrize("name", sorted(ALGORITHMS) + sorted(ENVS))
def test_every_name_is_explained(name: str):
    page = "algorithms" if name in ALGORITHMS else "environments"
    assert f"`{name}`" in (ROOT / "docs" / f"{page}.md").read_text()


def test_every_public_symbol_is_listed():
    page = (ROOT / "docs" / "api.md").read_text()
    public = [name for name in vars(coterie) if is_public(name)]
    missing = [name for name in public if f"`{name}`" not in page]
    assert not missing


def test_every_algorithm_is_public():
    kinds = {type(algorithm) for algorithm in ALGORITHMS.values()}
    assert {kind for kind in kinds if getattr(coterie, kind.__name__, None) is not kind} == set()


def is_public(name: str) -> bool:
    value = getattr(coterie, name)
    return not name.startswith("_") and getattr(value, "__module__", "").startswith("coterie")


def test_every_formula_becomes_mathml():
    for page in PAGES:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
        for formula in re.findall(r"\$\$?([^$]+)\$\$?", text):
            found = convert(formula)  # it leaves what it does not know as it is
            assert not re.search(r"\\|&amp;|negative", found), f"{page.name}: {formula}"


def test_every_link_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
