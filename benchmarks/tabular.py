"""Tabular learning: Li & Jia's Algorithm 1 in many runs at once, beside plain NumPy."""

import time

import jax
import numpy as np

from coterie import family
from coterie.algorithms import LiJiaTabular
from coterie.envs import RandomMDP
from coterie.network import Communication
from coterie.training.state import TrainState, init_state, iterations
from tests.algorithms.plain_li_jia import Chances, algorithm_1

ENV = RandomMDP(states=100, agents=5, actions=3)
METHOD = LiJiaTabular()
RUNS, STEPS, ROUNDS = 128, 2_000, 5  # runs on each device, steps of each in a block
PLAIN_STEPS = 2_000


def together() -> float:
    """Environment steps per second, summed over runs that learn side by side on every device."""
    vector, graph = ENV.vectorize(1), family("none", ENV.agents)

    def block(teams: TrainState, world: object) -> TrainState:
        run = iterations(METHOD, ENV, vector.with_constants(world), STEPS)
        return jax.vmap(lambda team: run(team)[0])(teams)

    advance = jax.jit(block, donate_argnums=0)
    fresh = jax.jit(
        jax.vmap(lambda key: init_state(METHOD, ENV, vector, Communication(graph), key))
    )
    places = jax.local_devices()
    teams = [jax.device_put(fresh(jax.random.split(jax.random.key(0), RUNS)), d) for d in places]
    worlds = [jax.device_put(vector.constants, d) for d in places]
    taken = []
    for _ in range(1 + ROUNDS):
        began = time.perf_counter()
        teams = [advance(team, world) for team, world in zip(teams, worlds, strict=True)]
        jax.block_until_ready(teams)
        taken.append(time.perf_counter() - began)
    return len(places) * RUNS * STEPS / float(np.median(taken[1:]))


def plain() -> float:
    """Environment steps per second of one run in plain NumPy."""
    tables, draw = ENV.tables(), np.random.default_rng(0)
    shape = ENV.states, *ENV.sizes
    transition = tables.transition.reshape(*shape, ENV.states)
    reward = tables.team_reward.reshape(shape)
    chances = Chances(
        draw.uniform(size=(PLAIN_STEPS, ENV.agents)),
        draw.uniform(size=PLAIN_STEPS),
        draw.uniform(size=(PLAIN_STEPS, ENV.agents)),
    )
    began = time.perf_counter()
    algorithm_1(METHOD, transition, reward, chances)
    return PLAIN_STEPS / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    fast, slow = together(), plain()
    print(
        f"Algorithm 1 with tables, {ENV.agents} agents, {ENV.states} states: "
        f"{fast:,.0f} environment steps per second in {RUNS} runs on each of "
        f"{jax.local_device_count()} devices, {slow:,.0f} in plain NumPy: {fast / slow:,.0f} times "
        "as many"
    )


if __name__ == "__main__":
    from coterie.internal.jax_config import prepare

    prepare(64)
    main()
