"""Files that are written whole or not at all, and trees of arrays in them."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree
from safetensors import numpy as safetensors

from coterie.internal.reading import Arrays, Kind, digest, require_kinds, seal

PART = ".part-"
"""How the names of unfinished files and folders begin."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place to write to, which becomes `path` when the block ends well and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _unfinished(path)
    with _named(path):
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # as the umask allows
        try:
            yield part
            os.fsync(handle)
            os.replace(part, path)
            _sync(path.parent)
        finally:
            os.close(handle)
            part.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name `path` in an `OSError` of the block that names no file, as one of a full disk, or an
    unfinished one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else its words, which a place would hide, are all it says
            named = str(error.filename or PART)
            error.filename = str(path) if PART in named else named
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader finds the old content or the new, never a part of it."""
    with whole(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder so that a reader finds all of its files or no folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _unfinished(path)
    old = part.with_name(f"{part.name}-old")
    try:
        with _named(path):
            part.mkdir()
            fill(part)
            _sync(part)
            if path.exists():
                os.replace(path, old)
            os.replace(part, path)
            _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _unfinished(path: Path) -> Path:
    """A name for what becomes `path`, beside it; nobody else has it."""
    return path.with_name(f"{PART}{secrets.token_hex(8)}{path.suffix}")


def sweep(folder: Path) -> None:
    """Remove what a process left unfinished in `folder` when it was killed."""
    for part in list(folder.rglob(f"{PART}*")):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def to_arrays(tree: PyTree) -> Arrays:
    """The leaves of a tree by their names; random keys as their numbers.

    >>> to_arrays({"w": jnp.ones(2)})["['w']"].tolist()
    [1.0, 1.0]
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(_plain(leaf)) for path, leaf in leaves}


def kinds_of(like: PyTree) -> dict[str, Kind]:
    """The kinds of a tree's arrays, as `to_arrays` would give them.

    >>> str(kinds_of({"w": jnp.ones(2)})["['w']"])
    'float32[2]'
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.eval_shape(_plain_tree, like))
    return {jax.tree_util.keystr(path): Kind.of(leaf) for path, leaf in leaves}


def from_arrays(arrays: Arrays, like: PyTree, where: str) -> PyTree:
    """The tree shaped `like` with these leaves; `where` names their origin in errors."""
    require_kinds(where, {name: Kind.of(array) for name, array in arrays.items()}, kinds_of(like))
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    named = ((arrays[jax.tree_util.keystr(path)], leaf) for path, leaf in leaves)
    return jax.tree_util.tree_unflatten(structure, [_revive(*pair) for pair in named])


def write_arrays(path: Path, arrays: Arrays, metadata: dict[str, str]) -> None:
    """Write arrays in one safetensors file: a hash of each, and one of all that is said of them."""
    hashes = {name: digest(array) for name, array in arrays.items()}
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    header = metadata | {"sha256": json.dumps(hashes)}
    data = safetensors.save(contiguous, header | {"seal": seal(header)})
    write_whole(path, _in_order(data))


def _in_order(data: bytes) -> bytes:
    """Sort the header of a safetensors file, so that equal content is equal bytes."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _sync(folder: Path) -> None:
    """Have the names in a folder survive a power cut, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain_tree(tree: PyTree) -> PyTree:
    return jax.tree.map(_plain, tree)


def _revive(array: np.ndarray, like: Any) -> Array:
    restored = jnp.asarray(array)
    return jax.random.wrap_key_data(restored) if _is_key(like) else restored
