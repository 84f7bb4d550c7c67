"""A path to a factory finds it, or says in one sentence what is wrong with it."""

import re
import sys
from pathlib import Path

import pytest
from mpe2 import simple_spread_v3

from coterie.envs.host.factory import build, resolve
from coterie.errors import EnvError
from coterie.internal.extras import install


@pytest.fixture(autouse=True)
def modules(monkeypatch, tmp_path):
    """Some modules of a user's own."""
    (tmp_path / "lamps").mkdir()
    (tmp_path / "lamps" / "__init__.py").write_text("def make():\n    return 3\n\nnumber = 3\n")
    (tmp_path / "lamps" / "broken.py").write_text("import no_such_thing\n")
    (tmp_path / "lamps" / "failing.py").write_text("raise OSError('no display')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "lamps"]:
        del sys.modules[name]


def test_the_three_ways_to_name_a_factory():
    assert resolve("mpe2.simple_spread_v3") is simple_spread_v3.parallel_env
    assert resolve("lamps:make") is resolve("lamps.make")
    assert resolve("lamps:make")() == 3


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "mpe2.simple_spred_v3",
            "no module named mpe2.simple_spred_v3: did you mean mpe2.simple_spread_v3",
        ),
        ("lampz", r"no module named lampz: is its folder on the Python path\?"),
        ("lampz.make", "no module named lampz: is its folder on"),
        ("lamps:light", "lamps:light: module lamps has no 'light'; name a function"),
        ("lamps", "lamps: module lamps has no 'parallel_env'"),
        ("lamps:number", "lamps:number is not a function that makes an environment"),
        (
            "lamps.broken",
            "importing lamps.broken failed: ModuleNotFoundError: No module named 'no_such",
        ),
        ("lamps.failing:make", "importing lamps.failing failed: OSError: no display"),
    ],
)
def test_a_path_that_leads_nowhere(path, sentence):
    with pytest.raises(EnvError, match=sentence):
        resolve(path)


def test_a_missing_extra_names_the_command(monkeypatch):
    monkeypatch.delitem(sys.modules, "mpe2.simple_spread_v3")
    monkeypatch.setitem(sys.modules, "mpe2", None)
    with pytest.raises(
        EnvError, match=rf"which is not installed: {re.escape(install('pettingzoo'))}"
    ):
        resolve("mpe2.simple_spread_v3")


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        (
            "lamps:make",
            (),
            "lamps:make makes a int without 'possible_agents': it must be a ParallelEnv",
        ),
        ("mpe2.simple_spread_v3:env", (), "agents move in turn .AECEnv.: wrap it with"),
        (
            "worlds:Ladder",
            (("rungs", 3),),
            r"worlds:Ladder\(rungs=3\) failed: TypeError: .*'rungs'",
        ),
    ],
)
def test_a_factory_that_makes_something_else(path, options, sentence):
    with pytest.raises(EnvError, match=sentence):
        build(path, options)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mpe2.simple_spread_v2", "mpe2.simple_spread_v3"),
        ("pettingzoo.mpe.simple_tag_v3", "mpe2.simple_tag_v3"),
        ("pettingzoo.butterfly.pistonball_v5", "pettingzoo.butterfly.pistonball_v6"),
    ],
)
def test_a_superseded_version_names_its_successor(old, new):
    with pytest.raises(EnvError, match=f"^{old} is superseded: use {new}.$"):
        resolve(old)
    assert callable(resolve("mpe2.simple_spread_v3"))
