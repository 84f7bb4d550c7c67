"""Trials as tasks of a Ray cluster."""

import importlib
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from coterie.bounds import AtLeast
from coterie.errors import ConfigError
from coterie.internal.extras import install
from coterie.sweeps.attended import AttendedJob, attended, clear
from coterie.sweeps.launcher import Job, Launcher


@dataclass(frozen=True)
class Ray(Launcher, name="ray"):
    """Tasks of a Ray cluster; the sweep's folder has to be seen by all machines."""

    workers: Annotated[int, AtLeast(1)] = 16
    """Trials that run, or wait to run, at a time."""
    address: str = ""
    """Address of the cluster, host:port or auto; by default a Ray of its own on this machine."""
    cores: Annotated[int | None, AtLeast(1)] = None
    """Cores of a trial; by default one for each seed."""
    gpus: Annotated[int, AtLeast(0)] = 0
    """GPUs of a trial."""

    def check(self) -> None:
        ray = _ray()
        if ray.is_initialized():
            return
        own = {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
        asked = {"address": self.address} if self.address else own
        try:
            with warnings.catch_warnings():  # JAX's, of a fork that only starts another program
                warnings.simplefilter("ignore", RuntimeWarning)
                ray.init(log_to_driver=False, configure_logging=False, **asked)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError(f"--launcher ray finds no cluster: {error}") from None

    def slots(self, seeds: int) -> int:
        return self.workers

    def submit(self, command: Sequence[str], log: Path, seeds: int) -> Job:
        clear(log)
        ray, words = _ray(), attended(command, log.resolve())
        task = ray.remote(subprocess.call)
        asked = {"num_cpus": self.cores or seeds, "num_gpus": self.gpus, "max_retries": 0}
        there = task.options(**asked).remote(words, cwd=str(Path.cwd()))

        def alive() -> bool:
            return not ray.wait([there], timeout=0)[0]

        return AttendedJob(log, alive, lambda: ray.cancel(there, force=False))


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise ConfigError(
            f"--launcher ray needs Ray, which is not installed: {install('ray')}."
        ) from None
