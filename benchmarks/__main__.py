"""`make bench`: training throughput beside the arithmetic bound, on this machine."""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bound import activation_seconds, products, seconds_alone
from coterie import IPPO, SpreadFarama, family
from coterie.train.team import assemble, iteration

GAMES, AGENTS, WIDTH = 64, 3, 64
ALGORITHM = IPPO(horizon=128, epochs=4, minibatches=4, hidden=(WIDTH, WIDTH), activation="tanh")
UPDATES, ROUNDS = 5, 7


def start() -> tuple:
    """A fresh team and its compiled block; seconds to trace and to compile."""
    game = SpreadFarama(agents=AGENTS)
    vector = game.vectorize(GAMES)
    team = assemble(ALGORITHM, game, vector, family("none", AGENTS), jax.random.key(0))
    step = iteration(ALGORITHM, game, vector)

    def block(team: object) -> object:
        return jax.lax.scan(lambda t, _: step(t), team, None, length=UPDATES)

    began = time.perf_counter()
    lowered = jax.jit(block, donate_argnums=0).lower(team)
    traced = time.perf_counter()
    compiled = lowered.compile()
    return team, compiled, traced - began, time.perf_counter() - traced


def bound_seconds() -> dict[str, float]:
    """Seconds that one update cannot go below, by part."""
    horizon, parts = ALGORITHM.horizon, ALGORITHM.minibatches
    passes = ALGORITHM.epochs * parts
    observation = SpreadFarama(agents=AGENTS).specs[0].observation
    actor, critic = (observation, WIDTH, WIDTH, 5), (observation, WIDTH, WIDTH, 1)
    rows = horizon * GAMES // parts
    playing = Counter({p: horizon for p in products(GAMES, actor, backward=False)})
    judging = Counter(products((horizon + 1) * GAMES, critic, backward=False))
    learning: Counter = Counter()
    for sizes in (actor, critic):
        for product in products(rows, sizes, backward=True):
            learning[product] += passes
    layers = 2 * 2  # two hidden layers in each of two networks
    activations = passes * layers * activation_seconds(AGENTS, rows, WIDTH, backward=True)
    activations += 2 * horizon * activation_seconds(AGENTS, GAMES, WIDTH, backward=False)
    activations += 2 * activation_seconds(AGENTS, (horizon + 1) * GAMES, WIDTH, backward=False)
    return {
        "products, playing": seconds_alone(AGENTS, playing),
        "products, values": seconds_alone(AGENTS, judging),
        "products, learning": seconds_alone(AGENTS, learning),
        "activations": activations,
    }


def second_start() -> tuple[float, float]:
    """Seconds to the first finished block in a new process, without and with a warm cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": cache,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "benchmarks", "--start"], env=environment, check=True
            )
            seconds.append(time.perf_counter() - began)
    return seconds[0], seconds[1]


def main() -> None:
    """Measure and print."""
    team, block, traced, compiled = start()
    team, _ = jax.block_until_ready(block(team))
    if "--start" in sys.argv:
        return
    steps = UPDATES * ALGORITHM.horizon * GAMES
    taken, bounds = [], []
    for _ in range(ROUNDS):  # side by side, so that a busy machine slows both alike
        began = time.perf_counter()
        team, _ = jax.block_until_ready(block(team))
        taken.append((time.perf_counter() - began) / UPDATES)
        bounds.append(bound_seconds())
    best = {name: float(np.median([b[name] for b in bounds])) for name in bounds[0]}
    update, bound = float(np.median(taken)), sum(best.values())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cold, warm = second_start()
    per = steps / UPDATES
    table = Table(title=f"IPPO on {AGENTS}-agent spread, {GAMES} games x {ALGORITHM.horizon} steps")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("game steps per second", justify="right")
    table.add_row("one update, end to end", f"{update:.4f}", f"{per / update:,.0f}")
    for name, seconds in best.items():
        table.add_row(f"  bound: {name}", f"{seconds:.4f}", "")
    table.add_row("arithmetic bound", f"{bound:.4f}", f"{per / bound:,.0f}")
    console = Console()
    console.print(table)
    console.print(
        f"{bound / update:.2f} of the bound; trace {traced:.1f} s, compile {compiled:.1f} s; "
        f"first block of a new process {cold:.1f} s, with a warm cache {warm:.1f} s; "
        f"peak memory {memory:.2f} GB"
    )
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"jax {jax.__version__} on {jax.default_backend()}"
    )


if __name__ == "__main__":
    main()
