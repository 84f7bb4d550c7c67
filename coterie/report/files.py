"""Pictures that are written whole or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coterie.errors import ConfigError, require
from coterie.internal.files import whole


@contextmanager
def picture(path: str | Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """A place to draw to, which becomes `path` when the block ends well and vanishes otherwise.

    `ConfigError` if `path` has none of the `suffixes`.
    """
    path, known = Path(path), list(suffixes)
    require(
        path.suffix.lower() in known,
        f"cannot write {str(path)!r}: a picture's name ends in {', '.join(known)}.",
        ConfigError,
    )
    with whole(path) as part:
        yield part
