"""Imports point one way, and only the network speaks to other agents."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "coterie"
GROUND = {"errors", "bounds", "types", "spaces", "encoding", "internal"}
LEARNING = GROUND | {"graph", "network", "rl", "algorithms", "centralized"}
TRAINING = LEARNING | {"envs", "catalogue", "policies", "training"}
SHOWING = TRAINING | {"report", "results", "plots", "exports", "api"}

# What every part may import besides itself. A new part has to find its place here.
MAY_IMPORT = {
    "errors": set(),
    "bounds": {"errors"},
    "types": {"spaces"},
    "spaces": set(),
    "encoding": set(),
    "internal": {"errors", "bounds"},
    "graph": {"errors", "bounds", "internal"},
    "network": {"errors", "bounds", "types", "graph", "internal"},
    "rl": {"errors", "bounds", "types", "internal"},
    "algorithms": {"errors", "bounds", "types", "internal", "rl", "network"},
    "centralized": {"errors", "bounds", "types", "internal", "rl", "network", "algorithms"},
    "envs": GROUND | {"policies"},  # an opponent plays trained policies
    "exact": {"errors", "envs"},
    "policies": {"errors", "types", "spaces", "encoding", "internal", "rl"},
    "catalogue": {"errors", "internal", "algorithms", "centralized", "envs"},
    "training": TRAINING,
    "report": {"errors", "internal", "types", "envs", "graph"},
    "results": TRAINING | {"report"},
    "exports": {"errors", "internal", "policies", "training"},
    "plots": TRAINING | {"report", "results"},
    "api": SHOWING,
    "sweeps": SHOWING,
    "fleet": TRAINING,
    "claims": SHOWING | {"exact"},
    "listing": SHOWING | {"claims"},
    "cli": SHOWING | {"claims", "listing", "sweeps", "fleet"},
    "__main__": {"cli"},
    "__init__": SHOWING | {"claims", "listing", "sweeps"},
}
COLLECTIVES = {
    *("psum", "pmean", "pmax", "pmin", "all_gather", "all_to_all", "ppermute", "pshuffle"),
    *("psum_scatter", "axis_index", "axis_size", "shard_map", "pmap", "axis_name"),
    "io_callback",
}


def part_of(path):
    return Path(path.relative_to(ROOT).parts[0]).stem


def imports_of(tree):
    """The parts of coterie that a module imports, inside its functions, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for parts in (name.split(".") for name in names):
            if parts[0] == "coterie":
                yield parts[1] if len(parts) > 1 else "__init__"


def words_of(tree):
    """Every name, attribute, keyword and imported name in a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                yield word
            case ast.keyword(arg=str(word)):
                yield word


MODULES = {
    str(p.relative_to(ROOT)): ast.parse(p.read_text())
    for p in sorted(ROOT.rglob("*.py*"))
    if p.suffix in (".py", ".pyi")
}


@pytest.mark.parametrize("part", sorted({part_of(ROOT / name) for name in MODULES}))
def test_imports_point_one_way(part):
    found = {
        (name, imported)
        for name, tree in MODULES.items()
        if part_of(ROOT / name) == part
        for imported in imports_of(tree)
    }
    assert {f for f in found if f[1] not in MAY_IMPORT[part] | {part}} == set()


def test_only_the_network_maps_over_agents():
    for name, tree in MODULES.items():
        allowed = {"io_callback"} if part_of(ROOT / name) in ("envs", "fleet") else set()
        if part_of(ROOT / name) != "network":
            assert (COLLECTIVES & set(words_of(tree))) - allowed == set(), name


def test_no_two_modules_import_each_other():
    """Inside their functions, neither: what is hidden there is a circle all the same."""
    arrows = {module_of(name): set(modules_in(tree)) for name, tree in MODULES.items()}
    found = {(a, b) for a in arrows for b in arrows[a] & arrows.keys() if a in arrows[b]}
    assert found == set()


def module_of(name):
    return ".".join(["coterie", *Path(name).with_suffix("").parts]).removesuffix(".__init__")


def modules_in(tree):
    """The modules that a module imports from, by their whole names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{a.name}" for a in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_check_sees_what_it_looks_for():
    hidden = ast.parse(
        "def f():\n    from coterie.training import loop\n    jax.lax.psum(1, axis_name=2)"
    )
    assert list(imports_of(hidden)) == ["training"]
    assert {"psum", "axis_name"} <= set(words_of(hidden))
    assert COLLECTIVES & set(words_of(MODULES["network/network.py"])) == {"all_gather"}


# What a wing of algorithms may import of the others, besides the base.
WINGS_MAY_IMPORT = {"f2a2": {"ppo"}}


def wings_of(tree):
    """The wings of algorithms that a module imports, inside its functions, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                parts = f"{node.module}.{alias.name}".split(".")
                if parts[:2] == ["coterie", "algorithms"]:
                    yield parts[2]


def wing_of(name):
    return name.split("/")[1].removesuffix(".py")


@pytest.mark.parametrize(
    "wing", sorted({wing_of(n) for n in MODULES if n.startswith("algorithms/")} - {"__init__"})
)
def test_wings_of_algorithms_stand_on_the_base(wing):
    """The base imports no wing, and no wing goes through the house's front door."""
    allowed = {wing} | (set() if wing == "base" else {"base"} | WINGS_MAY_IMPORT.get(wing, set()))
    found = {
        (name, imported)
        for name, tree in MODULES.items()
        if name.startswith("algorithms/") and wing_of(name) == wing
        for imported in wings_of(tree)
    }
    assert {f for f in found if f[1] not in allowed} == set()
