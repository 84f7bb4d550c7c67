"""Checkpoints: what is damaged, missing or somebody else's is named, and the one before stays."""

import dataclasses
import json
import os
import shutil

import jax
import numpy as np
import pytest

from coterie.errors import RunError
from coterie.internal.files import write_arrays
from coterie.internal.reading import read_arrays
from coterie.training import checkpoint, loop
from coterie.training.checkpoint import checkpoints, load_checkpoint
from tests.runs import SETTINGS, copied, finished, resumed, trained, trainer

FILES = ("agent-0.safetensors", "agent-1.safetensors", "world.safetensors")


@pytest.fixture(scope="module")
def like():
    """A fresh team of the shapes that all checkpoints here have."""
    return trainer(finished()).fresh(0).team


@pytest.fixture
def run(tmp_path):
    return copied(finished(), tmp_path / "run")


def latest(run, seed=0):
    return checkpoints(run.checkpoints(seed))[-1]


def load(run, like):
    return load_checkpoint(latest(run), like, run.owner(0))


def refusal(run, like):
    with pytest.raises(RunError) as refused:
        load(run, like)
    return str(refused.value)


def test_it_holds_what_it_says(run, like):
    team, progress = load(run, like)
    assert int(team.iteration) == 11
    assert progress["blocks_done"] == 5
    assert sorted(file.name for file in latest(run).iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_noticed(run, like, name):
    file = latest(run) / name
    data = file.read_bytes()
    places = np.unique(np.linspace(0, len(data) - 1, 30).astype(int))
    for where in places:
        file.write_bytes(data[:where] + bytes([data[where] ^ 4]) + data[where + 1 :])
        assert str(file) in refusal(run, like), f"byte {where} of {len(data)}"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_truncated_file_is_named(run, like, name, length):
    file = latest(run) / name
    file.write_bytes(file.read_bytes()[:length])
    assert f"{file} is damaged" in refusal(run, like)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run, like, name):
    (latest(run) / name).unlink()
    assert f"{latest(run) / name} is missing" in refusal(run, like)


def test_swapped_agents_are_noticed(run, like):
    shutil.copy(latest(run) / FILES[0], latest(run) / FILES[1])
    text = refusal(run, like)
    assert f"{latest(run) / FILES[1]} is of agent 0 at update 10 of seed 0" in text


def test_a_file_of_another_update_is_noticed(run, like):
    before = checkpoints(run.checkpoints(0))[0]
    shutil.copy(before / FILES[0], latest(run) / FILES[0])
    assert "is of agent 0 at update 8 of seed 0" in refusal(run, like)


def test_a_checkpoint_of_another_seed_is_noticed(run, like, tmp_path):
    other = trained(tmp_path / "other", settings=dataclasses.replace(SETTINGS, seed=7))
    shutil.rmtree(latest(run))
    shutil.copytree(latest(other, 7), run.checkpoints(0) / "000000011")
    assert "of seed 7 of run" in refusal(run, like)


def test_a_run_whose_configuration_was_edited_is_refused(run, like):
    file = run.folder / "run.json"
    file.write_text(file.read_text().replace('"discount": 0.99', '"discount": 0.9'))
    with pytest.raises(RunError, match=r"agent-0.safetensors is of .* or run.json was changed"):
        resumed(run)


def test_without_the_damaged_one_it_goes_on_from_the_one_before(run):
    shutil.rmtree(latest(run))
    resumed(run)
    assert len(checkpoints(run.checkpoints(0))) == 2
    assert run.finished


def test_the_last_two_are_kept():
    found = [path.name for path in checkpoints(finished().checkpoints(0))]
    assert found == ["000000009", "000000011"]


def test_killed_while_writing_leaves_the_one_before(run, like, monkeypatch):
    team, _ = load(run, like)
    written = []

    def dies(path, arrays, metadata):
        written.append(path)
        if len(written) == 2:
            raise OSError(28, "No space left on device", str(path))
        write(path, arrays, metadata)

    write = checkpoint.write_arrays
    monkeypatch.setattr(checkpoint, "write_arrays", dies)
    before = sorted(p.name for p in run.checkpoints(0).iterdir())
    later = team._replace(iteration=team.iteration + 2)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save_checkpoint(run.checkpoints(0), later, {"blocks_done": 6}, run.owner(0))
    assert sorted(p.name for p in run.checkpoints(0).iterdir()) == before
    assert load(run, like)[1]["blocks_done"] == 5


def test_what_a_killed_process_left_is_ignored_and_swept(run, like):
    part = run.checkpoints(0) / ".part-killed"
    shutil.copytree(latest(run), part)
    (run.folder / ".part-file").write_bytes(b"half")
    assert load(run, like)[1]["blocks_done"] == 5

    loop.resume(run)
    assert not list(run.folder.rglob(".part-*"))


def test_agents_have_files_of_their_own_and_only_their_own():
    names = [set(read_arrays(latest(finished()) / file)[0]) for file in FILES]
    assert names[0] == names[1]
    assert any("policy" in name for name in names[0])
    assert not any("policy" in name or "critic" in name for name in names[2])


CHANGES = {
    "nan": (lambda arrays, name: arrays[name].fill(np.nan), "holds nan"),
    "infinity": (lambda arrays, name: arrays[name].fill(np.inf), "holds inf"),
    "an array more": (lambda arrays, name: arrays.update(more=np.ones(2)), "an array more"),
}


@pytest.mark.parametrize("part", ["weight", "view.observation", "returns", "world"])
@pytest.mark.parametrize("case", CHANGES)
def test_a_forged_array_is_named(run, like, case, part):
    change, sentence = CHANGES[case]
    file = latest(run) / FILES[1 if part == "weight" else 2]
    arrays, said = read_arrays(file)
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(arrays, _of_world(arrays) if part == "world" else _named(arrays, part))
    write_arrays(file, arrays, said)
    text = refusal(run, like)
    assert str(file) in text and sentence in text


def _named(arrays, part):
    return next(name for name in arrays if name.endswith(part))


def _of_world(arrays):
    """The first array of numbers in the environments' own state."""
    return next(n for n in arrays if ".envs" in n and arrays[n].dtype == np.float32)


def test_an_infinity_that_an_environment_has_left_in_its_state_comes_back(run, like):
    """What is said of the world's own arrays counts for them alone."""
    file = latest(run) / FILES[2]
    arrays, said = read_arrays(file)
    assert json.loads(said["endless"]) == []
    world, seen = _of_world(arrays), _named(arrays, "view.observation")
    stage = like.stage
    endless = jax.tree.map(lambda x: x * np.inf if x.dtype == np.float32 else x, stage.envs)
    later = like._replace(stage=stage._replace(envs=endless), iteration=like.iteration * 0 + 12)
    written = checkpoint.save_checkpoint(run.checkpoints(0), later, {}, run.owner(0))
    arrays, said = read_arrays(written / FILES[2])
    assert not np.isfinite(arrays[world]).all() and world in json.loads(said["endless"])
    load_checkpoint(written, like, run.owner(0))
    arrays[seen] = arrays[seen] * np.nan
    write_arrays(written / FILES[2], arrays, said | {"endless": json.dumps([world, seen])})
    with pytest.raises(RunError, match=r"view\.observation holds nan"):
        load_checkpoint(written, like, run.owner(0))
    write_arrays(written / FILES[2], arrays, said | {"endless": "3"})
    with pytest.raises(RunError, match="does not say what is not finite"):
        load_checkpoint(written, like, run.owner(0))


def test_what_is_no_file_is_not_waited_for(run, like):
    for name in FILES:
        (latest(run) / name).unlink()
    os.mkfifo(latest(run) / FILES[0])
    assert "agent-0.safetensors is damaged: it is not a regular file" in refusal(run, like)
