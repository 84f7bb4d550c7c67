"""Teams of 2 to 256 agents on a ring: what an agent costs, and what its messages do."""

import dataclasses
import sys
import time

import jax
from rich.console import Console
from rich.table import Table

from coterie import family
from coterie.algorithms import (
    Algorithm,
    ExperienceReplay,
    Gossip,
    GossipEstimate,
    LiJia,
    NetworkedAC,
)
from coterie.envs import Commons
from coterie.network import Communication
from coterie.training.state import TrainState, init_state, iterations

TEAMS = 2, 16, 64, 256
NUM_ENVS, REPEATS = 64, 4
UPDATES = 8
"""Of the largest team in a block. A program takes fresh memory once: at 1 that costs a sixth."""


@dataclasses.dataclass(frozen=True)
class SilentGossip(Gossip):
    """Messages left out, which a user cannot ask for."""

    rounds: int = 0


@dataclasses.dataclass(frozen=True)
class SilentEstimate(GossipEstimate):
    """Messages left out, which a user cannot ask for."""

    rounds: int = 0


AT_ONCE = ExperienceReplay(learning_starts=0)
METHODS: dict[str, tuple[Algorithm, Algorithm, Commons]] = {
    "networked-ac": (
        NetworkedAC(critic_actions="mean", critic_epochs=1),
        NetworkedAC(critic_actions="mean", critic_epochs=1, consensus=SilentGossip()),
        Commons(),
    ),
    "li-jia": (
        LiJia(replay=AT_ONCE),
        LiJia(replay=AT_ONCE, weight_estimation=SilentEstimate()),
        Commons(continuous=True),
    ),
}
"""Each method, the same one without its messages, and the environment that it plays."""


class Measured:
    """A team and a compiled block of as many updates as make equal work for all sizes."""

    def __init__(self, algorithm: Algorithm, env: Commons):
        vector, talk = env.vectorize(NUM_ENVS), Communication(family("ring", env.agents))
        fresh = jax.jit(lambda key: init_state(algorithm, env, vector, talk, key))
        self.team = jax.block_until_ready(fresh(jax.random.key(0)))
        updates = UPDATES * max(TEAMS) // env.agents
        advance = iterations(algorithm, env, vector, updates)

        def block(team: TrainState) -> TrainState:
            return advance(team)[0]

        began = time.perf_counter()
        self.block = jax.jit(block, donate_argnums=0).lower(self.team).compile()
        self.compiled = time.perf_counter() - began
        self.steps = updates * env.agents * algorithm.rollout_length * NUM_ENVS
        self.agents = env.agents
        self.cost = float("inf")

    def run(self) -> None:
        """Advance a block; `cost` is the least processor time of one agent's step, in seconds."""
        began = time.process_time()
        self.team = jax.block_until_ready(self.block(self.team))
        self.cost = min(self.cost, (time.process_time() - began) / self.steps)

    @property
    def held(self) -> float:
        """Bytes that one agent's share of the team takes between two blocks."""
        return self.block.memory_analysis().argument_size_in_bytes / self.agents

    @property
    def working(self) -> float:
        """Bytes that one agent takes besides while a block runs."""
        return self.block.memory_analysis().temp_size_in_bytes / self.agents


def measure(name: str) -> Table:
    """A method in all its sizes, in turn, so that a busy machine slows all alike."""
    talking, silent, env = METHODS[name]
    envs = [dataclasses.replace(env, agents=size) for size in TEAMS]
    pairs = [(Measured(talking, env), Measured(silent, env)) for env in envs]
    for _ in range(1 + REPEATS):
        for pair in pairs:
            for one in pair:
                one.run()
    table = Table(title=f"{name} on {NUM_ENVS} environments of `commons`, a ring")
    headings = "agents", "μs per agent and step", "without messages", "messages", "KB held"
    for heading in (*headings, "KB working", "compiled, s"):
        table.add_column(heading, justify="right")
    for with_, without in pairs:
        table.add_row(
            f"{with_.agents}",
            f"{1e6 * with_.cost:.2f}",
            f"{1e6 * without.cost:.2f}",
            f"{100 * (with_.cost / without.cost - 1):.1f} %",
            f"{with_.held / 1e3:,.0f}",
            f"{with_.working / 1e3:,.0f}",
            f"{with_.compiled:.1f}",
        )
    return table


def main() -> None:
    """Measure and print."""
    for name in sys.argv[1:] or METHODS:
        Console().print(measure(name))


if __name__ == "__main__":
    main()
