"""What every test stands on: the CPU, a compilation cache, and checked shapes.

Everything here must happen before `jax` or `coterie` is imported, hence at import time.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiling is most of what the tests cost: it is done in a hurry, and what was compiled once is
# kept next to the code.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's older code generator takes half the time of its present one.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1"
    else "",
)
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax-tests")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Robots are painted without a screen.
os.environ.setdefault("MUJOCO_GL", "egl")
# What is trusted here is no business of who runs the tests.
os.environ["XDG_STATE_HOME"] = f"{tempfile.gettempdir()}/coterie-state-{os.getpid()}"
# Who starts the tests in the background has Ctrl-C ignored, by all that they start, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# JAX_NUMPY_RANK_PROMOTION stays as it is: bounds of shape [A] broadcast over batches on purpose.

import contextlib
import ctypes
import gc
import itertools

import jax
import jaxtyping
import pytest
from jax._src.interpreters import mlir

# Every function and dataclass of the package checks its annotations, shapes included, while the
# tests run. An `int` is accepted where a `float` is asked for, as type checkers do.
jaxtyping.install_import_hook(
    "coterie", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)


def with_few_contexts(make, programs=50):
    """Make contexts for the lowering of programs, one for so many.

    A context takes 10 ms to make, as long as the rest of lowering a small program. It keeps the
    constants of its programs, so it is not kept for ever. A program that is lowered while another
    one is being lowered has one of its own: in the same one it would be written into the other.
    """
    asked = itertools.count()
    kept = []

    def context():
        if mlir.ir.Context.current is not None:
            return make()
        if next(asked) % programs == 0:
            kept[:] = [make()]
        return kept[0]

    return context


mlir.make_ir_context = with_few_contexts(mlir.make_ir_context)


TESTS = Path(__file__).parent
WHOLE = {TESTS, *(TESTS / part for part in ("claims", "contracts", "training"))}
"""Folders of tests of whole runs and updates, which are traced a quarter faster unchecked."""


@pytest.fixture(autouse=True)
def checked_shapes(request):
    """Shapes are checked by the tests of the parts, and by one contract of all algorithms."""
    asked = request.node.get_closest_marker("shapes") is not None
    trusted = request.path.parent in WHOLE and not asked
    jaxtyping.config.update("jaxtyping_disable", trusted)


def pytest_collection_modifyitems(items):
    """Tests of a file share a process, where what they need is compiled, unless they share one with
    those of other files that need the same."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(TESTS.parent))))


def pytest_unconfigure():
    shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)


def pytest_collection_finish():
    """What is there by now stays: it is not looked through again at every collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


MEMORY = 2_000_000_000
"""Bytes in use from which on compiled programs are forgotten, looked at after each test: one test
alone can add 300 MB, and a process is to stay below 2.5 GB."""


@pytest.fixture(autouse=True)
def few_programs():
    """Compiled programs are forgotten before they fill the memory, or a process's table of maps.

    Every program takes some maps; Linux allows 65,530 of them and kills the process that asks for
    more.
    """
    yield
    if not Path("/proc/self").exists() or not crowded():
        return
    with contextlib.suppress(OSError, AttributeError):  # glibc alone keeps what is freed
        ctypes.CDLL(None).malloc_trim(0)
    if crowded():
        jax.clear_caches()
        gc.collect()


def crowded():
    """Whether this process uses more memory, or more maps, than it should."""
    process = Path("/proc/self")
    used = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return used > MEMORY or (process / "maps").read_text().count("\n") > 30_000
