"""Trials as jobs of SLURM, through submitit."""

import importlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from coterie.bounds import AtLeast
from coterie.errors import ConfigError, RunError, brief, require
from coterie.internal.extras import install
from coterie.sweeps.attended import AttendedJob, attended, clear
from coterie.sweeps.launcher import Job, Launcher


@dataclass(frozen=True)
class Slurm(Launcher, name="slurm"):
    """Jobs of SLURM, through submitit; the sweep's folder has to be seen by all machines."""

    workers: Annotated[int, AtLeast(1)] = 16
    """Trials that run, or wait to run, at a time."""
    minutes: Annotated[int, AtLeast(1)] = 240
    """Time limit of a trial, which saves and ends before it."""
    cores: Annotated[int | None, AtLeast(1)] = None
    """Cores of a trial; by default one for each seed."""
    gpus: Annotated[int, AtLeast(0)] = 0
    """GPUs of a trial."""
    memory: str = ""
    """Memory of a trial, as SLURM writes it: 8GB."""
    partition: str = ""
    """Partition of the cluster."""
    account: str = ""
    """Account that is charged."""
    cluster: Literal["slurm", "local"] = "slurm"
    """Engine of submitit: SLURM, or processes on this machine, to try a sweep where there is
    none."""

    def check(self) -> None:
        _submitit()
        require(
            self.cluster == "local" or shutil.which("sbatch") is not None,
            "--launcher slurm finds no sbatch here: run the sweep on a machine that submits jobs, "
            "or try it with --launcher.cluster local.",
        )

    def slots(self, seeds: int) -> int:
        return self.workers

    def submit(self, command: Sequence[str], log: Path, seeds: int) -> Job:
        clear(log)
        submitit = _submitit()
        words = attended(command, log, self.minutes)
        executor = submitit.AutoExecutor(log.parent / "submitit", cluster=self.cluster)
        executor.update_parameters(**self._asked(log.stem, seeds))
        work = importlib.import_module("submitit.helpers").CommandFunction(
            words, verbose=False, cwd=os.getcwd()
        )
        try:
            job = executor.submit(work)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise RunError(f"submitit could not submit the job: {brief(str(error), 300)}") from None
        return AttendedJob(log, lambda: not job.done(), lambda: job.cancel(check=False))

    def _asked(self, name: str, seeds: int) -> dict[str, Any]:
        """Resources of a job, in submitit's words."""
        told = {
            "name": name,
            "timeout_min": self.minutes,
            "cpus_per_task": self.cores or seeds,
            "gpus_per_node": self.gpus or None,
            "slurm_mem": self.memory,
            "slurm_partition": self.partition,
            "slurm_account": self.account,
        }
        return {key: value for key, value in told.items() if value}


def _submitit() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise ConfigError(
            f"--launcher slurm needs submitit, which is not installed: {install('slurm')}."
        ) from None
