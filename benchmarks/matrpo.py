"""MATRPO's policy update, beside what the paper prints and beside what no rearrangement avoids.

All on the paper's navigation setting: `spread-matrpo`, 10 environments of 1,000 steps that were
played, policies of 2 x 128 SELU with a head for each agent, 100 rounds of ADMM. Processor time is
given next to time on the clock: other work beside a measurement changes it less, so ratios are of
it.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree
from rich.console import Console
from rich.table import Table

from coterie import family
from coterie.algorithms import MATRPO
from coterie.algorithms.base.algorithm import Trajectory
from coterie.algorithms.trpo import DirectionCoefficients, FullRatios
from coterie.algorithms.trpo.consensus_admm import RATIOS, ADMMResult, ADMMState
from coterie.algorithms.trpo.trust_region import TRPOState
from coterie.envs import SpreadMATRPO
from coterie.network import Communication, EdgeGossip, Network, Schedule, Static, lift, networks
from coterie.rl.linearized_policy import LinearizedPolicy
from coterie.training.play import StepKeys
from coterie.training.state import init_state, phases

PAPERS = MATRPO(rollout_length=1000, ratio_exchange=DirectionCoefficients())
NUM_ENVS, TURNS = 10, 3
TEAMS = 3, 6, 12


@dataclass(frozen=True)
class Direct(MATRPO):
    """Algorithm 1 as printed: in each activation eq. (22) is worked out from nothing.

    `H^-1 V` by conjugate gradients from 0, each step of it a product with the Hessian of the mean
    divergence over all samples, by automatic differentiation at the old parameters; then to the
    edge. The meetings, the search and the critic are the library's.
    """

    cg_iters: int = 10
    step_rule: Literal["exact", "closed", "boundary"] = "boundary"

    def _agreed(
        self, local: LinearizedPolicy, gain: Float[Array, "T G n"], network: Network
    ) -> ADMMResult:
        team = (*gain.shape[:2], network.size)
        gain = jnp.broadcast_to(gain, team)

        def activated(
            carry: tuple[Array, Array, ADMMState, Network], _: None
        ) -> tuple[tuple, None]:
            ties, network = carry[2:]
            change = self._edge(local, gain + ties.pull(self.penalty))
            ratio = local.ratio(local.jvp(change))
            heard, network = network.neighbors(ratio, RATIOS)
            return (change, ratio, ties.after(heard, self.penalty), network), None

        ties = ADMMState.fresh(len(network.neighbor), team)
        start = jnp.zeros_like(local.start), gain, ties, network
        return ADMMResult(*jax.lax.scan(activated, start, None, length=self.admm_rounds)[0])

    def _edge(self, local: LinearizedPolicy, pull: Float[Array, "T G N"]) -> Float[Array, " D"]:
        """`sqrt(2 delta / V^T H^-1 V) H^-1 V`."""

        def pulled(parameters: Array) -> Array:
            return jnp.sum(local.weight * pull * local.at(parameters)[0])

        def divergence(parameters: Array) -> Array:
            return jnp.sum(local.at(parameters)[1])

        def curved(change: Array) -> Array:
            product = jax.jvp(jax.grad(divergence), (local.start,), (change,))[1]
            return product + self.damping * change

        force = jax.grad(pulled)(local.start)
        change = _conjugate_gradients(curved, force, self.cg_iters)
        return jnp.sqrt(2.0 * self.max_kl / (force @ change)) * change


def _conjugate_gradients(
    product: Callable[[Array], Array], wanted: Float[Array, " D"], steps: int
) -> Float[Array, " D"]:
    """Towards the `x` whose product is `wanted`, from 0, as in any textbook."""

    def once(_: int, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, residual, move = carry
        bent, square = product(move), residual @ residual
        length = square / (move @ bent)
        left = residual - length * bent
        return x + length * move, left, left + left @ left / square * move

    start = jnp.zeros_like(wanted), wanted, wanted
    return jax.lax.fori_loop(0, steps, once, start)[0]


class Lesson(NamedTuple):
    """What a team that has played is about to learn from, `[N, ...]`."""

    agents: PyTree
    trajectory: Trajectory
    keys: Key[Array, " N"]


@functools.cache
def lesson(agents: int, num_envs: int, method: MATRPO) -> Lesson:
    """Fresh agents, and what they lived through."""
    env, horizon = SpreadMATRPO(agents=agents), method.rollout_length
    vector = env.vectorize(num_envs)

    def play(key: Key[Array, ""]) -> Lesson:
        team = init_state(method, env, vector, Communication(family("ring", agents)), key)
        keys = jax.random.split(team.env_key, (horizon, agents + 1))
        steps = StepKeys(keys[:, :-1], keys[:, -1])
        trajectory = phases(method, env, vector).play(team, steps)[1]
        return Lesson(team.agents, trajectory, team.keys)

    return jax.block_until_ready(jax.jit(play)(jax.random.key(0)))


def _played(method: MATRPO) -> MATRPO:
    """What plays as this method does: the same for all that differ in how they learn."""
    return MATRPO(rollout_length=method.rollout_length, actor=method.actor, critic=method.critic)


class Timed:
    """A compiled function of what every agent has, and the least time that it took."""

    def __init__(self, function: Callable, *team: PyTree):
        self._run = jax.jit(lift(function)).lower(*team).compile()
        self._team = team
        self.result: PyTree = None
        self.seconds = self.processor = float("inf")

    def measure(self) -> None:
        """Run it once more."""
        clock, processor = time.perf_counter(), time.process_time()
        self.result = jax.block_until_ready(self._run(*self._team))
        self.seconds = min(self.seconds, time.perf_counter() - clock)
        self.processor = min(self.processor, time.process_time() - processor)


def update(method: MATRPO, schedule: Schedule, agents: int = 3, num_envs: int = NUM_ENVS) -> Timed:
    """All of `learn`, over a ring."""
    played = lesson(agents, num_envs, _played(method))
    network = networks(family("ring", agents), method.information.sends, schedule=schedule)
    return Timed(method.learn, played.agents, played.trajectory, network, played.keys)


def critic(method: MATRPO, agents: int = 3, num_envs: int = NUM_ENVS) -> Timed:
    """The part of it that is the critic's."""
    played = lesson(agents, num_envs, _played(method))
    return Timed(method.advantages, played.agents, played.trajectory, played.keys)


def both_products(times: int) -> Timed:
    """Nothing but a product with J and one with its transpose, so many times."""
    method = PAPERS
    played = lesson(3, NUM_ENVS, _played(method))

    def multiply(agent: TRPOState, trajectory: Trajectory, index: Int[Array, ""]) -> Array:
        local = method._local(agent.model, trajectory, index)

        def once(_: int, change: Array) -> Array:
            back = local.vjp(local.jvp(change))
            return back / jnp.linalg.norm(back)

        return jax.lax.fori_loop(0, times, once, jnp.ones_like(local.start))

    return Timed(multiply, played.agents, played.trajectory, jnp.arange(3))


def in_turn(*timed: Timed) -> None:
    """Measure all a few times, in turn, so that a busy machine slows all alike."""
    for _ in range(TURNS):
        for one in timed:
            one.measure()


def sent(one: Timed) -> int:
    """Bytes that the team sent in an update."""
    return int(sum(np.sum(traffic.bytes) for traffic in one.result[1].traffic.values()))


def beside_the_printed_form(console: Console) -> None:
    """The same update in several ways, and the floor."""
    usual, edge = PAPERS, replace(PAPERS, step_rule="boundary")
    ways = {
        "exact, all links": update(replace(usual, ratio_exchange=FullRatios()), Static()),
        "all links": update(usual, Static()),
        "one link": update(usual, EdgeGossip("cyclic")),
        "one link, to the edge": update(edge, EdgeGossip("cyclic")),
    }
    parts = {
        "critic in each": critic(usual),
        f"J, J' {usual.cg_iters} times": both_products(usual.cg_iters),
        f"J, J' {usual.admm_rounds} times": both_products(usual.admm_rounds),
    }
    in_turn(*ways.values(), *parts.values())
    printed = update(
        Direct(rollout_length=PAPERS.rollout_length, ratio_exchange=PAPERS.ratio_exchange),
        EdgeGossip("cyclic"),
    )
    printed.measure()  # once: it takes a minute
    # Idle agents are worked out, too, where all are mapped over; the printed form is not charged.
    active = 2 / 3 * printed.processor

    table = Table(title=f"MATRPO's update, 3 agents on a ring, {usual.admm_rounds} rounds")
    table.add_column("")
    for heading in ("clock, s", "processor, s", "faster", "consensus_error", "kl", "MB sent"):
        table.add_column(heading, justify="right")
    for name, one in {**ways, "as printed": printed}.items():
        said = one.result[2]
        found = (f"{float(np.mean(said[key])):.4f}" for key in ("consensus_error", "kl"))
        times = f"{one.seconds:.2f}", f"{one.processor:.2f}", f"{active / one.processor:.1f} x"
        table.add_row(name, *times, *found, f"{sent(one) / 1e6:.0f}")
    table.add_row("  the two linked", "", f"{active:.2f}", "1.0 x")
    for name, part in parts.items():
        table.add_row(name, f"{part.seconds:.2f}", f"{part.processor:.2f}")
    console.print(table)
    floor = list(parts.values())[1].processor
    whole = ways["all links"].processor
    console.print(f"{whole / floor:.2f} of the floor, with the critic and the search")


MORE = {DirectionCoefficients(): 4_000, FullRatios(): 400}


def along_rings(console: Console) -> None:
    """What a round costs an agent in larger teams, all links in a round; by what more rounds take.

    MORE: so many more.
    """
    table = Table(title="On a ring: an agent's end of a link in a round, and an update of the team")
    for heading in ("ratios", "agents", "us a link", "update, s", "critic, s", "MB sent"):
        table.add_column(heading, justify="right")
    for exchange, more in MORE.items():
        usual = replace(PAPERS, ratio_exchange=exchange)
        longer = replace(usual, admm_rounds=usual.admm_rounds + more)
        for size in TEAMS:
            once, again, judging = (
                update(usual, Static(), size),
                update(longer, Static(), size),
                critic(usual, size),
            )
            in_turn(once, again, judging)
            link = (again.processor - once.processor) / (size * more * 2)
            seconds = f"{once.processor:.2f}", f"{judging.processor:.2f}"
            table.add_row(
                type(exchange).__name__,
                f"{size}",
                f"{1e6 * link:.0f}",
                *seconds,
                f"{sent(once) / 1e6:.0f}",
            )
    console.print(table)


def main() -> None:
    """Measure and print."""
    console = Console()
    beside_the_printed_form(console)
    along_rings(console)


if __name__ == "__main__":
    main()
