"""JaxMARL's IPPO, a block of updates whenever it is asked for: the other process of `jaxmarl.py`.

    python -P benchmarks/jaxmarl_child.py PROGRAM CONFIG

runs in JaxMARL's environment, without Coterie. For each line that it reads it writes one: the
seconds that an update took, of a processor and on the clock. The first line tells versions.
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType

import jax


def loaded(path: str) -> ModuleType:
    """JaxMARL's program, with a logger that does nothing in the place of wandb."""
    logger = ModuleType("wandb")
    logger.log = lambda numbers: None  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules["wandb"] = logger
    spec = importlib.util.spec_from_file_location("program", path)
    assert spec is not None and spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def block(program: ModuleType, config: dict, updates: int) -> Callable[[], list[float]]:
    """A start and so many updates, compiled; a call runs them and tells seconds by both clocks."""
    steps = updates * config["NUM_STEPS"] * config["NUM_ENVS"]
    train = program.make_train({**config, "TOTAL_TIMESTEPS": steps})
    key = jax.random.PRNGKey(0)
    run = jax.jit(train).lower(key).compile()

    def timed() -> list[float]:
        began = time.process_time(), time.perf_counter()
        jax.block_until_ready(run(key))
        return [time.process_time() - began[0], time.perf_counter() - began[1]]

    timed()  # once, so that threads and memory are there
    return timed


def main() -> None:
    """Answer until nothing more is asked."""
    path, config = sys.argv[1], json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what others print does not come between
    updates = config.pop("UPDATES")
    program = loaded(path)
    whole, start = block(program, config, updates), block(program, config, 0)
    versions = [f"{name} {version(name)}" for name in ("jaxmarl", "jax", "flax")]
    print(", ".join(versions), file=answers, flush=True)
    for _ in sys.stdin:
        spent = [(a - b) / updates for a, b in zip(whole(), start(), strict=True)]
        print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main()
