"""The process of a trial on a cluster: `python -m coterie.sweeps.attend LOG MINUTES MODULE WORDS`.

It runs a module, writes what is said to LOG and at last the exit code beside it, and asks itself to
save and end (SIGTERM) when a file beside LOG says so, before its time is over, or at SIGUSR2, by
which clusters warn.
"""

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

from coterie.internal.files import write_whole
from coterie.sweeps.attended import FOREVER, code_file, stop_file

PAUSE = 0.5
"""Seconds between two looks for the file that asks to stop."""


def main(log: Path, minutes: float, module: str, words: list[str]) -> None:
    """Run a module as `python -m` does, and write down how it ended."""
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    signal.signal(signal.SIGUSR2, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    threading.Thread(target=_watch, args=(log, minutes), daemon=True).start()
    sys.argv = [module, *words]
    code: object = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
        raise
    finally:
        write_whole(code_file(log), f"{code if isinstance(code, int) else 1}\n")


def _watch(log: Path, minutes: float) -> None:
    end = time.monotonic() + 60 * minutes if minutes != FOREVER else float("inf")
    while not stop_file(log).exists() and time.monotonic() < end:
        time.sleep(PAUSE)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:])
