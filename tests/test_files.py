"""Files are whole and what they were, or they are refused with a sentence."""

import errno
import json
import os
import pickle
import re
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import numpy as safetensors

import coterie
from coterie.errors import RunError
from coterie.internal.files import (
    from_arrays,
    sweep,
    to_arrays,
    write_arrays,
    write_folder,
    write_whole,
)
from coterie.internal.reading import read_arrays, read_json, seal
from coterie.policies import load_policy
from coterie.training.config import read_config
from coterie.training.loggers.table import read_table
from coterie.training.run import open_run

TREE = {
    "scalar": jnp.float32(2.5),
    "bits": jnp.array([True, False]),
    "turned": jnp.arange(6).reshape(2, 3).T,
    "none": jnp.zeros((0, 3)),
    "key": jax.random.key(3),
}


def written(path, tree=TREE):
    write_arrays(path, to_arrays(tree), {"what": "test"})
    return path


def test_a_tree_comes_back_as_it_was(tmp_path):
    arrays, said = read_arrays(written(tmp_path / "x"))
    back = from_arrays(arrays, TREE, "x")
    assert said == {"what": "test"}
    for name, leaf in TREE.items():
        assert back[name].dtype == leaf.dtype
        assert back[name].shape == leaf.shape
        assert to_arrays(back[name])[""].tobytes() == to_arrays(leaf)[""].tobytes()


def test_equal_content_is_equal_bytes(tmp_path):
    turned = dict(reversed(TREE.items()))
    first, second = written(tmp_path / "1"), written(tmp_path / "2", turned)
    assert first.read_bytes() == second.read_bytes()


OTHERS = {
    "a missing array": ({"w": np.ones(2)}, {"w": jnp.ones(2), "v": jnp.ones(2)}, "no array"),
    "another shape": (
        {"['w']": np.ones(2, np.float32)},
        {"w": jnp.ones(3)},
        r"\[2\] where .*\[3\]",
    ),
    "another type": ({"['w']": np.ones(2, np.int32)}, {"w": jnp.ones(2)}, "int32.* where float32"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_arrays_of_something_else_are_refused(case):
    arrays, like, sentence = OTHERS[case]
    with pytest.raises(RunError, match=sentence):
        from_arrays(arrays, like, "file x")


def header(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def packed(head, data):
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def changed(change):
    def forge(data):
        head, rest = header(data)
        change(head)
        return packed(head, rest)

    return forge


class Boom:
    """Unpickling it leaves a file behind."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


FORGED = {
    "empty": lambda data: b"",
    "text": lambda data: b"hello",
    "a pickle": lambda data: pickle.dumps(Boom()),
    "no hashes": lambda data: safetensors.save({"w": np.ones(2)}),
    "no metadata": changed(lambda head: head.pop("__metadata__")),
    "other metadata": changed(lambda head: head["__metadata__"].update(what="else")),
    "hashes of a wrong kind": changed(lambda head: head["__metadata__"].update(sha256="[1]")),
    "no seal": changed(lambda head: head["__metadata__"].pop("seal")),
    "an array less": changed(lambda head: head.pop("['bits']")),
    "a huge array": changed(lambda head: head["['turned']"].update(shape=[10**12, 1])),
    "a huge header": lambda data: b"\xff" * 8 + data[8:],
    "a deep header": lambda data: struct.pack("<Q", 200_000) + b"[" * 200_000,
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_file_is_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "x.safetensors")
    path.write_bytes(FORGED[case](path.read_bytes()))
    with pytest.raises(RunError, match=f"{path} is damaged"):
        read_arrays(path)
    with pytest.raises(RunError, match=str(path)):
        load_policy(path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_folder_and_nothing_are_refused(tmp_path):
    with pytest.raises(RunError, match="damaged"):
        read_arrays(tmp_path)
    with pytest.raises(RunError, match="missing"):
        read_arrays(tmp_path / "nothing")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"\x80\x04.", b"[" * 100_000])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        read_json(tmp_path / "run.json")
    with pytest.raises(RunError, match=r"run\.json"):
        open_run(tmp_path)


def test_no_code_is_ever_read():
    """Nothing that turns data into code: no pickle, no eval."""
    sources = Path(coterie.__file__).parent.rglob("*.py")
    forbidden = (
        r"\bimport (cloud)?pickle|allow_pickle|(?<![.\w])(eval|exec)\(|yaml|\bdill\b|marshal"
    )
    found = [str(p) for p in sources if re.search(forbidden, p.read_text())]
    assert found == []


def fails(part):
    (part / "one").write_text("1")
    raise KeyboardInterrupt


def test_a_folder_is_whole_or_not_there(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "new", fails)
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "new", lambda part: (part / "one").write_text("1"))
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "new", fails)
    assert (tmp_path / "new" / "one").read_text() == "1"
    write_folder(tmp_path / "new", lambda part: (part / "two").write_text("2"))
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["new", "new/two"]


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("coterie.internal.files.os.fsync", full)
    with pytest.raises(OSError, match="No space") as failed:
        write_whole(path, "new")
    assert failed.value.filename == str(path)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("write", [write_whole, write_folder])
def test_what_cannot_be_written_has_its_own_name(tmp_path, monkeypatch, write):
    def refuses(part, *_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(part))

    monkeypatch.setattr(os, "open" if write is write_whole else "replace", refuses)
    with pytest.raises(OSError, match=f"Read-only file system: '{tmp_path / 'x'}'"):
        write(tmp_path / "x", b"" if write is write_whole else lambda part: None)
    assert list(tmp_path.iterdir()) == []


def test_sweeping_takes_unfinished_things_only(tmp_path):
    for name in (".part-a", "seed-0/.part-b", "seed-0/part-c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("")
    (tmp_path / ".part-d").write_text("")
    sweep(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == [
        "seed-0",
        "seed-0/part-c",
        "seed-0/part-c/file",
    ]


def sparse(size, head=b""):
    """A file of holes, which takes no room on the disk."""

    def make(path):
        with path.open("wb") as file:
            file.write(head)
            file.truncate(size)

    return make


def consistent(size):
    """The head of a safetensors file of one array of `size` bytes."""
    entry = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    return packed({"x": entry, "__metadata__": {}}, b"")


ODD = {
    "a pipe": (os.mkfifo, "not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a folder": (Path.mkdir, "not a regular file"),
    "8 GB of nothing": (sparse(8 * 10**9), "its header would have 0 bytes of 8000000000"),
    "10 TB of nothing": (sparse(10**13), "its header would have 0 bytes of 10000000000000"),
    "10 TB that are told": (
        sparse(len(consistent(10**13)) + 10**13, consistent(10**13)),
        r"not one of ours \(no 'seal'\)",
    ),
    "a header of 8 GB": (
        sparse(9 * 10**9, struct.pack("<Q", 8 * 10**9)),
        "its header would have 8000000000 bytes of 9000000000",
    ),
    "longer than its header says": (
        lambda path: path.write_bytes(written(path.with_name("y")).read_bytes() + b"more"),
        "its header tells of 38 bytes of arrays, and it has 42",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_file_of_its_size_is_refused_unread(tmp_path, case):
    make, sentence = ODD[case]
    path = tmp_path / "x.safetensors"
    make(path)
    with pytest.raises(RunError, match=f"{path} is damaged.*{sentence}"):
        read_arrays(path)
    if case != "a folder":
        with pytest.raises(RunError, match=f"{path} is damaged.*{sentence}"):
            load_policy(path)


def sealed(path, size):
    """A file of holes with one huge array, its hashes and seal made anew."""
    said = {"policy": "{}", "sha256": json.dumps({"x": "0"})}
    entry = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    head = packed({"x": entry, "__metadata__": {**said, "seal": seal(said)}}, b"")
    sparse(len(head) + size, head)(path)


def test_arrays_are_compared_with_what_is_wanted_before_they_are_read(tmp_path):
    path = tmp_path / "x.safetensors"
    sealed(path, 10**13)
    with pytest.raises(RunError, match="array x that does not belong there"):
        read_arrays(path, lambda said: {})
    with pytest.raises(RunError, match="not a policy file of this version"):
        load_policy(path)


TEXTS = {
    "a pipe": (os.mkfifo, "not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "10 TB": (sparse(10**13), "has 10000000000000 bytes, and such a file has at most"),
}
READERS = {
    "run.json": lambda path: open_run(path.parent),
    "config.toml": read_config,
    "metrics.csv": read_table,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("case", TEXTS)
def test_texts_are_regular_files_of_a_bounded_size(tmp_path, case, name):
    make, sentence = TEXTS[case]
    make(tmp_path / name)
    with pytest.raises(RunError, match=f"{name} .*{sentence}"):
        READERS[name](tmp_path / name)
