"""IPPO's update part by part: what stands between it and the arithmetic bound.

Each part is compiled and timed alone, on what the part before it gave, all in turn; of a processor,
which other work beside a measurement changes less.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree
from rich.console import Console
from rich.table import Table

from benchmarks.ippo import AGENTS, ALGORITHM, NUM_ENVS, bound
from coterie import IPPO, SpreadFarama, family
from coterie.algorithms.base.algorithm import Metrics, Trajectory
from coterie.algorithms.ppo.base import PPOState, RecurrentStates, Sample
from coterie.network import Communication, lift
from coterie.rl.networks import Critic, Policy
from coterie.training.play import StepKeys
from coterie.training.state import TrainState, init_state, iterations, phases

ROUNDS = 15
STEPS = ALGORITHM.epochs * ALGORITHM.minibatches


@dataclass(frozen=True)
class Linear(IPPO):
    """Losses that are linear in the networks' outputs, so that they cost next to nothing."""

    def _loss(
        self, models: tuple[Policy, Critic], sample: Sample, memory: RecurrentStates, *rest: Any
    ) -> tuple[Array, Metrics]:
        policy, critic = models
        seen = sample.view.observation
        logits = policy.head(policy.body.sequence(seen, (), sample.over))
        value = critic.value(critic.body.sequence(seen, (), sample.over))
        return jnp.mean(logits) + jnp.mean(value * sample.target), {"nothing": jnp.zeros(())}


LINEAR = Linear(
    rollout_length=ALGORITHM.rollout_length,
    epochs=ALGORITHM.epochs,
    minibatches=ALGORITHM.minibatches,
    actor=ALGORITHM.actor,
    critic=ALGORITHM.critic,
)


class Timed:
    """A compiled part, and how long it took each time."""

    def __init__(self, function: Callable, *arguments: PyTree):
        self._run = jax.jit(function).lower(*arguments).compile()
        self._arguments = arguments
        self._taken: list[float] = []
        self.result = self._run(*arguments)

    def measure(self) -> None:
        """Run it once more."""
        began = time.process_time()
        jax.block_until_ready(self._run(*self._arguments))
        self._taken.append(time.process_time() - began)

    @property
    def seconds(self) -> float:
        """The median."""
        return float(np.median(self._taken))


def play(team: TrainState, key: Key[Array, ""]) -> Trajectory:
    """The experience of an update."""
    env = SpreadFarama(agents=AGENTS)
    keys = jax.random.split(key, (ALGORITHM.rollout_length, AGENTS + 1))
    steps = StepKeys(keys[:, :-1], keys[:, -1])
    return phases(ALGORITHM, env, env.vectorize(NUM_ENVS)).play(team, steps)[1]


def improved(method: IPPO) -> Callable:
    """One agent's gradient steps on experience that was judged."""
    memory = RecurrentStates((), ())

    def improve(state: PPOState, sample: Sample, key: Key[Array, ""]) -> tuple:
        return method._improve(state, sample, memory, AGENTS, key)

    return improve


def optimized(state: PPOState) -> tuple:
    """As many of Adam's steps as in an update, without a gradient."""
    rule, models = ALGORITHM._optimizer(), (state.policy, state.critic)

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        models, optimizer = carry
        change, optimizer = rule.update(models, optimizer)
        return (jax.tree.map(jnp.add, models, change), optimizer), None

    return jax.lax.scan(step, (models, state.optimizer), None, length=STEPS)[0]


def parts() -> dict[str, Timed]:
    """All parts, compiled."""
    env = SpreadFarama(agents=AGENTS)
    vector, talk = env.vectorize(NUM_ENVS), Communication(family("none", AGENTS))
    team = jax.jit(lambda key: init_state(ALGORITHM, env, vector, talk, key))(jax.random.key(0))
    played = Timed(play, team, jax.random.key(1))
    agents = team.agents
    judged = Timed(lift(ALGORITHM._sample_of), agents.critic, played.result)
    learning = agents, judged.result, team.keys
    return {
        "one update": Timed(iterations(ALGORITHM, env, vector, 1), team),
        "rollout": played,
        "values and advantages": judged,
        "gradient steps": Timed(lift(improved(ALGORITHM)), *learning),
        "  the same with linear losses": Timed(lift(improved(LINEAR)), *learning),
        f"  {STEPS} of Adam's steps": Timed(lift(optimized), agents),
    }


def main() -> None:
    """Measure and print."""
    rows, least = parts(), bound()
    for _ in range(ROUNDS):  # in turn, so that a busy machine slows all alike
        for part in rows.values():
            part.measure()
        for part in least.values():
            part.measure(time.process_time)
    table = Table(title="IPPO's update part by part")
    table.add_column("")
    table.add_column("ms of a processor", justify="right")
    for name, part in rows.items():
        table.add_row(name, f"{1e3 * part.seconds:.1f}")
    for name, part in least.items():
        table.add_row(f"bound: {name}", f"{1e3 * part.seconds:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
