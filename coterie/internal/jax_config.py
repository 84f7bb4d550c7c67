"""Before JAX starts: devices for the seeds, and a place for compiled programs."""

import contextlib
import os
from pathlib import Path

import jax


def prepare(seeds: int = 1) -> None:
    """Give every seed a device of its own, as far as there are cores, and keep what is compiled.

    Does nothing to devices once JAX has started. Programs are kept in `~/.cache/coterie` (or where
    `XDG_CACHE_HOME` or `JAX_COMPILATION_CACHE_DIR` say), so that a second start is fast.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with contextlib.suppress(RuntimeError):  # JAX has started: it keeps the devices it has
        jax.config.update("jax_num_cpu_devices", max(1, min(seeds, cores or 1)))
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "coterie"
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(home))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
