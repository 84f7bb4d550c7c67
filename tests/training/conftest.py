"""What the tests of training share."""

from pathlib import Path

import pytest


@pytest.fixture
def worlds(monkeypatch):
    """Lets `worlds:...` be imported as a factory of environments."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "envs"))
