"""Files that are written whole or not at all, and arrays in them that are checked when read."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from coterie.errors import RunError

Arrays = dict[str, np.ndarray]


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader finds the old content or the new, never a part of it."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
        part.write(data)
        part.flush()
        os.fsync(part.fileno())
    os.chmod(part.name, 0o644)
    os.replace(part.name, path)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder so that a reader finds all of its files or no folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=".part-"))
    fill(part)
    if path.exists():
        shutil.rmtree(path)
    os.chmod(part, 0o755)
    os.replace(part, path)


def read_json(path: Path) -> Any:
    """The content of a JSON file, or a `RunError` that names it."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the folder is not a run, or half written.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
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
            raise RunError(f"{where} has no array {name}: it is of another algorithm or game.")
        restored.append(_revive(arrays[name], leaf, f"{where}, array {name}"))
    return jax.tree_util.tree_unflatten(structure, restored)


def write_arrays(path: Path, arrays: Arrays, metadata: dict[str, str]) -> None:
    """Write arrays with their hashes in one safetensors file."""
    hashes = {name: digest(array) for name, array in arrays.items()}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = metadata | {"sha256": json.dumps(hashes)}
    write_whole(path, safetensors.save(contiguous, header))


def read_arrays(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Read arrays and check their hashes; a `RunError` names a damaged file and array."""
    try:
        data = path.read_bytes()
        arrays = safetensors.load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        hashes = json.loads(metadata["sha256"])
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the folder is half written or not a run.") from None
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}): use an older checkpoint or a copy.") from None
    for name, array in arrays.items():
        if digest(array) != hashes.get(name):
            raise RunError(f"{path} is damaged in array {name}: use an older checkpoint or a copy.")
    return arrays, metadata


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and numbers."""
    kind = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(kind + np.ascontiguousarray(array).tobytes()).hexdigest()


def _plain(leaf: Array) -> Array:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _revive(array: np.ndarray, like: Array, where: str) -> Array:
    wanted = jax.eval_shape(_plain, like)
    if array.shape != wanted.shape or array.dtype != wanted.dtype:
        raise RunError(
            f"{where} is {array.dtype}{list(array.shape)} where "
            f"{wanted.dtype}{list(wanted.shape)} is expected: it is of another configuration."
        )
    restored = jnp.asarray(array)
    return jax.random.wrap_key_data(restored) if _is_key(like) else restored
