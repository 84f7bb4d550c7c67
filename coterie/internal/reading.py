"""Reading of files that anybody may have changed: sizes come first, and arrays are checked.

Only a regular file of a bounded size is read; a pipe, a device or a file as large as a disk is
refused before a byte of it is held. JAX is not imported here.
"""

import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from coterie.errors import RunError, require

Arrays = dict[str, np.ndarray]
Metadata = dict[str, str]

REMEDY = "restore it from a copy, or delete its checkpoint to go on from the one before"
COPY = "restore it from a copy"
MISSING = "the folder is half written or not a run"

TEXT = 2**26
"""Bytes that a text may have: configurations and descriptions, 64 MiB."""
TABLE = 2**31
"""Bytes that a table may have, 2 GiB."""

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "C64": "<c8",
    "BOOL": "|b1",
}
"""The kinds of numbers in a safetensors file that NumPy has, too."""


class Kind(NamedTuple):
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @staticmethod
    def of(array: Any) -> "Kind":
        """The kind of an array, or of what has a shape and a dtype."""
        return Kind(tuple(array.shape), np.dtype(array.dtype))

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


Wanted = Callable[[Metadata], Mapping[str, Kind]]
"""From what is said in a file's header to the arrays that it has to hold."""


@contextmanager
def opened(
    path: Path, missing: str = MISSING, remedy: str = REMEDY
) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file and its size in bytes; a `RunError` names anything else."""
    try:
        _require_regular(
            path, os.stat(path), remedy
        )  # before it is opened: a pipe would wait for a writer
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            _require_regular(path, found, remedy)
            yield file, found.st_size
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {missing}.") from None
    except OSError as error:
        raise RunError(f"{path} is damaged: {error}; {remedy}.") from None


def read_text(path: Path, limit: int = TEXT, missing: str = MISSING) -> str:
    """A text of at most `limit` bytes, in UTF-8; `RunError` for anything else."""
    with opened(path, missing, COPY) as (file, size):
        require(
            size <= limit,
            f"{path} has {size} bytes, and such a file has at most {limit}: it is not one of ours.",
            RunError,
        )
        try:
            return file.read(size).decode()
        except UnicodeDecodeError as error:
            raise RunError(f"{path} is damaged: {error}; {COPY}.") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file, or a `RunError` that names it."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}; {COPY}.") from None


def read_arrays(path: Path, wanted: Wanted | None = None) -> tuple[Arrays, Metadata]:
    """Arrays by their names, and what is said of them; a `RunError` names what is wrong.

    wanted: what the file has to hold, told from its metadata: it is compared with the header before
            any array is read.

    The header's sizes have to be those of the file, and every hash that of its array.
    """
    with opened(path) as (file, size):
        header, start = _header(path, file, size)
        metadata, hashes = _metadata(path, header)
        kinds = {name: _kind(path, name, entry) for name, entry in header.items()}
        _require_size(path, header, kinds, size - start)
        if wanted is not None:
            require_kinds(str(path), kinds, wanted(metadata))
        data = memoryview(file.read(size - start))
    require(len(data) == size - start, f"{path} is damaged: it was cut; {REMEDY}.", RunError)
    arrays = {}
    for name, (shape, dtype) in kinds.items():
        begin, end = header[name]["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], dtype).reshape(shape)
    for name in sorted(arrays.keys() | hashes.keys()):
        if name not in arrays or digest(arrays[name]) != hashes.get(name):
            raise RunError(f"{path} is damaged in array {name}: {REMEDY}.")
    return arrays, metadata


def require_kinds(where: str, kinds: Mapping[str, Kind], wanted: Mapping[str, Kind]) -> None:
    """Raise `RunError` for an array that is missing, of another kind, or one too many."""
    for name, kind in wanted.items():
        require(
            name in kinds,
            f"{where} has no array {name}: it is of another algorithm or environment.",
            RunError,
        )
        require(
            kinds[name] == kind,
            f"{where}, array {name} is {kinds[name]} where {kind} is expected: it is of another "
            "configuration.",
            RunError,
        )
    more = sorted(kinds.keys() - wanted.keys())
    require(
        not more,
        f"{where} has an array {', '.join(more[:1])} that does not belong there: it is of another "
        "algorithm, or was changed.",
        RunError,
    )


def finite(array: np.ndarray) -> bool:
    """True if an array holds neither an infinity nor a NaN.

    >>> finite(np.ones(2)), finite(np.array([1.0, np.nan])), finite(np.array([True]))
    (True, False, True)
    """
    return not np.issubdtype(array.dtype, np.floating) or bool(np.isfinite(array).all())


def require_finite(arrays: Arrays, where: str) -> None:
    """Raise `RunError` naming the first array with a number that is not finite."""
    for name, array in arrays.items():
        if not finite(array):
            bad = array[~np.isfinite(array)].flat[0]
            raise RunError(
                f"{where}, array {name} holds {bad}, and Coterie writes finite numbers alone: "
                f"{REMEDY}."
            )


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and numbers."""
    kind = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(kind + np.ascontiguousarray(array).tobytes()).hexdigest()


def seal(metadata: Metadata) -> str:
    """SHA-256 of everything that a header says but its seal."""
    said = {name: metadata[name] for name in metadata if name != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _require_regular(path: Path, found: os.stat_result, remedy: str) -> None:
    require(
        stat.S_ISREG(found.st_mode),
        f"{path} is damaged: it is not a regular file; {remedy}.",
        RunError,
    )


def _header(path: Path, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """A safetensors file's header, and where its data begins."""
    length = int.from_bytes(file.read(8), "little")
    require(
        8 < 8 + length <= min(size, TEXT),
        f"{path} is damaged, or not one of ours: its header would have {length} bytes of {size}; "
        f"{REMEDY}.",
        RunError,
    )
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged, or not one of ours ({error}): {REMEDY}.") from None
    require(isinstance(header, dict), f"{path} is damaged in its header: {REMEDY}.", RunError)
    return header, 8 + length


def _metadata(path: Path, header: dict[str, Any]) -> tuple[Metadata, dict[str, str]]:
    """Metadata of a header, taken out of it, and the hashes of its arrays."""
    try:
        metadata = dict(header.pop("__metadata__"))
        sealed = metadata.pop("seal") == seal(metadata)
        hashes = dict(json.loads(metadata.pop("sha256")))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{path} is damaged, or not one of ours ({why}): {REMEDY}.") from None
    texts = all(isinstance(value, str) for value in metadata.values())
    require(sealed and texts, f"{path} is damaged in its header: {REMEDY}.", RunError)
    return metadata, hashes


def _kind(path: Path, name: str, entry: Any) -> Kind:
    """The kind of an array that a header tells."""
    try:
        shape = tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        kind = Kind(shape, np.dtype(DTYPES[entry["dtype"]]))
        whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged in array {name} ({error!r}): {REMEDY}.") from None
    fits = whole and end - begin == math.prod(shape) * kind.dtype.itemsize
    require(fits, f"{path} is damaged in the size of array {name}: {REMEDY}.", RunError)
    return kind


def _require_size(path: Path, header: dict[str, Any], kinds: dict[str, Kind], found: int) -> None:
    """Raise `RunError` unless the arrays lie one after the other and fill the file."""
    places = sorted(header[name]["data_offsets"] for name in kinds)
    ends = [0, *(end for _, end in places)]
    joined = all(begin == before for (begin, _), before in zip(places, ends, strict=False))
    require(
        joined and ends[-1] == found,
        f"{path} is damaged: its header tells of {ends[-1]} bytes of arrays, and it has {found}; "
        f"{REMEDY}.",
        RunError,
    )
