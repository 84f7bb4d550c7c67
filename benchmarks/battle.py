"""Battle: 64 copies in a compiled program, and MAgent2 beside them, if it is installed."""

import importlib.util
import time
from collections.abc import Callable

import jax
import numpy as np

from coterie.envs import Battle

COPIES, STEPS, TURNS = 64, 50, 5
SIZES = (20, 40, 80)


def taken(play: Callable[[], int]) -> float:
    """Processor time per step of one battle, in microseconds."""
    before = time.process_time()
    steps = play()
    return (time.process_time() - before) / steps * 1e6


def ours(size: int) -> Callable[[], int]:
    """Steps under random actions; the second army follows the script."""
    env = Battle(map_size=size)
    vector = env.vectorize(COPIES)

    @jax.jit
    def play(key: jax.Array) -> tuple:  # with the last views, or none would be made at all
        def step(now: tuple, key: jax.Array) -> tuple[tuple, jax.Array]:
            state, _ = now
            action = jax.random.randint(key, (COPIES, env.army), 0, 21)
            state, timestep, view = vector.step(state, action, key)
            return (state, view), timestep.reward.sum()

        return jax.lax.scan(step, vector.reset(key), jax.random.split(key, STEPS))

    def once() -> int:
        jax.block_until_ready(play(jax.random.key(0)))
        return COPIES * STEPS

    return once


def theirs(size: int) -> Callable[[], int]:
    """Steps of `battle_v4` with random actions of both armies."""
    from magent2.environments import battle_v4  # type: ignore[import-not-found]

    env, random = battle_v4.parallel_env(map_size=size), np.random.default_rng(0)

    def once() -> int:
        env.reset(seed=0)
        for _ in range(STEPS):
            env.step({agent: int(random.integers(21)) for agent in env.agents})
        return STEPS

    return once


def main() -> None:
    """Measure and print: medians of turns, one way after the other in each turn."""
    print(f"{COPIES} battles, microseconds of a processor per step of one")
    known, ways = importlib.util.find_spec("magent2") is not None, {}
    for size in SIZES:
        ways[f"Coterie, {size}"] = ours(size)
        if known:
            ways[f"MAgent2, {size}"] = theirs(size)
    for play in ways.values():
        play()  # compiles
    turns = [[taken(play) for play in ways.values()] for _ in range(TURNS)]
    for name, each in zip(ways, np.median(turns, axis=0), strict=True):
        units = Battle(map_size=int(name.split()[-1])).army
        print(f"{name:12} {units:4} a side {each:7.1f}, {each / units:5.2f} for each agent")


if __name__ == "__main__":
    main()
