"""Contracts are about values. That shapes are as annotated is one of them, and the tests of the
parts check it, too."""

import pytest
from jaxtyping import config


@pytest.fixture(autouse=True)
def checked_or_not(request):
    """Shapes are checked where a test asks for it: it is a third of the time to trace a program."""
    config.update("jaxtyping_disable", request.node.get_closest_marker("shapes") is None)
    yield
    config.update("jaxtyping_disable", False)
