"""Processes that run a function of this package for an environment outside JAX.

They are started as fresh interpreters and not through `multiprocessing`: nothing of the caller's
main module is imported again, so that a script needs no `if __name__ == "__main__"` and no worker
touches an accelerator.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2]
PARTS: tuple[tuple[str, ...], ...] = ((), ("envs",), ("envs", "host"))

# The package is entered past its `__init__`, which would import JAX; the environment finds the real
# one.
BOOT = """
import os, signal, sys, types
os.dup2(2, 1)  # what an environment prints is no part of an answer
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = {path!r}
for name, folder in {packages!r}:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from coterie.envs.host.{module} import {function}
for name in [name for name in sys.modules if name.partition(".")[0] == "coterie"]:
    del sys.modules[name]
{function}(*{arguments!r})
sys.stdout.flush(), sys.stderr.flush(), os._exit(0)  # taking modules apart can take seconds
"""

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker has about one core; more can be asked for in the environment."""


def started(
    module: str, function: str, arguments: tuple[Any, ...], files: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    """Start a process that calls a function of a module beside this one.

    arguments: plain values.
    files:     the descriptors that it inherits.
    """
    packages = [(".".join(("coterie", *part)), str(PACKAGE.joinpath(*part))) for part in PARTS]
    told = {"path": [str(entry) for entry in sys.path], "packages": packages}
    code = BOOT.format(module=module, function=function, arguments=arguments, **told)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],  # nothing from the working directory
        stdin=subprocess.DEVNULL,
        pass_fds=files,
        process_group=0,
        env={**THREADS, **os.environ, "JAX_PLATFORMS": "cpu"},
    )


def ending(code: int) -> str:
    """Say how a process ended.

    >>> ending(7), ending(-6)
    ('with exit code 7', 'by signal 6')
    """
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
