"""Tests of one group share a process, so that what they need is compiled once."""

import pytest


@pytest.mark.xdist_group("together")
def test_groups_are_heeded(request: pytest.FixtureRequest):
    """A group is part of a test's name where tests are distributed by groups.

    A version of pytest that does not go with that of pytest-xdist ignores all groups in silence,
    and every process compiles every program.
    """
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("tests are not distributed by groups here: see the Makefile")
    assert request.node.nodeid.endswith("@together")
