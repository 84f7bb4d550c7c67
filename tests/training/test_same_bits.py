"""A seed decides every bit: whoever trains beside it, however often somebody looks."""

import dataclasses

import jax
import numpy as np
import pytest

from coterie.results import trained_team
from coterie.training.run import open_run
from tests.runs import (
    SETTINGS,
    assert_same_run,
    finished,
    last_arrays,
    policies,
    python,
    tables,
    trained,
    trainer,
)

pytestmark = pytest.mark.bits

LOOKS = {
    "more evaluations": {"num_evals": 5, "eval_episodes": 2},
    "fewer checkpoints": {"num_checkpoints": 1},
    "one long block": {"updates_per_block": 10, "num_evals": 1, "num_checkpoints": 1},
}


def test_the_same_seed_twice(tmp_path):
    assert_same_run(finished(), trained(tmp_path / "again"))


def test_other_seeds_are_other_runs(tmp_path):
    other = trained(tmp_path / "run", settings=dataclasses.replace(SETTINGS, seed=7))
    assert set(policies(other, 7).values()).isdisjoint(policies(finished()).values())


@pytest.mark.parametrize("looks", LOOKS)
def test_looking_changes_nothing(tmp_path, looks):
    settings = dataclasses.replace(SETTINGS, **LOOKS[looks])
    run = trained(tmp_path / "run", settings=settings)
    assert policies(run) == policies(finished())
    assert last_arrays(run) == last_arrays(finished())


@pytest.mark.parametrize("algorithm", ["dpo", "iql"])
def test_a_seed_alone_is_the_seed_among_others(tmp_path, algorithm):
    pair = dataclasses.replace(SETTINGS, seed=3, seeds=2)
    both = trained(tmp_path / "both", algorithm, settings=pair)
    alone = trained(
        tmp_path / "alone", algorithm, settings=dataclasses.replace(pair, seed=4, seeds=1)
    )
    assert policies(both, 4) == policies(alone, 4)
    assert last_arrays(both, 4) == last_arrays(alone, 4)
    assert tables(both, 4) == tables(alone, 4)


TWO_DEVICES = """
import dataclasses, sys, jax
from tests.runs import SETTINGS, trained
assert jax.device_count() == 2
trained(sys.argv[1], settings=dataclasses.replace(SETTINGS, seed=3, seeds=2))
"""


@pytest.mark.deep
def test_a_device_for_each_seed_changes_nothing(tmp_path):
    pair = dataclasses.replace(SETTINGS, seed=3, seeds=2)
    python(TWO_DEVICES, str(tmp_path / "two"), devices=2)
    apart, together = open_run(tmp_path / "two"), trained(tmp_path / "one", settings=pair)
    for seed in (3, 4):
        assert_same_run(together, apart, seed)


@pytest.mark.deep
def test_on_an_accelerator_seeds_train_as_one_batch(tmp_path, monkeypatch):
    """They learn what they would learn alone, but for rounding."""
    pair = dataclasses.replace(SETTINGS, seed=3, seeds=2)
    alone = trained(tmp_path / "alone", settings=pair)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    own = trainer(alone)
    assert [len(group) for group in own.places.groups([own.fresh(seed) for seed in (3, 4)])] == [2]
    batch = trained(tmp_path / "batch", settings=pair)
    for seed in (3, 4):
        for one, other in zip(teams(alone, seed), teams(batch, seed), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def teams(run, seed):
    """All parameters of a repetition at its end."""
    return jax.tree.leaves(trained_team(run, seed))


def test_nothing_on_the_device_grows(tmp_path):
    own = trainer(finished())
    team = own.fresh(0).team
    shapes = jax.eval_shape(lambda x: x, team)
    for _ in range(3):
        [team], [report] = own.programs.advance([team], [()], np.int32(1))
        assert jax.eval_shape(lambda x: x, team) == shapes
        assert all(
            np.shape(leaf)[0] == own.setup.blocks.longest for leaf in jax.tree.leaves(report)
        )
