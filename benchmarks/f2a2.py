"""F2A2-SAC's update beside its dense products: eight agents, batches of 1,024, as in the paper.

Of a processor, which other work beside a measurement changes less, and on the clock, as for IPPO.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree
from rich.console import Console
from rich.table import Table

from benchmarks.bound import Part, Product, dense, products
from coterie import family
from coterie.algorithms import (
    F2A2SAC,
    AttentionCritic,
    CommunicatedActions,
    EstimatedActions,
    ExperienceReplay,
)
from coterie.algorithms.f2a2.consensus import DualState, PrimalDual
from coterie.envs import Treasure
from coterie.network import Communication, Network, lift, networks
from coterie.rl.models import MLP
from coterie.training.state import TrainState, init_state, iterations
from coterie.types import AgentSpec

Array = np.ndarray
CLOCKS = {"of a processor": time.process_time, "on the clock": time.perf_counter}
NUM_ENVS, TURNS, ROUNDS, REPEATS = 12, 3, 8, 20
REPLAY = ExperienceReplay(updates_per_rollout=4, batch_size=1024, learning_starts=0)
ATTENTION, MODELS, HIDDEN = AttentionCritic(), EstimatedActions(), (128, 128)
ALGORITHM = F2A2SAC(
    rollout_length=100,
    replay=REPLAY,
    actor=MLP(HIDDEN, "leaky_relu"),
    critic=ATTENTION,
    opponents=MODELS,
)
ENV = Treasure()


def main() -> None:
    """Measure and print."""
    whole = Updates(ALGORITHM)
    alone = Updates(dataclasses.replace(ALGORITHM, opponents=CommunicatedActions()))
    meet = Agreement(whole.team)
    rows = {"one update, play included": whole, "the same without models of others": alone}
    rows["the agreement"] = meet
    least = {clock: bound(ENV.specs[0], ENV.agents) for clock in CLOCKS.values()}
    taken = {name: [] for name in rows}
    for _ in range(ROUNDS):  # in turn, so that a busy machine slows all alike
        for name, work in rows.items():
            taken[name].append(work.timed())
        for clock, parts in least.items():
            for part in parts.values():
                part.measure(clock)
    seconds = {name: np.median(each, axis=0) for name, each in taken.items()}
    floors = [[part.seconds for part in parts.values()] for parts in least.values()]
    show(seconds, dict(zip(next(iter(least.values())), zip(*floors, strict=True), strict=True)))
    Console().print(f"{whole.held / 1e9:.2f} GB held")


def show(seconds: dict[str, Array], parts: dict[str, tuple[float, ...]]) -> None:
    """Print what was measured beside the parts of the bound, each by every clock."""
    floor = np.sum(list(parts.values()), axis=0)
    table = Table(title=f"F2A2-SAC, {ENV.agents} agents, batches of {REPLAY.batch_size}")
    table.add_column("seconds")
    for name in CLOCKS:
        table.add_column(name, justify="right")
    for name, each in seconds.items():
        table.add_row(name, *(f"{x:.3f}" for x in each))
    table.add_row("arithmetic bound", *(f"{x:.3f}" for x in floor))
    for name, each in parts.items():
        table.add_row(f"  products, {name}", *(f"{x:.3f}" for x in each))
    Console().print(table)
    update, _, talk = seconds.values()
    shares = ", ".join(f"{x:.2f} {name}" for x, name in zip(floor / update, CLOCKS, strict=True))
    Console().print(
        f"of the bound: {shares}; {1 / update[1]:.2f} updates per second of {1 / floor[1]:.2f}; "
        f"the agreement is {100 * talk[0] / update[0]:.1f} % of an update"
    )


def spent(since: Array | float = 0.0) -> Array:
    """What every clock says, since then."""
    return np.array([clock() for clock in CLOCKS.values()]) - since


class Updates:
    """A team that learns, and what an update takes it."""

    def __init__(self, algorithm: F2A2SAC) -> None:
        graph, vector = family("complete", ENV.agents), ENV.vectorize(NUM_ENVS)
        fresh = jax.jit(lambda key: init_state(algorithm, ENV, vector, Communication(graph), key))
        self.team = jax.block_until_ready(fresh(jax.random.key(0)))
        advance = jax.jit(iterations(algorithm, ENV, vector, TURNS), donate_argnums=0)
        self._advance = advance.lower(self.team).compile()
        self.held = self._advance.memory_analysis().argument_size_in_bytes

    def timed(self) -> Array:
        """Seconds by every clock, with its share of play."""
        began = spent()
        self.team, _ = jax.block_until_ready(self._advance(self.team))
        return spent(began) / TURNS / REPLAY.updates_per_rollout


class Agreement:
    """What takes one round of the dual step and the averages, alone."""

    def __init__(self, team: TrainState) -> None:
        pact = PrimalDual()
        self._shared = jax.tree.map(
            jnp.copy, jax.vmap(ALGORITHM.information.lasting)(team.agents)[ALGORITHM.payload]
        )
        self._network = networks(family("complete", ENV.agents), (ALGORITHM.payload,))

        def one(mine: PyTree, network: Network) -> DualState:
            state = pact.start(mine)
            pushed = jax.tree.map(lambda x, f: x - 1e-3 * f, mine, pact.dual_gradient(mine, state))
            return pact.consensus_step(pushed, state, network, ALGORITHM.payload)[0]

        self._run = jax.jit(lift(one)).lower(self._shared, self._network).compile()

    def timed(self) -> Array:
        """The mean of some in a row, by every clock, after one that wakes the threads."""
        jax.block_until_ready(self._run(self._shared, self._network))
        began = spent()
        for _ in range(REPEATS):
            jax.block_until_ready(self._run(self._shared, self._network))
        return spent(began) / REPEATS


def bound(spec: AgentSpec, agents: int) -> dict[str, Part]:
    """What one update cannot do without, for all agents."""
    sizes, rows = (spec.size, spec.action.size, agents - 1), REPLAY.batch_size
    policy = (spec.size, *HIDDEN, spec.action.size)
    critics: Counter[Product] = Counter()
    for backward, passes in ((False, 3), (True, 2)):
        critics.update({p: passes * n for p, n in critic(backward, *sizes).items()})
    policies = Counter(products(rows, policy, True)) + Counter(products(rows, policy, False))
    return {
        "critics": dense(agents, critics),
        "policies": dense(agents, policies),
        "models of others": dense(agents, minds(*sizes)),
    }


def critic(backward: bool, seen: int, acted: int, others: int) -> Counter[Product]:
    """The products of one attentional critic, with or without a gradient."""
    width, rows = ATTENTION.attention_dim, REPLAY.batch_size
    found = Counter(products(rows, (seen, width, width), backward))  # itself, and its query
    found.update(_inner(rows, (width, width), backward))  # the query through the keys
    for _ in range(others):
        found.update(products(rows, (seen + acted, width, width), backward))  # and values
    found.update(_inner(rows, (2 * width, width, acted), backward))
    return found


def minds(seen: int, acted: int, others: int) -> Counter[Product]:
    """Everybody's models: two guesses, of one reading of characters, and a step of learning."""
    width, rows, found = MODELS.hidden_size, REPLAY.batch_size, Counter()
    for backward, guesses in ((False, 2), (True, 1)):
        said = Counter(products(rows, (seen + 2 * width, width, acted), backward))
        said.update(products(rows, (seen, width, acted), backward))
        states = _encoded(MODELS.history, rows, (seen + acted, width), backward)
        for part, times in (said, guesses), (states, guesses):
            found.update({p: times * others * n for p, n in part.items()})
        first = ALGORITHM.rollout_length, MODELS.num_character_trajectories
        characters = _encoded(*first, (seen + acted, width), backward)
        found.update({p: others * n for p, n in characters.items()})
    return found


def _encoded(steps: int, num_envs: int, sizes: tuple[int, int], backward: bool) -> Counter[Product]:
    """The products of a recurrent encoder that is taken through so many steps."""
    found = Counter(products(steps * num_envs, sizes, backward))
    for _ in range(2 * steps):
        found.update(_inner(num_envs, (sizes[1], 3 * sizes[1]), backward))
    return found


def _inner(rows: int, sizes: Sequence[int], backward: bool) -> list[Product]:
    """Products of layers whose input has a gradient, too."""
    found = products(rows, sizes, backward)
    if backward:
        found.append(Product(rows, sizes[0], sizes[1], "input"))
    return found


if __name__ == "__main__":
    main()
