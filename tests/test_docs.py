"""The documentation runs: its Python as it stands, its commands as far as their options."""

import ast
import doctest
import inspect
import re
import shlex
from importlib.metadata import version
from pathlib import Path

import pytest
from latex2mathml.converter import convert

import coterie
from coterie.catalogue import ALGORITHMS, ENVS
from coterie.cli import main
from coterie.cli.fields import abouts
from coterie.results import curve

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

UNFIT = re.compile(
    r"(What|Who|Whom|Whose|How|Where|When|Why|Which)\b|.*\b[Tt]he same as\b|The same\b"
)


PUBLIC = list(coterie.__all__)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


VERBS = ("coterie train", "coterie compare", "coterie sweep")


def commands(pages: list[Path] = PAGES) -> list[str]:
    lines = [line for page in pages for block in blocks(page, "sh") for line in block.splitlines()]
    found = [line.split("#")[0].strip() for line in lines]
    return sorted({line for line in found if line.startswith(VERBS)})


TRAINED = ("README.md", "tutorial.md")
LESS = "--seeds 1 --steps 500000 --folder runs/compared"  # a quarter of the budget has to do


def printed() -> list[str]:
    """The commands of README and tutorial that train what everybody has."""
    pages = [page for page in PAGES if page.name in TRAINED]
    return sorted({shortened(line.split("--loggers")[0].strip()) for line in commands(pages)})


def shortened(command: str) -> str:
    """A comparison without its budget, for which `LESS` stands: two that are one then run once."""
    budget = r" --(steps|seeds) \S+"
    return re.sub(budget, "", command) if "coterie compare" in command else command


@pytest.mark.deep
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("command", printed())
def test_a_printed_command_improves_on_its_start(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = f"{command} {LESS if 'compare' in command else '--folder runs/trained'}".split()
    main([*words[1:], "--quiet", "--num-evals", "5"])
    runs = [coterie.read_summary(path.parent) for path in Path("runs").glob("**/run.json")]
    assert len(runs) == (words.index("spread") - 2 if "compare" in command else 1)
    for run in runs:
        values = curve(run).values.mean(axis=0)
        spread = abs(values[0]) * 0.02  # between two evaluations of the same policy
        assert values[-1] > values[0] + spread, (run.method, values)


def test_the_version_is_that_of_the_package():
    assert coterie.__version__ == version("coterie")


# The tutorial trains for a quarter of a minute.
RUN = [
    pytest.param(p, marks=[pytest.mark.deep] * (p.name == "tutorial.md"))
    for p in PAGES
    if blocks(p, "python")
]


@pytest.mark.parametrize("page", RUN, ids=lambda p: p.name)
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


def test_every_public_name_is_in_the_reference():
    pages = [page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md")]
    shown = [name for page in pages for name in re.findall(r"^::: coterie\.(\w+)$", page, re.M)]
    assert sorted(shown) == sorted(PUBLIC)


def docstrings(kind: type) -> dict[str, str]:
    """What a class, its fields and its public methods say, those of its bases included."""
    found = {kind.__name__: inspect.getdoc(kind) or "", **abouts(kind)}
    for base in (base for base in kind.__mro__ if base.__module__.startswith("coterie")):
        for name, member in vars(base).items():
            function = getattr(member, "fget", None) or getattr(member, "func", None) or member
            if not name.startswith("_") and inspect.isfunction(function):
                found.setdefault(
                    name, function.__doc__ or inspect.getdoc(getattr(kind, name)) or ""
                )
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_begin_with_a_verb_or_a_noun(name: str):
    value = getattr(coterie, name)
    said = docstrings(value) if inspect.isclass(value) else {name: inspect.getdoc(value) or ""}
    unfit = {n: text for n, text in said.items() if not text or UNFIT.match(text)}
    assert not unfit


def test_every_docstring_begins_with_a_verb_or_a_noun():
    """Of modules, classes and functions that are not public, too."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    for path in sorted((ROOT / "coterie").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.get_docstring(node) if isinstance(node, documented) else None
            assert not UNFIT.match(text or ""), f"{path.name}: {text}"


def test_every_algorithm_is_public():
    kinds = {type(algorithm) for algorithm in ALGORITHMS.values()}
    assert {kind for kind in kinds if getattr(coterie, kind.__name__, None) is not kind} == set()


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
