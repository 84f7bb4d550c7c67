"""A finite game with the whole team as one agent, for methods that decide all at a centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from coterie.envs.finite.game import FiniteGame
from coterie.envs.finite.tables import Tables
from coterie.envs.game import AgentSpec


@dataclass(frozen=True)
class FiniteAsOne(FiniteGame):
    """Finite game played by one agent whose actions are the team's joint actions.

    This agent is paid the mean of the agents' rewards. Joint actions are numbered as in `Tables`.
    The only field is the environment, whose options hold for it.

    >>> from coterie.envs.finite.classics import Climbing
    >>> FiniteAsOne(Climbing()).specs[0].action
    Discrete(size=9)
    """

    env: FiniteGame

    shared: ClassVar[bool] = True

    @property
    def names(self) -> tuple[str, ...]:
        return ("team",)

    @property
    def states(self) -> int:
        return self.env.states

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.env.joint,)

    @property
    def start(self) -> Float[np.ndarray, " M"]:
        return self.env.start

    @property
    def final(self) -> Bool[np.ndarray, " M"]:
        return self.env.final

    @property
    def limit(self) -> int:
        return self.env.limit

    @property
    def on_demand(self) -> bool:
        return self.env.on_demand

    @property
    def members(self) -> tuple[tuple[AgentSpec, ...], ...]:
        return (self.env.specs,)

    def for_seed(self, seed: int) -> "FiniteAsOne":
        env = self.env.for_seed(seed)
        assert isinstance(env, FiniteGame)
        return FiniteAsOne(env)

    def row(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " M"]:
        return self.env.row(state, joint)

    def pay(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " 1"]:
        return jnp.mean(self.env.pay(state, joint), keepdims=True)

    def rows(
        self, states: Int[np.ndarray, " K"], joints: Int[np.ndarray, " K"]
    ) -> Float[np.ndarray, "K M"]:
        return self.env.rows(states, joints)

    def pays(
        self, states: Int[np.ndarray, " K"], joints: Int[np.ndarray, " K"]
    ) -> Float[np.ndarray, "K 1"]:
        return np.mean(self.env.pays(states, joints), axis=1, keepdims=True)

    def tables(self) -> Tables:
        whole = self.env.tables()
        paid = np.mean(whole.reward, axis=-1, keepdims=True)
        return Tables(whole.transition, paid, self.sizes, whole.start)

    @property
    def dice(self) -> int:
        return self.env.dice

    def luck(self, dice: Sequence[Int[Array, " *copies"]]) -> Float[Array, "*copies 1"]:
        return jnp.mean(self.env.luck(dice), axis=-1, keepdims=True)
