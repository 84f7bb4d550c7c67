"""Files that are written whole or not at all, and arrays in them that are checked when read."""

import hashlib
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
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from coterie.errors import RunError, require

Arrays = dict[str, np.ndarray]

PART = ".part-"
"""How the names of unfinished files and folders begin."""

REMEDY = "restore it from a copy, or delete its checkpoint to go on from the one before"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place to write to, which becomes `path` when the block ends well and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _unfinished(path)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # as the umask allows
    try:
        with _named(path):
            yield part
            os.fsync(handle)
            os.replace(part, path)
            _sync(path.parent)
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name `path` in an `OSError` of the block that names no file, as one of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else its words, which a place would hide, are all it says
            error.filename = error.filename or str(path)
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader finds the old content or the new, never a part of it."""
    with whole(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder so that a reader finds all of its files or no folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _unfinished(path)
    part.mkdir()
    old = part.with_name(f"{part.name}-old")
    try:
        with _named(path):
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


def read_json(path: Path) -> Any:
    """The content of a JSON file, or a `RunError` that names it."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the folder is not a run, or half written.") from None
    except (ValueError, OSError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}; restore it from a copy.") from None


def to_arrays(tree: PyTree) -> Arrays:
    """The leaves of a tree by their names; random keys as their numbers.

    >>> to_arrays({"w": jnp.ones(2)})["['w']"].tolist()
    [1.0, 1.0]
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(_plain(leaf)) for path, leaf in leaves}


def from_arrays(arrays: Arrays, like: PyTree, where: str) -> PyTree:
    """The tree shaped `like` with these leaves; `where` names their origin in errors."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    restored = []
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path)
        if name not in arrays:
            raise RunError(
                f"{where} has no array {name}: it is of another algorithm or environment."
            )
        restored.append(_revive(arrays[name], leaf, f"{where}, array {name}"))
    return jax.tree_util.tree_unflatten(structure, restored)


def write_arrays(path: Path, arrays: Arrays, metadata: dict[str, str]) -> None:
    """Write arrays in one safetensors file: a hash of each, and one of all that is said of them."""
    hashes = {name: digest(array) for name, array in arrays.items()}
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    header = metadata | {"sha256": json.dumps(hashes)}
    data = safetensors.save(contiguous, header | {"seal": _seal(header)})
    write_whole(path, _in_order(data))


def read_arrays(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Read arrays and check their hashes; a `RunError` names a damaged file and array."""
    try:
        data = path.read_bytes()
        arrays = safetensors.load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        sealed = metadata.pop("seal") == _seal(metadata)
        hashes = dict(json.loads(metadata.pop("sha256")))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the folder is half written or not a run.") from None
    except (SafetensorError, KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{path} is damaged, or not one of ours ({why}): {REMEDY}.") from None
    require(sealed, f"{path} is damaged in its header: {REMEDY}.", RunError)
    for name in sorted(arrays.keys() | hashes.keys()):
        if name not in arrays or digest(arrays[name]) != hashes.get(name):
            raise RunError(f"{path} is damaged in array {name}: {REMEDY}.")
    return arrays, metadata


def _in_order(data: bytes) -> bytes:
    """Sort the header of a safetensors file, so that equal content is equal bytes."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _seal(header: dict[str, str]) -> str:
    """SHA-256 of everything in a header but its seal."""
    said = json.dumps({name: header[name] for name in header if name != "seal"}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


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


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and numbers."""
    kind = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(kind + np.ascontiguousarray(array).tobytes()).hexdigest()


def _plain(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _revive(array: np.ndarray, like: Any, where: str) -> Array:
    wanted = jax.eval_shape(_plain, like)
    if array.shape != wanted.shape or array.dtype != wanted.dtype:
        raise RunError(
            f"{where} is {array.dtype}{list(array.shape)} where "
            f"{wanted.dtype}{list(wanted.shape)} is expected: it is of another configuration."
        )
    restored = jnp.asarray(array)
    return jax.random.wrap_key_data(restored) if _is_key(like) else restored
