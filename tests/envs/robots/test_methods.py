"""Every method for continuous actions learns on a robot, and goes on in mid-episode bit for bit."""

import dataclasses

import pytest

from coterie.catalogue import ALGORITHMS
from coterie.envs import Hopper
from coterie.envs.game import Box
from tests.runs import SETTINGS, assert_same_run, copied, finished, resumed, trained
from tests.support import accepts

ROBOT = Hopper(max_steps=9, threads=1)
QUICK = ("ippo",)
AS_ONE = ("ctrpo", "central-actor-critic", "central-q")  # for environments in JAX
SAME_VIEW = ("li-jia", "li-jia-tabular")  # whose agents see the same
METHODS = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.deep)
    for name, algorithm in ALGORITHMS.items()
    if name not in (*AS_ONE, *SAME_VIEW)
    and not algorithm.information.numbered
    and accepts(algorithm, Box)
]


@pytest.mark.parametrize("name", METHODS)
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, name):
    settings = dataclasses.replace(SETTINGS, steps=144, num_checkpoints=3)
    whole = finished(name, ROBOT, settings)
    part = trained(tmp_path / "run", name, ROBOT, settings, stop=2)
    assert_same_run(resumed(copied(part, tmp_path / "copy")), whole)
