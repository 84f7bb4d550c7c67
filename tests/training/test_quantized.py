"""Observations that a byte holds are kept in a byte, and what is learned is the same to the bit."""

import dataclasses
from dataclasses import dataclass

import jax.numpy as jnp
import pytest

from coterie.training.programs import Programs
from coterie.training.run import new_run
from coterie.training.setup import set_up
from tests.runs import SETTINGS, Pond, finished, policies, resumed, small, tables, trained

STEP = 1.0 / 64.0
METHODS = {"iql": False, "f2a2-isac": False, "f2a2-ddpg": True, "iddpg": True, "li-jia": True}
"""The methods that remember, and whether their actions are vectors."""


@dataclass(frozen=True)
class Tiled(Pond):
    """A pond that is seen in steps of 1/64; the spec says so, or not."""

    said: bool = True

    def spec(self, less):
        step = STEP if self.said else 0.0
        return dataclasses.replace(super().spec(less), quantization_step=step)

    def view(self, state):
        view = super().view(state)
        seen = jnp.clip(jnp.round(view.observation / STEP), 0, 255) * STEP
        return view._replace(observation=seen)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "iql" else pytest.mark.deep) for n in METHODS]
)
def test_what_is_learned_from_is_what_was_seen(name):
    one, other = (finished(name, Tiled(box=METHODS[name], said=said)) for said in (True, False))
    assert policies(one) == policies(other)
    assert tables(one) == tables(other)


def test_a_run_with_bytes_resumes(tmp_path):
    run = trained(tmp_path / "run", "iql", Tiled(), stop=2)
    assert resumed(run).finished
    assert policies(run) == policies(finished("iql", Tiled()))


@pytest.mark.parametrize("name", ["iql", "f2a2-isac"])
def test_a_remembered_number_takes_a_byte(name):
    def held(said):
        run = new_run(small(name, buffer_size=1_000), Tiled(said=said), SETTINGS, "unused")
        return Programs(set_up(run)).held

    numbers = 1_000 * 2 * 2 * 2  # steps, agents, views before and after, numbers of each
    length = 6 if name == "iql" else 1
    assert held(False) - held(True) == 3 * length * numbers
