"""Base of the methods with tables: numbered states, a row for each, one step after the other."""

import abc
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import (
    ActionOnly,
    Algorithm,
    Information,
    InitKeys,
    Metrics,
    Trajectory,
)
from coterie.bounds import AtLeast, Between
from coterie.errors import require
from coterie.internal.count import Count
from coterie.network import Network
from coterie.rl.masked_stats import mean
from coterie.rl.tables import row, with_row
from coterie.types import LearnerSpec, Observation


class TabularState(NamedTuple):
    """State of an agent with tables.

    rows:  `K` numbers for every state and action, `[M, K, A]`; the method says which. They lie side
           by side, so that a step reads and writes one place: twice as fast as `K` tables.
    steps: how many steps it has learned from.
    """

    rows: Float[Array, "M K A"]
    steps: Count


class Step(NamedTuple):
    """One step of one environment.

    here, there: the numbers of the state that it was made in, and of the one that it led to.
    able, able_there: which actions are possible in them, `[A]`; `None` if all always are.
    ends:    nothing follows.
    alive:   whether the agent was there to make it; `None` if it always is.
    chance:  a random number in [0, 1).
    """

    here: Int[Array, "*batch"]
    able: Bool[Array, "*batch A"] | None
    action: Int[Array, "*batch"]
    reward: Float[Array, "*batch"]
    ends: Bool[Array, "*batch"]
    there: Int[Array, "*batch"]
    able_there: Bool[Array, "*batch A"] | None
    alive: Bool[Array, "*batch"] | None
    chance: Float[Array, "*batch"]


@dataclass(frozen=True)
class Tabular(Algorithm):
    """A method that keeps a row of numbers for every state; the states must be numbered.

    It learns from one step at a time, from the first to the last and, among environments that are
    played side by side, from environment to environment: many environments are as many steps of one
    agent, and step sizes fall with the visits of a cell as the theory has it. (An average over
    environments would be another method, which takes fewer and larger steps.)
    """

    rollout_length: Annotated[int, AtLeast(1)] = 1
    """Steps played in every environment between two rounds of learning."""
    discount: Annotated[float, Between(0, 1)] = 0.9
    """gamma: what a reward one step later is worth now."""

    information: Information = Information(action_space="discrete", numbered=True)
    """Declaration of what it may know: its own; central references know and do all at a centre."""

    numbers: ClassVar[int]
    """K, how many numbers are kept for each state and action."""

    @abc.abstractmethod
    def choose(
        self,
        state: TabularState,
        now: Float[Array, "K A"],
        view: Observation,
        chance: Float[Array, ""],
    ) -> Int[Array, ""]:
        """The action in one environment, given the row of its state and a random number in [0,
        1)."""

    @abc.abstractmethod
    def revise(
        self,
        now: Float[Array, "K A"],
        later: Float[Array, "K A"],
        step: Step,
        turn: Bool[Array, ""],
    ) -> tuple[Float[Array, "K A"], Metrics]:
        """The row of `step.here` after the step, given it and the row of `step.there`.

        turn: whether the agent may change its policy (see `turns`).
        """

    def turns(self, steps: Count, network: Network) -> Bool[Array, ""]:
        """True if the agent may change its policy after so many steps; always, by default."""
        return jnp.ones((), bool)

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[TabularState, tuple[()]]:
        name = type(self).__name__
        require(
            spec.states > 0,
            f"{name} keeps a table of states, but this environment's are not numbered: use a "
            "finite game (`coterie list`), or a method with networks, as dpo or iql.",
        )
        self.require_actions(spec.action)
        rows = jnp.zeros((spec.states, self.numbers, spec.action.size))
        return TabularState(rows, Count.of(0)), ()

    def act(
        self, state: TabularState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[ActionOnly, tuple[()]]:
        def one(view: Observation, chance: Float[Array, ""]) -> Int[Array, ""]:
            return self.choose(state, row(state.rows, _number(view)), view, chance)

        chances = jax.random.uniform(key, view.observation.shape[:1])
        return ActionOnly(jax.vmap(one)(view, chances)), memory

    def learn(
        self, state: TabularState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[TabularState, Network, Metrics]:
        def one(state: TabularState, step: Step) -> tuple[TabularState, Metrics]:
            now, later = row(state.rows, step.here), row(state.rows, step.there)
            new, metrics = self.revise(now, later, step, self.turns(state.steps, network))
            if step.alive is not None:
                new = jnp.where(step.alive, new, now)
            return TabularState(with_row(state.rows, step.here, new), state.steps.next()), metrics

        steps = _steps(trajectory, key)
        state, metrics = jax.lax.scan(one, state, steps)
        return state, network, {k: mean(each, steps.alive) for k, each in metrics.items()}

    @property
    def batches_seeds(self) -> bool:
        return True


def _number(view: Observation) -> Int[Array, "*batch"]:
    return view.observation[..., 0].astype(jnp.int32)


def _steps(trajectory: Trajectory, key: Key[Array, ""]) -> Step:
    """The steps of all environments in the order they are learned from, `[T * G]`."""
    view, following = trajectory.view, trajectory.next_view
    steps = Step(
        _number(view),
        view.action_mask,
        trajectory.decision.action,
        trajectory.reward,
        trajectory.terminated,
        _number(following),
        following.action_mask,
        view.alive,
        jax.random.uniform(key, trajectory.reward.shape),
    )
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), steps)
