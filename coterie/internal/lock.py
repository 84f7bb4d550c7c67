"""Locks on folders: one process at a time writes there, and a lock ends with its process."""

import contextlib
import errno
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coterie.errors import RunError

LOCK = ".lock"
"""The name of the file that is locked; it says who holds it."""
UNAVAILABLE = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
"""Errors of file systems that have no locks: nothing protects a folder there."""
AFTER = 2**20
"""The byte that is locked on Windows, where what is locked cannot be read."""


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a folder for this process, and make it if need be; `RunError` says who else holds it.

    The system ends the lock with the process, however that ends. Folders that were made for the
    lock alone vanish with it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(folder / LOCK, folder):
            yield
    finally:
        with contextlib.suppress(OSError):  # something is in it
            for path in made:
                path.rmdir()


def is_held(folder: Path) -> bool:
    """True if a process holds a folder."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def holder(folder: Path) -> int | None:
    """The process on this machine that holds a folder; `None` if there is none."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        told = json.loads((folder / LOCK).read_text())
        if is_held(folder) and told["host"] == platform.node():
            return int(told["process"])
    return None


@contextmanager
def _locked(path: Path, folder: Path) -> Iterator[None]:
    handle = _acquire(path, folder)
    try:
        _write(handle)
        yield
    finally:
        ours = _same(handle, path)
        if ours and sys.platform != "win32":
            path.unlink()
        os.close(handle)
        if ours and sys.platform == "win32":  # an open file cannot be removed there
            with contextlib.suppress(OSError):
                path.unlink()


def _acquire(path: Path, folder: Path) -> int:
    """An open file that is locked, and still the one of its name."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _lock(handle):
            holder = _holder(handle)
            os.close(handle)
            raise RunError(f"{folder} is in use by {holder}: wait until it ends, or stop it.")
        if _same(handle, path):
            return handle
        os.close(handle)  # its holder has just removed it


def _lock(handle: int) -> bool:
    """Lock a file; `False` if another process has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, AFTER, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in UNAVAILABLE
    return True


def _same(handle: int, path: Path) -> bool:
    """True if the open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _write(handle: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    told = {"process": os.getpid(), "host": platform.node(), "since": since}
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(told).encode())


def _holder(handle: int) -> str:
    """The process that holds a lock, in words."""
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        told = json.loads(os.read(handle, AFTER))
        return f"process {told['process']} on {told['host']} since {told['since']}"
    except (OSError, ValueError, LookupError, TypeError):
        return "another process"
