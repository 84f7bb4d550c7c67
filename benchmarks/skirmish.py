"""Skirmish beside JaxMARL's SMAX: steps of the environments alone, in one process, in turn.

Both play 64 copies under random possible actions, which are drawn in the same program.
"""

import importlib.util
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from coterie.envs.game import JaxEnv, Observation
from coterie.envs.jaxmarl import JaxMARLEnv
from coterie.envs.skirmish import Skirmish

COPIES, STEPS, TURNS = 64, 100, 5
CLOCKS = time.process_time, time.perf_counter
MAPS = "2s3z", "27m_vs_30m", "MMM2"
ABSENT = "MMM2"
"""A map that SMAX does not have."""

Taken = list[float]
"""Seconds: of processors, and on the clock."""


def taken(play: Callable[[], object]) -> Taken:
    """Time that a call takes by both clocks."""
    before = [clock() for clock in CLOCKS]
    play()
    return [clock() - began for clock, began in zip(CLOCKS, before, strict=True)]


def program(env: JaxEnv) -> Callable[[], object]:
    """Steps of copies of an environment in a compiled program."""
    vector, agents = env.vectorize(COPIES), len(env.specs)

    def draw(key: jax.Array, view: Observation) -> jax.Array:
        noise = jax.random.uniform(key, (COPIES, agents, env.specs[0].action.size))
        return jnp.argmax(jnp.where(view.action_mask, noise, -1.0), axis=-1)

    def step(carry: tuple, key: jax.Array) -> tuple:
        state, view = carry
        state, timestep, view = vector.step(state, draw(key, view), key)
        return (state, view), jnp.sum(timestep.reward) + jnp.sum(timestep.view.observation)

    @jax.jit
    def play(key: jax.Array) -> jax.Array:
        return jax.lax.scan(step, vector.reset(key), jax.random.split(key, STEPS))[1]

    return lambda: jax.block_until_ready(play(jax.random.key(0)))


def compared(name: str, ways: dict[str, JaxEnv]) -> None:
    """Measure and print: medians of turns, one way after the other in each turn."""
    plays = {way: program(env) for way, env in ways.items()}
    compiled = {way: taken(play)[0] for way, play in plays.items()}
    turns = [[taken(play) for play in plays.values()] for _ in range(TURNS)]
    for (way, begun), each in zip(compiled.items(), np.median(turns, axis=0), strict=True):
        busy, wall = each / (COPIES * STEPS) * 1e6
        print(
            f"{name:12} {way:9} {busy:6.1f} us of a processor, {wall:6.1f} us on the clock per "
            f"step of one; compiled in {begun:.1f} s of a processor"
        )
    if len(ways) > 1:
        ratios = np.median([np.divide(*turn[::-1]) for turn in turns], axis=0)
        print(f"{name:12} SMAX takes {ratios[0]:.2f} and {ratios[1]:.2f} times as long", flush=True)


def main() -> None:
    """Measure all maps; beside SMAX where it is installed."""
    there = importlib.util.find_spec("jaxmarl") is not None
    for name in MAPS:
        ways: dict[str, JaxEnv] = {"skirmish": Skirmish(name)}
        if there and name != ABSENT:
            ways["SMAX"] = JaxMARLEnv("HeuristicEnemySMAX", (f"scenario={name}",))
        compared(name, ways)


if __name__ == "__main__":
    main()
