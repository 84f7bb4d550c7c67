"""Files that are written whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coterie.errors import ConfigError, require


@contextmanager
def whole(path: str | Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """A place to write to, which becomes `path` when the block ends well and vanishes otherwise.

    The place is a file in the same folder (made if missing) with the same suffix. `ConfigError` if
    `path` has none of the `suffixes`.
    """
    path, known = Path(path), list(suffixes)
    require(
        path.suffix.lower() in known,
        f"cannot write {str(path)!r}: a picture's name ends in {', '.join(known)}.",
        ConfigError,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
