"""What methods with tables share: numbered states, a row for each, one step after the other."""

import abc
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.algorithms.base.algorithm import Action, Algorithm, Experience, Information, Metrics
from coterie.bounds import AtLeast, Between
from coterie.errors import require
from coterie.network import Network
from coterie.rl.masked_stats import mean
from coterie.rl.tables import row, with_row
from coterie.types import AgentSpec, View


class Learner(NamedTuple):
    """All that an agent learns.

    rows:  `K` numbers for every state and action, `[M, K, A]`; the method says which. They lie side
           by side, so that a step reads and writes one place: twice as fast as `K` tables.
    steps: how many steps it has learned from.
    """

    rows: Float[Array, "M K A"]
    steps: Int[Array, ""]


class Step(NamedTuple):
    """One step of one game.

    here, there: the numbers of the state that it was made in, and of the one that it led to.
    able, able_there: which actions are possible in them, `[A]`; `None` if all always are.
    ends:    nothing follows.
    present: whether the agent was there to make it; `None` if it always is.
    chance:  a random number in [0, 1).
    """

    here: Int[Array, "*batch"]
    able: Bool[Array, "*batch A"] | None
    action: Int[Array, "*batch"]
    reward: Float[Array, "*batch"]
    ends: Bool[Array, "*batch"]
    there: Int[Array, "*batch"]
    able_there: Bool[Array, "*batch A"] | None
    present: Bool[Array, "*batch"] | None
    chance: Float[Array, "*batch"]


@dataclass(frozen=True)
class Tabular(Algorithm):
    """A method that keeps a row of numbers for every state; the states must be numbered.

    It learns from one step at a time, from the first to the last and, among games that are played
    side by side, from game to game: many games are as many steps of one agent, and step sizes fall
    with the visits of a cell as the theory has it. (An average over games would be another method,
    which takes fewer and larger steps.)
    """

    horizon: Annotated[int, AtLeast(1)] = 1
    """Steps played in every game between two rounds of learning."""
    discount: Annotated[float, Between(0, 1)] = 0.9
    """gamma: what a reward one step later is worth now."""

    numbers: ClassVar[int]
    """K, how many numbers are kept for each state and action."""

    @abc.abstractmethod
    def choose(
        self, state: Learner, now: Float[Array, "K A"], view: View, chance: Float[Array, ""]
    ) -> Int[Array, ""]:
        """The action in one game, given the row of its state and a random number in [0, 1)."""

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

    @property
    def information(self) -> Information:
        return Information(action_space="discrete")

    def turns(self, steps: Int[Array, ""], network: Network) -> Bool[Array, ""]:
        """Whether the agent may change its policy after so many steps; always, by default."""
        return jnp.ones((), bool)

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Learner, tuple[()]]:
        name = type(self).__name__
        require(
            spec.states > 0,
            f"{name} keeps a table of states, but this game's are not numbered: use a finite game "
            "(`coterie list`), or a method with networks, as dpo or iql.",
        )
        self.require_actions(spec.action)
        rows = jnp.zeros((spec.states, self.numbers, spec.action.size))
        return Learner(rows, jnp.zeros((), jnp.int32)), ()

    def act(
        self, state: Learner, memory: tuple[()], view: View, key: Key[Array, ""]
    ) -> tuple[Action, tuple[()]]:
        def one(view: View, chance: Float[Array, ""]) -> Int[Array, ""]:
            return self.choose(state, row(state.rows, _number(view)), view, chance)

        chances = jax.random.uniform(key, view.observation.shape[:1])
        return Action(jax.vmap(one)(view, chances)), memory

    def learn(
        self, state: Learner, experience: Experience, network: Network, key: Key[Array, ""]
    ) -> tuple[Learner, Network, Metrics]:
        def one(state: Learner, step: Step) -> tuple[Learner, Metrics]:
            now, later = row(state.rows, step.here), row(state.rows, step.there)
            new, metrics = self.revise(now, later, step, self.turns(state.steps, network))
            if step.present is not None:
                new = jnp.where(step.present, new, now)
            return Learner(with_row(state.rows, step.here, new), state.steps + 1), metrics

        steps = _steps(experience, key)
        state, metrics = jax.lax.scan(one, state, steps)
        return state, network, {k: mean(each, steps.present) for k, each in metrics.items()}

    @property
    def batches_seeds(self) -> bool:
        return True


def _number(view: View) -> Int[Array, "*batch"]:
    return view.observation[..., 0].astype(jnp.int32)


def _steps(experience: Experience, key: Key[Array, ""]) -> Step:
    """The steps of all games in the order they are learned from, `[T * G]`."""
    view, following = experience.view, experience.next_view
    steps = Step(
        _number(view),
        view.action_mask,
        experience.decision.action,
        experience.reward,
        experience.terminated,
        _number(following),
        following.action_mask,
        view.present,
        jax.random.uniform(key, experience.reward.shape),
    )
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), steps)
