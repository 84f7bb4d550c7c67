"""Pictures that are written whole or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coterie.errors import ConfigError, require
from coterie.internal.files import whole

SUFFIXES = (".png", ".pdf", ".svg")


def pictures_at(path: str | Path, formats: Iterable[str] = ()) -> list[Path]:
    """The files of a picture at `path`: one, or one for each of the `formats`.

    >>> [str(file) for file in pictures_at("x.png", ("pdf", "svg"))]
    ['x.pdf', 'x.svg']
    """
    path = Path(path)
    base = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    return [base.with_name(f"{base.name}.{each}") for each in formats] or [path]


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
