"""Updates of F2A2-SAC and MAAC beside their dense products: eight agents, batches of 1,024.

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
    CentralAttentionCritic,
    CommunicatedActions,
    EstimatedActions,
    ExperienceReplay,
)
from coterie.algorithms.f2a2.consensus import DualState, PrimalDual
from coterie.centralized import MAAC
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
CENTRAL = dataclasses.replace(
    MAAC,
    rollout_length=100,
    replay=REPLAY,
    actor=MLP(HIDDEN, "leaky_relu"),
    critic=CentralAttentionCritic(),
)
ENV = Treasure()


def main() -> None:
    """Measure and print."""
    whole = Updates(ALGORITHM)
    alone = Updates(dataclasses.replace(ALGORITHM, opponents=CommunicatedActions()))
    rows = {"one update, play included": whole, "the same without models of others": alone}
    rows |= {"the agreement": Agreement(whole.team), "an update of MAAC": Updates(CENTRAL)}
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
    table = Table(title=f"F2A2-SAC and MAAC, {ENV.agents} agents, batches of {REPLAY.batch_size}")
    table.add_column("seconds")
    for name in CLOCKS:
        table.add_column(name, justify="right")
    for name, each in seconds.items():
        table.add_row(name, *(f"{x:.3f}" for x in each))
    for name, each in parts.items():
        table.add_row(f"products, {name}", *(f"{x:.3f}" for x in each))
    Console().print(table)
    update, alone, talk, central = seconds.values()
    policies, critics = np.array(parts["policies"]), np.array(parts["critics"])
    floors = {
        "F2A2-SAC": (policies + critics + parts["models of others"], update),
        "F2A2-SAC without models of others": (policies + critics, alone),
        "MAAC": (policies + parts["critics of MAAC"], central),
    }
    for name, (floor, taken) in floors.items():
        shares = zip(floor / taken, CLOCKS, strict=True)
        Console().print(f"{name}: of the bound {', '.join(f'{x:.2f} {on}' for x, on in shares)}")
    Console().print(f"the agreement is {100 * talk[0] / update[0]:.1f} % of an update")


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
        "critics of MAAC": dense(agents, central(*sizes[:2])),
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


def central(seen: int, acted: int) -> Counter[Product]:
    """The products of MAAC's critics: everybody's step encoded once, of each by its own critic."""
    width, rows = ATTENTION.attention_dim, REPLAY.batch_size
    found: Counter[Product] = Counter()
    for backward, encoded, judged in ((False, 2, 1), (True, 1, 1)):
        told = Counter(products(rows, (seen + acted, width, width), backward))
        told.update(_inner(rows, (width, width), backward))  # keys, then values
        own = Counter(products(rows, (seen, width, width), backward))
        own.update(_inner(rows, (2 * width, width, acted), backward))
        for part, times in (told, encoded), (own, judged):
            found.update({p: times * n for p, n in part.items()})
    # Others' fresh actions change nothing but what is heard of them.
    found.update(products(rows, (2 * width, width, acted), False))
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
